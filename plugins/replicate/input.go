package replicate

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// input writes a prediction's input from an intent.
type input struct {
	c     *normal.Call
	names json.Value // the setting fields
	w     json.Writer
}

func (in *input) fill() error {
	switch in.c.Kind {
	case "chat":
		return in.chat()
	case "image":
		return in.image()
	}
	if in.c.Body.Kind() != json.Object {
		return normal.Invalid("payload", "it is no object")
	}
	in.w.Raw(in.c.Body)
	return nil
}

// name returns what the model calls an input; a setting goes before. Empty: the model has none.
func (in *input) name(field, usual string) string {
	if v := in.names.Get(field); v.Kind() == json.String {
		return v.Text()
	}
	return usual
}

// put writes a field of the intent, by its path there, unless the model has no such input.
func (in *input) put(field, usual string, v json.Value) error {
	name := in.name(field, usual)
	if name == "" {
		return in.c.Cannot(in.c.Kind+"."+field, "the model has no such input, says adapter.settings.fields")
	}
	in.w.Key(name)
	in.w.Raw(v)
	return nil
}

func text(s string) json.Value { return json.AppendString(nil, s) }

func (in *input) image() error {
	in.w.Begin('{')
	for name, v := range in.c.Body.Fields() {
		if v.Kind() != json.Number && v.Empty() || name == "model" {
			continue
		}
		var err error
		switch name {
		case "prompt", "negative_prompt", "seed":
			err = in.put(name, name, v)
		case "count":
			err = in.put(name, "num_outputs", v)
		case "size":
			err = in.size(v)
		case "media_type":
			err = in.format(v.Text())
		case "quality":
			err = in.put(name, "", v)
		default:
			err = in.c.Cannot("image."+name, "the provider has no such parameter")
		}
		if err != nil {
			return err
		}
	}
	in.w.End('}')
	return nil
}

// size is two inputs, unless the setting names one for both together.
func (in *input) size(v json.Value) error {
	if in.names.Get("size") != nil {
		return in.put("size", "", v)
	}
	width, height, _ := strings.Cut(v.Text(), "x")
	if err := in.put("width", "width", json.Value(width)); err != nil {
		return err
	}
	return in.put("height", "height", json.Value(height))
}

func (in *input) format(media string) error {
	kind, ok := strings.CutPrefix(media, "image/")
	if !ok {
		return in.c.Cannot("image.media_type", "it is no picture's")
	}
	if kind == "jpeg" {
		kind = "jpg"
	}
	return in.put("media_type", "output_format", text(kind))
}

func (in *input) chat() error {
	messages, err := in.c.Conversation()
	if err != nil {
		return err
	}
	in.w.Begin('{')
	if in.name("messages", "") != "" {
		err = in.messages(messages)
	} else {
		err = in.prompt(messages)
	}
	for name, v := range in.c.Body.Fields() {
		if err != nil {
			return err
		}
		if v.Kind() != json.Number && v.Empty() {
			continue
		}
		switch name {
		case "model", "messages":
		case "temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty":
			err = in.put(name, name, v)
		case "stop":
			err = in.stop(v)
		default:
			err = in.c.Cannot("chat."+name, "the provider's models have it in no common form; adapter.settings.input may set it")
		}
	}
	in.w.End('}')
	return err
}

// stop is one text, in which commas stand between.
func (in *input) stop(v json.Value) error {
	var all []string
	for s := range v.Items() {
		if strings.Contains(s.Text(), ",") {
			return in.c.Cannot("chat.stop", "the provider separates such texts by commas, so none may hold one")
		}
		all = append(all, s.Text())
	}
	return in.put("stop", "stop_sequences", text(strings.Join(all, ",")))
}

// prompt writes a conversation of one turn: what the system says, and what the user says.
func (in *input) prompt(messages []normal.Message) error {
	var system, user []string
	var pictures []normal.Part
	turns := 0
	for i := range messages {
		m := &messages[i]
		said, err := in.said(m, &pictures)
		if err != nil {
			return err
		}
		if m.Role == "system" {
			system = append(system, said)
			continue
		}
		if turns++; m.Role != "user" || turns > 1 {
			if err := in.c.Cannot(m.At, "the model takes one prompt, unless adapter.settings.fields.messages names an input for more"); err != nil {
				return err
			}
		}
		if m.Role == "user" {
			user = []string{said} // of several turns the last is what is asked
		}
	}
	if len(user) == 0 {
		return normal.Invalid("chat.messages", "there is none of a user")
	}
	if err := in.put("prompt", "prompt", text(user[0])); err != nil {
		return err
	}
	if len(system) > 0 {
		if err := in.put("system", "system_prompt", text(strings.Join(system, "\n\n"))); err != nil {
			return err
		}
	}
	for i, p := range pictures {
		if i > 0 {
			return in.c.Cannot(p.At, "the model takes one picture")
		}
		if err := in.put("image", "image", text(dataURL(p))); err != nil {
			return err
		}
	}
	return nil
}

// said returns a message's text, and adds its pictures.
func (in *input) said(m *normal.Message, pictures *[]normal.Part) (string, error) {
	var all []string
	if m.Text != "" {
		all = append(all, m.Text)
	}
	for _, p := range m.Parts {
		switch {
		case p.IsText:
			all = append(all, p.Text)
		case m.Role == "user" && (p.Media == "" || strings.HasPrefix(p.Media, "image/")):
			*pictures = append(*pictures, p)
		default:
			if err := in.c.Cannot(p.At, "the model takes text and a user's picture"); err != nil {
				return "", err
			}
		}
	}
	return strings.Join(all, "\n"), nil
}

func dataURL(p normal.Part) string {
	if p.URL != "" {
		return p.URL
	}
	return "data:" + p.Media + ";base64," + p.Data
}

// messages writes a conversation as a list, for models that take one.
func (in *input) messages(messages []normal.Message) error {
	var w json.Writer
	var pictures []normal.Part
	w.Begin('[')
	for i := range messages {
		m := &messages[i]
		if m.Role == "tool" || len(m.Calls) > 0 {
			if err := in.c.Cannot(m.At, "the provider has no tools"); err != nil {
				return err
			}
			continue
		}
		said, err := in.said(m, &pictures)
		if err != nil {
			return err
		}
		w.Begin('{')
		w.Key("role")
		w.String(m.Role)
		w.Key("content")
		w.String(said)
		w.End('}')
	}
	w.End(']')
	for _, p := range pictures {
		if err := in.c.Cannot(p.At, "the model's messages are texts"); err != nil {
			return err
		}
	}
	return in.put("messages", "", json.Value(w.Bytes()))
}
