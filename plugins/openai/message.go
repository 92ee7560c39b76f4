package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func (r *request) messages(list json.Value) error {
	r.w.Key("messages")
	r.w.Begin('[')
	i := 0
	for m := range list.Items() {
		if err := r.message("chat.messages["+strconv.Itoa(i)+"]", m); err != nil {
			return err
		}
		i++
	}
	r.w.End(']')
	return nil
}

// message writes a turn; at is its path in the intent.
func (r *request) message(at string, m json.Value) error {
	role := m.Get("role").Text()
	calls, answers := m.Get("tool_calls"), m.Get("tool_call_id")
	switch {
	case !calls.Empty() && role != "assistant":
		return adapter.Unsupported(at+".tool_calls", "only an assistant calls tools")
	case role == "tool" && answers.Empty():
		return adapter.Unsupported(at+".tool_call_id", "a tool's message must name the call it answers")
	case role != "tool" && !answers.Empty():
		return adapter.Unsupported(at+".tool_call_id", "only a tool's message answers a call")
	}
	r.w.Begin('{')
	r.w.Key("role")
	r.w.Raw(m.Get("role"))
	if err := r.contents(at, role, m); err != nil {
		return err
	}
	if !calls.Empty() {
		if err := r.toolCalls(at, calls); err != nil {
			return err
		}
	}
	if role == "tool" {
		r.w.Key("tool_call_id")
		r.w.Raw(answers)
	}
	for name, v := range m.Fields() {
		switch name {
		case "role", "content", "parts", "tool_calls", "tool_call_id", "thoughts":
			continue
		}
		if v.Empty() {
			continue
		}
		if name != "name" || r.d.Fields["chat.messages.name"] == "" || role == "tool" {
			if err := r.Cannot(at+"."+name, "the API has no such field"); err != nil {
				return err
			}
			continue
		}
		r.w.Key(name)
		r.w.Raw(v)
	}
	r.w.End('}')
	return nil
}

// contents writes what a message says, and what was thought before.
func (r *request) contents(at, role string, m json.Value) error {
	content, parts := m.Get("content"), m.Get("parts")
	thoughts, err := r.thoughts(at, m.Get("thoughts"))
	if err != nil {
		return err
	}
	inContent := r.set.thoughts == "content" && len(thoughts) > 0
	if len(thoughts) > 0 && !inContent {
		r.w.Key(r.set.thoughts)
		r.w.String(strings.Join(thoughts, "\n"))
	}
	if r.d.TextOnly && role != "user" {
		if text, ok := joined(content, parts); ok {
			content, parts = text, nil
		}
	}
	if parts.Empty() && !inContent {
		if content.Empty() && !m.Get("tool_calls").Empty() && !r.d.WholeMessages {
			return nil // an assistant that called tools need not have said anything
		}
		if content == nil {
			content = json.Value(`""`)
		}
		r.w.Key("content")
		r.w.Raw(content)
		return nil
	}
	r.w.Key("content")
	r.w.Begin('[')
	if inContent {
		r.thinkingParts(thoughts)
	}
	if !content.Empty() {
		r.textPart(content)
	}
	i := 0
	for p := range parts.Items() {
		if err := r.part(at+".parts["+strconv.Itoa(i)+"]", role, p); err != nil {
			return err
		}
		i++
	}
	r.w.End(']')
	return nil
}

// thoughts returns the texts of what was thought. What of a thought is no text the API has no field for.
func (r *request) thoughts(at string, list json.Value) (texts []string, err error) {
	i := 0
	for thought := range list.Items() {
		for name, v := range thought.Fields() {
			switch {
			case v.Empty():
			case name == "text" && r.set.thoughts != "":
				texts = append(texts, v.Text())
			default:
				if err := r.Cannot(at+".thoughts["+strconv.Itoa(i)+"]."+name, "the API has no field to hand it back in"); err != nil {
					return nil, err
				}
			}
		}
		i++
	}
	return texts, nil
}

func (r *request) thinkingParts(thoughts []string) {
	for _, text := range thoughts {
		r.w.Begin('{')
		r.raw(`"type":"thinking"`)
		r.w.Key("thinking")
		r.w.Begin('[')
		r.textPart(json.AppendString(nil, text))
		r.w.End(']')
		r.w.End('}')
	}
}

// joined is a content and parts as one text; false if there is more than text.
func joined(content, parts json.Value) (json.Value, bool) {
	if parts.Empty() {
		return content, true
	}
	text := content.Text()
	for p := range parts.Items() {
		if !p.Get("text").Exists() {
			return nil, false
		}
		text += p.Get("text").Text()
	}
	return json.AppendString(nil, text), true
}

func (r *request) toolCalls(at string, calls json.Value) error {
	w := &r.w
	w.Key("tool_calls")
	w.Begin('[')
	i := 0
	for c := range calls.Items() {
		if !c.Get("signature").Empty() {
			if err := r.Cannot(at+".tool_calls["+strconv.Itoa(i)+"].signature", "the API has no field to hand it back in"); err != nil {
				return err
			}
		}
		w.Begin('{')
		w.Key("id")
		w.String(c.Get("id").Text())
		r.raw(`"type":"function"`)
		w.Key("function")
		w.Begin('{')
		w.Key("name")
		w.String(c.Get("name").Text())
		w.Key("arguments")
		w.String(c.Get("arguments").Text())
		w.End('}')
		w.End('}')
		i++
	}
	w.End(']')
	return nil
}
