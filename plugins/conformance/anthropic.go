package conformance

import (
	"encoding/json"
	"strings"

	"github.com/smarthausgroup/caio/plugins/anthropic"
)

// Anthropic is Claude by its maker's API.
func Anthropic() Provider {
	return Provider{
		Name: "anthropic", Adapter: anthropic.Adapter{}, Contract: "anthropic.yaml",
		Evidence: "official specification, by way of a mirror",
		Settings: claudeSettings,
		Intent:   func(x *Exchange) (map[string]any, bool, string) { return claudeIntent(x.Kind, x.Request.Body) },
		Want: func(x *Exchange) (*Want, string, error) {
			if x.Response.Status > 299 {
				return claudeFailure(x.Response.Body)
			}
			if x.Kind != "chat" {
				return nil, "not a chat: the normal form has none of it", nil
			}
			if x.Response.Stream == "" {
				return claudeWhole(x.Response.Body)
			}
			var events []json.RawMessage
			for line := range strings.Lines(x.Response.Stream) {
				if data, ok := strings.CutPrefix(line, "data:"); ok {
					events = append(events, json.RawMessage(data))
				}
			}
			return claudeStream(events)
		},
	}
}

// claudeBody is a Messages request, as far as the normal form has it.
type claudeBody struct {
	Model    string
	Max      *int `json:"max_tokens"`
	Stream   bool
	System   claudeContent
	Messages []struct {
		Role    string
		Content claudeContent
	}
	Tools []struct {
		Type, Name, Description string
		Schema                  any `json:"input_schema"`
	}
	ToolChoice *struct {
		Type, Name string
		Alone      *bool `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	Temperature *float64
	TopP        *float64 `json:"top_p"`
	TopK        *float64 `json:"top_k"`
	Stop        []string `json:"stop_sequences"`
	Thinking    *struct {
		Type   string
		Budget *int `json:"budget_tokens"`
	}
	Output *struct {
		Effort string
		Format *struct{ Schema any }
	} `json:"output_config"`
	Format *struct{ Schema any } `json:"output_format"`
}

// claudeContent is content, of which a text is one block.
type claudeContent []claudeBlock

func (c *claudeContent) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*c = claudeContent{{Type: "text", Text: text}}
		return nil
	}
	return json.Unmarshal(raw, (*[]claudeBlock)(c))
}

type claudeBlock struct {
	Type, Text, Thinking, Signature, Data, ID, Name, Title string
	Input                                                  json.RawMessage
	Source                                                 *struct {
		Type, URL, Data string
		Media           string `json:"media_type"`
	}
	Answers string `json:"tool_use_id"`
	Content json.RawMessage
	Failed  bool `json:"is_error"`
}

// claudeSettings hand on what the normal form has no place for.
func claudeSettings(x *Exchange) map[string]any {
	if x.Request == nil || x.Kind != "chat" {
		return nil
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(x.Request.Body, &body) != nil {
		return nil
	}
	extra := map[string]any{}
	for _, name := range []string{"cache_control", "metadata", "service_tier", "container"} {
		if v, ok := body[name]; ok && string(v) != "null" {
			extra[name] = v
		}
	}
	var b claudeBody
	if json.Unmarshal(x.Request.Body, &b) == nil {
		if b.Output != nil && b.Output.Format == nil && !claudeEffort(b.Output.Effort) {
			extra["output_config"] = body["output_config"]
		}
		if b.Thinking != nil && b.Thinking.Type == "adaptive" && (b.Output == nil || !claudeEffort(b.Output.Effort)) {
			extra["thinking"] = body["thinking"]
		}
	}
	return map[string]any{"extra_body": extra}
}

// claudeEffort reports whether the normal form has an effort.
func claudeEffort(effort string) bool {
	return effort == "low" || effort == "medium" || effort == "high"
}

// claudeIntent reads a recorded request as the intent that asks for the same.
func claudeIntent(kind string, raw json.RawMessage) (intent map[string]any, stream bool, skip string) {
	if kind != "chat" && kind != "invoke_model" {
		return nil, false, "not a chat: the normal form has none of it"
	}
	var b claudeBody
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, false, "the recorded request is cut: " + err.Error()
	}
	chat := map[string]any{}
	put := func(name string, v any, there bool) {
		if there {
			chat[name] = v
		}
	}
	put("model", b.Model, b.Model != "")
	put("max_tokens", b.Max, b.Max != nil)
	put("temperature", b.Temperature, b.Temperature != nil)
	put("top_p", b.TopP, b.TopP != nil)
	put("top_k", b.TopK, b.TopK != nil)
	put("stop", b.Stop, len(b.Stop) > 0)
	var messages []any
	for _, block := range b.System {
		messages = append(messages, map[string]any{"role": "system", "content": block.Text})
	}
	for _, m := range b.Messages {
		if m.Role == "system" {
			return nil, false, "the normal form has no tools that are added on the way"
		}
		turn, skip := claudeTurn(m.Role, m.Content)
		if skip != "" {
			return nil, false, skip
		}
		messages = append(messages, turn...)
	}
	chat["messages"] = messages
	var tools []any
	for _, t := range b.Tools {
		if t.Type != "" && t.Type != "custom" {
			return nil, false, "the normal form has no tools that the provider runs"
		}
		tools = append(tools, map[string]any{"name": t.Name, "description": t.Description, "parameters": t.Schema})
	}
	put("tools", tools, tools != nil)
	if c := b.ToolChoice; c != nil {
		chat["tool_choice"] = map[string]string{"auto": "auto", "any": "required", "none": "none", "tool": c.Name}[c.Type]
		put("parallel_tool_calls", c.Alone == nil || !*c.Alone, c.Alone != nil)
	}
	if b.Format != nil {
		b.Output = &struct {
			Effort string
			Format *struct{ Schema any }
		}{Format: b.Format}
	}
	if o := b.Output; o != nil {
		put("reasoning", map[string]any{"effort": o.Effort}, claudeEffort(o.Effort))
		if o.Format != nil {
			chat["response_schema"] = o.Format.Schema
		}
	}
	if t := b.Thinking; t != nil {
		put("reasoning", map[string]any{"max_tokens": t.Budget}, t.Budget != nil)
		put("reasoning", map[string]any{"effort": "none"}, t.Type == "disabled")
	}
	return map[string]any{"type": "chat", "chat": chat}, b.Stream, ""
}

// claudeTurn reads a message, which becomes several where it answers calls.
func claudeTurn(role string, content claudeContent) (messages []any, skip string) {
	m := map[string]any{"role": role}
	var parts, calls, thoughts []any
	for _, b := range content {
		switch b.Type {
		case "tool_use":
			calls = append(calls, map[string]any{"id": b.ID, "name": b.Name, "arguments": string(b.Input)})
		case "thinking":
			thoughts = append(thoughts, map[string]any{"text": b.Thinking, "signature": b.Signature})
		case "redacted_thinking":
			thoughts = append(thoughts, map[string]any{"redacted": b.Data})
		case "tool_result":
			if b.Failed {
				return nil, "the normal form has no tools that failed"
			}
			var inside claudeContent
			if b.Content != nil && inside.UnmarshalJSON(b.Content) != nil {
				return nil, "the recorded request is cut"
			}
			answer, skip := claudeParts(inside)
			if skip != "" {
				return nil, skip
			}
			messages = append(messages, map[string]any{"role": "tool", "tool_call_id": b.Answers, "parts": answer})
		default:
			part, skip := claudeParts(claudeContent{b})
			if skip != "" {
				return nil, skip
			}
			parts = append(parts, part...)
		}
	}
	if parts == nil && calls == nil && thoughts == nil {
		return messages, ""
	}
	m["parts"], m["tool_calls"], m["thoughts"] = parts, calls, thoughts
	return append(messages, m), ""
}

func claudeParts(content claudeContent) (parts []any, skip string) {
	for _, b := range content {
		switch {
		case b.Type == "text":
			parts = append(parts, map[string]any{"text": b.Text})
		case (b.Type == "image" || b.Type == "document") && b.Source != nil:
			part := map[string]any{"name": b.Title}
			switch b.Source.Type {
			case "url":
				part["url"] = b.Source.URL
				if b.Type == "document" {
					part["media_type"] = "application/pdf"
				}
			case "text":
				part["media_type"], part["text"] = "text/plain", b.Source.Data
			default:
				part["media_type"], part["data"] = b.Source.Media, b.Source.Data
			}
			parts = append(parts, part)
		default:
			return nil, "the normal form has no part of type " + b.Type
		}
	}
	return parts, ""
}

func claudeFailure(raw json.RawMessage) (*Want, string, error) {
	var body struct {
		Error struct{ Type, Message string }
	}
	err := json.Unmarshal(raw, &body)
	w := &Want{Fail: true, Message: body.Error.Message}
	switch body.Error.Type {
	case "not_found_error":
		w.Reason = "model_not_found"
	case "rate_limit_error":
		w.Reason = "rate_limited"
	case "overloaded_error":
		w.Reason = "overloaded"
	case "authentication_error", "permission_error":
		w.Reason, w.Message = "bad_key", ""
	case "invalid_request_error":
		w.Reason = "bad_request"
		switch {
		case strings.Contains(w.Message, "too long"):
			w.Reason = "context_too_long"
		case strings.Contains(w.Message, "credit balance"):
			w.Reason, w.Message = "out_of_credit", ""
		}
	}
	return w, "", err
}

// claudeAnswer is a Message, whole or in an event.
type claudeAnswer struct {
	Model   string
	Content []claudeBlock
	Stop    string `json:"stop_reason"`
	Usage   map[string]any
}

func claudeWhole(raw json.RawMessage) (*Want, string, error) {
	var a claudeAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, "", err
	}
	return a.want(), "", nil
}

// claudeStream puts a stream together: block by block, usage field by field.
func claudeStream(events []json.RawMessage) (*Want, string, error) {
	var a claudeAnswer
	var inputs []string
	for _, raw := range events {
		var e struct {
			Type    string
			Index   int
			Message claudeAnswer
			Block   claudeBlock `json:"content_block"`
			Delta   struct {
				Type, Text, Thinking, Signature string
				JSON                            string `json:"partial_json"`
				Stop                            string `json:"stop_reason"`
			}
			Usage map[string]any
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, "", err
		}
		switch e.Type {
		case "error":
			return &Want{Fail: true}, "", nil
		case "message_start":
			if len(a.Content) > 0 {
				return &Want{Fail: true, Message: "a second message"}, "", nil // a stream that a proxy put together of two
			}
			a = e.Message
		case "content_block_start":
			a.Content, inputs = append(a.Content, e.Block), append(inputs, "")
		case "content_block_delta":
			b := &a.Content[e.Index]
			b.Text += e.Delta.Text
			b.Thinking += e.Delta.Thinking
			inputs[e.Index] += e.Delta.JSON
		case "message_delta":
			a.Stop = e.Delta.Stop
			for name, v := range e.Usage {
				a.Usage[name] = v
			}
		case "message_stop":
			for i, input := range inputs {
				if input != "" {
					a.Content[i].Input = json.RawMessage(input)
				}
			}
			return a.want(), "", nil
		}
	}
	return &Want{Fail: true, Message: "broke off"}, "", nil
}

func (a *claudeAnswer) want() *Want {
	w := &Want{Model: a.Model, Finish: a.Stop}
	if finish := map[string]string{"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
		"tool_use": "tool_calls", "refusal": "content_filter"}[a.Stop]; finish != "" {
		w.Finish = finish
	}
	for _, b := range a.Content {
		switch b.Type {
		case "text":
			w.Text += b.Text
		case "thinking":
			w.Thought += b.Thinking
		case "tool_use":
			w.Calls = append(w.Calls, Call{ID: b.ID, Name: b.Name, Arguments: string(b.Input)})
		}
	}
	n := func(v any) int64 { f, _ := v.(float64); return int64(f) }
	u := a.Usage
	details, _ := u["output_tokens_details"].(map[string]any)
	cached := n(u["cache_read_input_tokens"])
	w.Usage = &Usage{n(u["input_tokens"]) + cached + n(u["cache_creation_input_tokens"]), n(u["output_tokens"]), cached, n(details["thinking_tokens"])}
	return w
}
