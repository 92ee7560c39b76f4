package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// responses asks for a chat by way of /responses, where a conversation is a list of items: messages, calls, their outputs, thoughts.
func (r *request) responses() (adapter.Reply, error) {
	if err := r.begin(); err != nil {
		return adapter.Reply{}, err
	}
	for name, v := range r.Body.Fields() {
		if err := r.responsesParameter(name, v); err != nil {
			return adapter.Reply{}, err
		}
	}
	if r.Stream {
		r.raw(`"stream":true`)
	}
	return r.post(r.d.Paths.Responses, state{stream: r.Stream, responses: true})
}

func (r *request) responsesParameter(name string, v json.Value) error {
	switch name {
	case "model":
		return nil
	case "messages":
		return r.items()
	case "temperature", "top_p", "parallel_tool_calls":
		if v.Exists() {
			r.w.Key(name)
			r.w.Raw(v)
		}
		return nil
	case "max_tokens":
		if v.Exists() {
			r.w.Key("max_output_tokens")
			r.w.Raw(v)
		}
		return nil
	case "tools":
		if v.Empty() {
			return nil
		}
		return r.flatTools()
	case "tool_choice":
		switch name := v.Text(); name {
		case "":
		case "auto", "none", "required":
			r.text("tool_choice", name)
		default:
			r.raw(`"tool_choice":{"type":"function","name":` + string(json.AppendString(nil, name)) + `}`)
		}
		return nil
	case "response_schema":
		if v.Exists() {
			r.textFormat(v)
		}
		return nil
	case "json_object":
		if v.True() && !r.Body.Get("response_schema").Exists() {
			r.raw(`"text":{"format":{"type":"json_object"}}`)
		}
		return nil
	case "reasoning":
		return r.responsesReasoning(v)
	}
	if at := "chat." + name; said(at, v) && !(penalty(at) && v.Empty()) {
		return r.Cannot(at, "the responses API has no such parameter")
	}
	return nil
}

func (r *request) textFormat(schema json.Value) {
	r.w.Key("text")
	r.w.Begin('{')
	r.w.Key("format")
	r.w.Begin('{')
	r.raw(`"type":"json_schema","name":"response"`)
	r.w.Key("schema")
	r.w.Raw(schema)
	r.w.Key("strict")
	r.w.Bool(r.set.strict)
	r.w.End('}')
	r.w.End('}')
}

func (r *request) responsesReasoning(v json.Value) error {
	effort := v.Get("effort").Text()
	if n, ok := v.Get("max_tokens").Int(); ok && n == 0 {
		effort = "none"
	} else if ok {
		if err := r.Cannot("chat.reasoning.max_tokens", "the responses API has no such parameter"); err != nil {
			return err
		}
	}
	if effort != "" && r.d.Efforts[effort] == "" {
		if err := r.Cannot("chat.reasoning.effort", "the API has no such effort; it has "+r.d.effortWords()); err != nil {
			return err
		}
		effort = ""
	}
	if effort == "" && r.set.summary == "" {
		return nil
	}
	r.w.Key("reasoning")
	r.w.Begin('{')
	if effort != "" {
		r.text("effort", effort)
	}
	if r.set.summary != "" {
		r.text("summary", r.set.summary)
	}
	r.w.End('}')
	return nil
}

// flatTools writes tools as the API has them here. It takes those for strict that do not say otherwise, which most schemas are not
// made for.
func (r *request) flatTools() error {
	tools, err := r.Tools()
	if err != nil {
		return err
	}
	r.w.Key("tools")
	r.w.Begin('[')
	for _, t := range tools {
		r.w.Begin('{')
		r.text("type", "function")
		r.text("name", t.Name)
		if t.Description != "" {
			r.text("description", t.Description)
		}
		if t.Parameters == nil {
			t.Parameters = json.Value(`{"type":"object","properties":{}}`)
		}
		r.w.Key("parameters")
		r.w.Raw(t.Parameters)
		r.raw(`"strict":false`)
		r.w.End('}')
	}
	r.w.End(']')
	return nil
}

func (r *request) items() error {
	messages, err := r.Conversation()
	if err != nil {
		return err
	}
	r.w.Key("input")
	r.w.Begin('[')
	for i := range messages {
		m := &messages[i]
		if m.Name != "" {
			if err := r.Cannot(m.At+".name", "the responses API has no such field"); err != nil {
				return err
			}
		}
		if err := r.item(i, m); err != nil {
			return err
		}
	}
	r.w.End(']')
	return nil
}

