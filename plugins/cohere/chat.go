package cohere

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// chat2 writes a request of the second version.
func chat2(c *normal.Call, w *json.Writer) error {
	messages, err := c.Conversation()
	if err != nil {
		return err
	}
	w.Key("messages")
	w.Begin('[')
	for i := range messages {
		if err := message(c, w, &messages[i], messages[:i]); err != nil {
			return err
		}
	}
	w.End(']')
	for name, v := range c.Body.Fields() {
		known, err := sampling(c, w, name, v)
		if !known && err == nil {
			err = parameter(c, w, name, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sampling writes a parameter that both versions have, and reports whether it is one.
func sampling(c *normal.Call, w *json.Writer, name string, v json.Value) (known bool, err error) {
	to, least, most := name, 0.0, 0.0
	switch name {
	case "model", "messages":
		return true, nil
	case "stop":
		if !v.Empty() {
			w.Key("stop_sequences")
			w.Raw(v)
		}
		return true, nil
	case "parallel_tool_calls":
		if v.Exists() && !v.True() {
			err = c.Cannot("chat.parallel_tool_calls", "the API has no way to forbid parallel calls")
		}
		return true, err
	case "temperature", "frequency_penalty", "presence_penalty":
		most = 1
	case "top_p":
		to, least, most = "p", 0.01, 0.99
	case "top_k":
		to, most = "k", 500
	case "seed":
		most = 1 << 31
	case "max_tokens":
		most = 1 << 31
	default:
		return false, nil
	}
	if !v.Exists() {
		return true, nil
	}
	if f, _ := v.Float(); f < least || f > most {
		most := strconv.FormatFloat(most, 'f', -1, 64)
		return true, c.Cannot("chat."+name, "it is "+string(v)+", the API takes "+strconv.FormatFloat(least, 'f', -1, 64)+" to "+most)
	}
	w.Key(to)
	w.Raw(v)
	return true, nil
}

// parameter writes what the second version has of its own.
func parameter(c *normal.Call, w *json.Writer, name string, v json.Value) error {
	switch name {
	case "tools":
		return writeTools(c, w)
	case "tool_choice":
		switch choice := v.Text(); choice {
		case "", "auto":
		case "required", "none":
			w.Key("tool_choice")
			w.String(strings.ToUpper(choice))
		default:
			return c.Cannot("chat.tool_choice", "the API can demand a call, but not of one tool")
		}
	case "json_object":
		if v.True() && !c.Body.Get("response_schema").Exists() {
			w.Key("response_format")
			w.Raw(json.Value(`{"type":"json_object"}`))
		}
	case "response_schema":
		schema(w, "json_schema", v)
	case "reasoning":
		return reasoning(c, w, v)
	default:
		if !v.Empty() {
			return c.Cannot("chat."+name, "the API has no such parameter")
		}
	}
	return nil
}

// schema writes the form of the answer; the versions have different names for it.
func schema(w *json.Writer, name string, v json.Value) {
	if !v.Exists() {
		return
	}
	w.Key("response_format")
	w.Begin('{')
	w.Key("type")
	w.String("json_object")
	w.Key(name)
	w.Raw(v)
	w.End('}')
}

func reasoning(c *normal.Call, w *json.Writer, v json.Value) error {
	effort, budget := v.Get("effort").Text(), v.Get("max_tokens")
	n, limited := budget.Int()
	switch {
	case limited && effort != "":
		return normal.Invalid("chat.reasoning", "it has both effort and max_tokens")
	case !limited && effort == "":
		return nil
	case effort == "minimal" || effort == "low" || effort == "medium":
		if err := c.Cannot("chat.reasoning.effort", `the API knows no efforts between "none" and "high"; max_tokens bounds its thoughts`); err != nil {
			return err
		}
	}
	w.Key("thinking")
	w.Begin('{')
	w.Key("type")
	if effort == "none" || limited && n == 0 {
		w.String("disabled")
	} else {
		w.String("enabled")
		if limited {
			w.Key("token_budget")
			w.Raw(budget)
		}
	}
	w.End('}')
	return nil
}

func writeTools(c *normal.Call, w *json.Writer) error {
	tools, err := c.Tools()
	if err != nil || len(tools) == 0 {
		return err
	}
	w.Key("tools")
	w.Begin('[')
	for _, t := range tools {
		w.Begin('{')
		w.Key("type")
		w.String("function")
		w.Key("function")
		w.Begin('{')
		w.Key("name")
		w.String(t.Name)
		if t.Description != "" {
			w.Key("description")
			w.String(t.Description)
		}
		w.Key("parameters")
		if t.Parameters == nil {
			t.Parameters = json.Value(`{"type":"object","properties":{}}`) // the API wants some
		}
		w.Raw(t.Parameters)
		w.End('}')
		w.End('}')
	}
	w.End(']')
	return nil
}

// message writes one turn.
func message(c *normal.Call, w *json.Writer, m *normal.Message, before []normal.Message) error {
	if err := nameless(c, m, before); err != nil {
		return err
	}
	thought, err := thoughts(c, m)
	if err != nil {
		return err
	}
	w.Begin('{')
	w.Key("role")
	w.String(m.Role)
	if m.Role == "tool" {
		w.Key("tool_call_id")
		w.String(m.Answers)
	}
	if thought != "" && len(m.Calls) > 0 {
		w.Key("tool_plan")
		w.String(thought)
		thought = ""
	}
	if err := content(c, w, m, thought); err != nil {
		return err
	}
	if len(m.Calls) > 0 {
		w.Key("tool_calls")
		w.Begin('[')
		for _, call := range m.Calls {
			w.Begin('{')
			w.Key("id")
			w.String(call.ID)
			w.Key("type")
			w.String("function")
			w.Key("function")
			w.Begin('{')
			w.Key("name")
			w.String(call.Name)
			w.Key("arguments")
			w.String(string(call.Arguments))
			w.End('}')
			w.End('}')
		}
		w.End(']')
	}
	w.End('}')
	return nil
}

// nameless refuses a speaker's name. That of a tool is said with the call that it answers.
func nameless(c *normal.Call, m *normal.Message, before []normal.Message) error {
	if m.Name == "" || m.Role == "tool" && m.Name == normal.NameOf(m, before) {
		return nil
	}
	return c.Cannot(m.At+".name", "the API has no names of speakers")
}

// thoughts returns what was thought before a turn, as one text.
func thoughts(c *normal.Call, m *normal.Message) (text string, err error) {
	for i, t := range m.Thoughts {
		text += t.Text
		if t.Redacted != "" {
			if err := c.Cannot(m.At+".thoughts["+strconv.Itoa(i)+"].redacted", "the API hides no thoughts"); err != nil {
				return "", err
			}
		}
	}
	return text, nil
}

// content writes a turn's content: a text where it is no more, else parts.
func content(c *normal.Call, w *json.Writer, m *normal.Message, thought string) error {
	if len(m.Parts) == 0 && thought == "" {
		if m.Text != "" || len(m.Calls) == 0 {
			w.Key("content")
			w.String(m.Text)
		}
		return nil
	}
	w.Key("content")
	w.Begin('[')
	if thought != "" {
		part(w, "thinking", "thinking", thought)
	}
	if m.Text != "" {
		part(w, "text", "text", m.Text)
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.IsText {
			part(w, "text", "text", p.Text)
			continue
		}
		why := ""
		switch {
		case m.Role != "user":
			why = "the API takes images only from a user"
		case !strings.HasPrefix(p.Media, "image/") && (p.Media != "" || p.URL == ""):
			why = "the API takes only images, this is " + strconv.Quote(p.Media)
		}
		if why != "" {
			if err := c.Cannot(p.At, why); err != nil {
				return err
			}
			continue
		}
		if p.Name != "" {
			if err := c.Cannot(p.At+".name", "the API has no names of files"); err != nil {
				return err
			}
		}
		if p.URL == "" {
			p.URL = "data:" + p.Media + ";base64," + p.Data
		}
		w.Begin('{')
		w.Key("type")
		w.String("image_url")
		w.Key("image_url")
		w.Begin('{')
		w.Key("url")
		w.String(p.URL)
		w.End('}')
		w.End('}')
	}
	w.End(']')
	return nil
}

func part(w *json.Writer, kind, field, text string) {
	w.Begin('{')
	w.Key("type")
	w.String(kind)
	w.Key(field)
	w.String(text)
	w.End('}')
}
