package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func (r *request) messages() error {
	messages, err := r.Conversation()
	if err != nil {
		return err
	}
	r.w.Key("messages")
	r.w.Begin('[')
	for i := range messages {
		m := &messages[i]
		if r.d.SplitCalls && len(m.Calls) > 0 && (m.Text != "" || len(m.Parts) > 0) {
			said := *m
			said.Calls, m.Text, m.Parts, m.Thoughts = nil, "", nil, nil
			if err := r.message(&said); err != nil {
				return err
			}
		}
		if err := r.message(m); err != nil {
			return err
		}
	}
	r.w.End(']')
	return nil
}

func (r *request) message(m *normal.Message) error {
	r.w.Begin('{')
	r.text("role", m.Role)
	if err := r.contents(m); err != nil {
		return err
	}
	if err := r.toolCalls(m); err != nil {
		return err
	}
	if m.Answers != "" {
		r.text("tool_call_id", m.Answers)
	}
	switch {
	case m.Name == "":
	case r.d.Fields["chat.messages.name"] == "" || m.Role == "tool":
		if err := r.Cannot(m.At+".name", "the API has no such field"); err != nil {
			return err
		}
	default:
		r.text("name", m.Name)
	}
	r.w.End('}')
	return nil
}

// contents writes what a message says, and what was thought before.
func (r *request) contents(m *normal.Message) error {
	thoughts, err := r.thoughts(m)
	if err != nil {
		return err
	}
	inContent := r.set.thoughts == "content" && len(thoughts) > 0
	if len(thoughts) > 0 && !inContent {
		r.text(r.set.thoughts, strings.Join(thoughts, "\n"))
	}
	text, parts := m.Text, m.Parts
	if r.d.TextOnly && m.Role != "user" {
		text, parts = joined(m)
	}
	if len(parts) == 0 && !inContent {
		if text != "" || len(m.Calls) == 0 || r.d.WholeMessages { // an assistant that called tools need not have said anything
			r.text("content", text)
		}
		return nil
	}
	r.w.Key("content")
	r.w.Begin('[')
	if inContent {
		r.thinkingParts(thoughts)
	}
	if text != "" {
		r.textPart(text)
	}
	for i := range parts {
		if err := r.part(m.Role, &parts[i]); err != nil {
			return err
		}
	}
	r.w.End(']')
	return nil
}

// thoughts returns the texts of what was thought. What of a thought is no text the API has no field for.
func (r *request) thoughts(m *normal.Message) (texts []string, err error) {
	for i, t := range m.Thoughts {
		if t.Text != "" && r.set.thoughts != "" {
			texts = append(texts, t.Text)
			t.Text = ""
		}
		if t != (normal.Thought{}) {
			if err := r.Cannot(m.At+".thoughts["+strconv.Itoa(i)+"]", "the API has no field to hand it back in"); err != nil {
				return nil, err
			}
		}
	}
	return texts, nil
}

func (r *request) thinkingParts(thoughts []string) {
	for _, text := range thoughts {
		r.w.Begin('{')
		r.text("type", "thinking")
		r.w.Key("thinking")
		r.w.Begin('[')
		r.textPart(text)
		r.w.End(']')
		r.w.End('}')
	}
}

// joined returns a message's text and parts of text as one text, and what else there is.
func joined(m *normal.Message) (text string, others []normal.Part) {
	text = m.Text
	for _, p := range m.Parts {
		if p.IsText {
			text += p.Text
		} else {
			others = append(others, p)
		}
	}
	return text, others
}

func (r *request) toolCalls(m *normal.Message) error {
	if len(m.Calls) == 0 {
		return nil
	}
	r.w.Key("tool_calls")
	r.w.Begin('[')
	for i, c := range m.Calls {
		if c.Signature != "" {
			if err := r.Cannot(m.At+".tool_calls["+strconv.Itoa(i)+"].signature", "the API has no field to hand it back in"); err != nil {
				return err
			}
		}
		r.w.Begin('{')
		r.text("id", c.ID)
		if !r.d.BareCalls {
			r.text("type", "function")
		}
		if r.d.CountedCalls {
			r.w.Key("index")
			r.w.Int(int64(i))
		}
		r.w.Key("function")
		r.w.Begin('{')
		r.text("name", c.Name)
		r.text("arguments", string(c.Arguments))
		r.w.End('}')
		r.w.End('}')
	}
	r.w.End(']')
	return nil
}

// text writes a field of text.
func (r *request) text(name, value string) {
	r.w.Key(name)
	r.w.String(value)
}

func (r *request) textPart(text string) {
	r.w.Begin('{')
	r.text("type", "text")
	r.text("text", text)
	r.w.End('}')
}

func (r *request) tools() error {
	tools, err := r.Tools()
	if err != nil {
		return err
	}
	r.w.Key("tools")
	r.w.Begin('[')
	for _, t := range tools {
		r.w.Begin('{')
		r.text("type", "function")
		r.w.Key("function")
		r.w.Begin('{')
		r.text("name", t.Name)
		if t.Description != "" || r.d.WholeTools {
			r.text("description", t.Description)
		}
		if t.Parameters == nil && r.d.WholeTools {
			t.Parameters = json.Value(`{"type":"object","properties":{}}`)
		}
		if t.Parameters != nil {
			r.w.Key("parameters")
			r.w.Raw(t.Parameters)
		}
		r.w.End('}')
		r.w.End('}')
	}
	r.w.End(']')
	return nil
}