// item writes a turn: what was thought, what was said, what was called.
func (r *request) item(turn int, m *normal.Message) error {
	if err := r.thoughtItems(turn, m); err != nil {
		return err
	}
	if m.Text != "" || len(m.Parts) > 0 || m.Role == "tool" || len(m.Calls)+len(m.Thoughts) == 0 {
		r.w.Begin('{')
		name := "content"
		if m.Role == "tool" {
			r.text("type", "function_call_output")
			r.text("call_id", m.Answers)
			name = "output"
		} else {
			r.text("type", "message")
			r.text("role", m.Role)
		}
		if err := r.inputContent(name, m); err != nil {
			return err
		}
		r.w.End('}')
	}
	for i, c := range m.Calls {
		if c.Signature != "" {
			if err := r.Cannot(m.At+".tool_calls["+strconv.Itoa(i)+"].signature", "the API has no field to hand it back in"); err != nil {
				return err
			}
		}
		r.w.Begin('{')
		r.text("type", "function_call")
		r.text("call_id", c.ID)
		r.text("name", c.Name)
		r.text("arguments", string(c.Arguments))
		r.w.End('}')
	}
	return nil
}

// thoughtItems hands thoughts back. The pieces of one item end with the one that has its id or what of it is hidden.
func (r *request) thoughtItems(turn int, m *normal.Message) error {
	var texts []string
	for i, t := range m.Thoughts {
		if t.Text != "" {
			texts = append(texts, t.Text)
		}
		if t.Signature == "" && t.Redacted == "" {
			continue
		}
		id := t.Signature
		if id == "" {
			id = "rs_" + strconv.Itoa(turn) + "_" + strconv.Itoa(i) // an item must have one; what is hidden is what counts
		}
		r.w.Begin('{')
		r.text("type", "reasoning")
		r.text("id", id)
		r.w.Key("summary")
		r.w.Begin('[')
		for _, text := range texts {
			r.w.Begin('{')
			r.text("type", "summary_text")
			r.text("text", text)
			r.w.End('}')
		}
		r.w.End(']')
		if t.Redacted != "" {
			r.text("encrypted_content", t.Redacted)
		}
		r.w.End('}')
		texts = nil
	}
	if texts != nil {
		return r.Cannot(m.At+".thoughts", "the responses API takes back only thoughts of its own")
	}
	return nil
}

func (r *request) inputContent(name string, m *normal.Message) error {
	if text, others := joined(m); len(m.Parts) == 0 || m.Role == "assistant" || m.Role == "system" {
		r.text(name, text)
		if len(others) > 0 {
			return r.Cannot(others[0].At, "only a user's message and a tool's may hold other parts than text")
		}
		return nil
	}
	r.w.Key(name)
	r.w.Begin('[')
	if m.Text != "" {
		r.inputText(m.Text)
	}
	for i := range m.Parts {
		if err := r.inputPart(&m.Parts[i]); err != nil {
			return err
		}
	}
	r.w.End(']')
	return nil
}

func (r *request) inputText(text string) {
	r.w.Begin('{')
	r.text("type", "input_text")
	r.text("text", text)
	r.w.End('}')
}

func (r *request) inputPart(p *normal.Part) error {
	switch {
	case p.IsText:
		r.inputText(p.Text)
	case strings.HasPrefix(p.Media, "image/") || p.Media == "" && p.URL != "":
		r.w.Begin('{')
		r.text("type", "input_image")
		r.text("image_url", address(p))
		r.text("detail", "auto")
		r.w.End('}')
	case strings.HasPrefix(p.Media, "audio/") || strings.HasPrefix(p.Media, "video/"):
		return r.Cannot(p.At+".media_type", "the responses API takes text, images and files, not "+strconv.Quote(p.Media))
	default:
		r.w.Begin('{')
		r.text("type", "input_file")
		if p.URL != "" {
			r.text("file_url", p.URL)
		} else {
			name := p.Name
			if name == "" {
				name = "file." + suffix(p.Media)
			}
			r.text("filename", name)
			r.text("file_data", address(p))
		}
		r.w.End('}')
	}
	return nil
}
