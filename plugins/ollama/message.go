package ollama

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// messages writes the conversation.
func (r *request) messages() error {
	list, err := r.call.Conversation()
	if err != nil {
		return err
	}
	r.w.Key("messages")
	r.w.Begin('[')
	for i := range list {
		r.w.Begin('{')
		if err := r.message(&list[i], list[:i]); err != nil {
			return err
		}
		r.w.End('}')
	}
	r.w.End(']')
	return nil
}

func (r *request) message(m *normal.Message, before []normal.Message) error {
	r.w.Key("role")
	r.w.String(m.Role)
	if err := r.content(m); err != nil {
		return err
	}
	if err := r.thoughts(m); err != nil {
		return err
	}
	if err := r.calls(m.Calls, m.At); err != nil {
		return err
	}
	if m.Role == "tool" {
		// Models find the call by the tool's name; newer servers by its id, too.
		name := normal.NameOf(m, before)
		if name == "" {
			return normal.Invalid(m.At+".tool_call_id", "no call before it is named "+strconv.Quote(m.Answers))
		}
		r.w.Key("tool_name")
		r.w.String(name)
		r.w.Key("tool_call_id")
		r.w.String(m.Answers)
	} else if m.Name != "" {
		return r.call.Cannot(m.At+".name", "Ollama's messages name nobody")
	}
	return nil
}

// content writes a message's text, which the API wants as one, and its pictures.
func (r *request) content(m *normal.Message) error {
	text := m.Text
	var images []string
	for i := range m.Parts {
		p := &m.Parts[i]
		var err error
		switch {
		case p.IsText:
			if text != "" && p.Text != "" {
				text += "\n"
			}
			text += p.Text
		case p.URL != "":
			err = r.call.Cannot(p.At+".url", "Ollama fetches nothing; send the image as data")
		case p.Media == "" || strings.HasPrefix(p.Media, "image/"):
			images = append(images, p.Data)
		default:
			err = r.call.Cannot(p.At+".media_type", "Ollama takes text and images, not "+strconv.Quote(p.Media))
		}
		if err != nil {
			return err
		}
	}
	r.w.Key("content")
	r.w.String(text)
	if len(images) > 0 {
		r.w.Key("images")
		r.w.Begin('[')
		for _, image := range images {
			r.w.String(image)
		}
		r.w.End(']')
	}
	return nil
}

// calls writes the calls of an assistant. Their arguments are an object here, and text in the normal form.
func (r *request) calls(list []normal.ToolCall, at string) error {
	if len(list) == 0 {
		return nil
	}
	r.w.Key("tool_calls")
	r.w.Begin('[')
	for i := range list {
		c, place := &list[i], at+".tool_calls["+strconv.Itoa(i)+"]"
		if json.Value(c.Arguments).Kind() != json.Object {
			return normal.Invalid(place+".arguments", "Ollama takes a JSON object")
		}
		if c.Signature != "" {
			if err := r.call.Cannot(place+".signature", "it is another provider's"); err != nil {
				return err
			}
		}
		r.w.Begin('{')
		if c.ID != "" {
			r.w.Key("id")
			r.w.String(c.ID)
		}
		r.w.Key("function")
		r.w.Begin('{')
		r.w.Key("name")
		r.w.String(c.Name)
		r.w.Key("arguments")
		r.w.Raw(c.Arguments)
		r.w.End('}')
		r.w.End('}')
	}
	r.w.End(']')
	return nil
}

// thoughts writes what the model thought before.
func (r *request) thoughts(m *normal.Message) error {
	text, foreign := "", false
	for _, t := range m.Thoughts {
		text += t.Text
		foreign = foreign || t.Signature != "" || t.Redacted != ""
	}
	if foreign {
		if err := r.call.Cannot(m.At+".thoughts", "one of them is signed or hidden, which is another provider's"); err != nil {
			return err
		}
	}
	if text != "" {
		r.w.Key("thinking")
		r.w.String(text)
	}
	return nil
}
