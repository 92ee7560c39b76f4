package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
)

// apiOf has chats asked by way of /responses where the recording is one of it.
func apiOf(x *Exchange) map[string]any {
	if x.Kind != "responses" {
		return nil
	}
	return object{"api": "responses"}
}

// responsesIntent says with an intent what a request to /responses says.
func responsesIntent(body object) (intent map[string]any, stream bool, skip string) {
	chat := object{}
	move(chat, body, "model", "temperature", "top_p", "max_output_tokens:max_tokens", "parallel_tool_calls")
	if reasoning, ok := body["reasoning"].(object); ok && reasoning["effort"] != nil {
		chat["reasoning"] = object{"effort": reasoning["effort"]}
	}
	switch choice := body["tool_choice"].(type) {
	case string:
		chat["tool_choice"] = choice
	case object:
		chat["tool_choice"] = choice["name"]
	}
	if text, ok := body["text"].(object); ok {
		format, _ := text["format"].(object)
		switch format["type"] {
		case "json_schema":
			chat["response_schema"] = format["schema"]
		case "json_object":
			chat["json_object"] = true
		}
	}
	var tools []any
	for _, tool := range listOf(body["tools"]) {
		if tool.(object)["type"] != "function" {
			return nil, false, "the normal form has no tools of the provider's own"
		}
		entry := object{}
		move(entry, tool.(object), "name", "description", "parameters")
		tools = append(tools, entry)
	}
	if tools != nil {
		chat["tools"] = tools
	}
	var messages []any
	if text, _ := body["instructions"].(string); text != "" {
		messages = append(messages, object{"role": "system", "content": text})
	}
	if text, ok := body["input"].(string); ok {
		messages = append(messages, object{"role": "user", "content": text})
	} else if messages, skip = turnsOf(messages, listOf(body["input"])); skip != "" {
		return nil, false, skip
	}
	chat["messages"] = messages
	return object{"chat": chat}, body["stream"] == true, ""
}

// turnsOf puts items together to turns: thoughts, a text and calls that follow one another are one turn of the assistant.
func turnsOf(messages []any, items []any) ([]any, string) {
	var open object // the assistant's turn that may go on
	assistant := func() object {
		if open == nil {
			open = object{"role": "assistant"}
			messages = append(messages, open)
		}
		return open
	}
	appendTo := func(m object, name string, v any) { list, _ := m[name].([]any); m[name] = append(list, v) }
	for _, v := range items {
		item := v.(object)
		kind, _ := item["type"].(string)
		switch {
		case kind == "reasoning":
			open = nil
			m := assistant()
			last := object{}
			for _, part := range listOf(item["summary"]) {
				last = object{"text": part.(object)["text"]}
				appendTo(m, "thoughts", last)
			}
			if len(last) == 0 {
				appendTo(m, "thoughts", last)
			}
			if id, _ := item["id"].(string); id != "" {
				last["signature"] = id
			}
			if hidden, _ := item["encrypted_content"].(string); hidden != "" {
				last["redacted"] = hidden
			}
		case kind == "function_call":
			appendTo(assistant(), "tool_calls", object{"id": item["call_id"], "name": item["name"], "arguments": item["arguments"]})
		case kind == "function_call_output":
			open = nil
			m := object{"role": "tool", "tool_call_id": item["call_id"]}
			if skip := inputOf(m, item["output"]); skip != "" {
				return nil, skip
			}
			messages = append(messages, m)
		case kind == "" || kind == "message":
			role, _ := item["role"].(string)
			m := object{"role": role}
			switch {
			case role == "assistant" && open != nil && open["content"] == nil && open["tool_calls"] == nil:
				m = open
			case role == "assistant":
				open = nil
				m = assistant()
			case role == "developer":
				m["role"] = "system"
				fallthrough
			default:
				open = nil
				messages = append(messages, m)
			}
			if skip := inputOf(m, item["content"]); skip != "" {
				return nil, skip
			}
		default:
			return nil, "the normal form has no item " + kind
		}
	}
	return messages, ""
}

// inputOf writes a content to a message: a text, or parts.
func inputOf(m object, content any) (skip string) {
	if text, ok := content.(string); ok {
		m["content"] = text
		return ""
	}
	var parts []any
	for _, v := range listOf(content) {
		part := v.(object)
		switch part["type"] {
		case "input_text", "output_text":
			parts = append(parts, object{"media_type": "text/plain", "text": part["text"]})
		case "input_image":
			url, _ := part["image_url"].(string)
			parts = append(parts, mediaPart(url, "image/png"))
		case "input_file":
			url, _ := part["file_url"].(string)
			if data, ok := part["file_data"].(string); ok {
				url = data
			}
			if url == "" {
				return "the normal form has no files that the provider keeps"
			}
			media := mediaPart(url, "application/pdf")
			if name, ok := part["filename"].(string); ok {
				media["name"] = name
			}
			parts = append(parts, media)
		default:
			return fmt.Sprintf("the normal form has no part %v", part["type"])
		}
	}
	m["parts"] = parts
	return ""
}

// response is an answer of /responses.
type response struct {
	Model      string
	Status     string
	Error      any
	Incomplete struct{ Reason string } `json:"incomplete_details"`
	Output     []struct {
		Type             string
		CallID           string `json:"call_id"`
		Name             string
		Arguments        any // of tools of the provider's own an object
		Content, Summary []struct{ Text, Refusal string }
	}
	Usage *struct {
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
		In     struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"input_tokens_details"`
		Out struct {
			Reasoning int64 `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
	}
}

// responsesWant reads what an answer of /responses says; of a stream the event that ends it, which holds the whole.
func responsesWant(x *Exchange) (*Want, string, error) {
	raw := []byte(x.Response.Body)
	for line := range strings.Lines(x.Response.Stream) {
		data, ok := strings.CutPrefix(line, "data:")
		if !ok {
			continue
		}
		var event struct {
			Type     string
			Response json.RawMessage
		}
		if json.Unmarshal([]byte(data), &event) != nil {
			continue // it is no JSON object, and so none that ends the stream
		}
		if event.Type == "response.completed" || event.Type == "response.incomplete" || event.Type == "response.failed" {
			raw = event.Response
			break
		}
	}
	var r response
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, "", err
	}
	if r.Error != nil || r.Status == "failed" {
		return &Want{Fail: true}, "", nil
	}
	w := &Want{Model: r.Model, Finish: "stop"}
	for _, item := range r.Output {
		for _, part := range item.Content {
			if item.Type == "reasoning" {
				w.Thought += part.Text
			} else {
				w.Text += part.Text + part.Refusal
			}
		}
		for _, part := range item.Summary {
			w.Thought += part.Text
		}
		if item.Type == "function_call" {
			w.Calls = append(w.Calls, Call{ID: item.CallID, Name: item.Name, Arguments: fmt.Sprint(item.Arguments)})
			w.Finish = "tool_calls"
		}
	}
	switch r.Incomplete.Reason {
	case "":
	case "max_output_tokens":
		w.Finish = "length"
	default:
		w.Finish = r.Incomplete.Reason
	}
	if u := r.Usage; u != nil {
		w.Usage = &Usage{u.Input, u.Output, u.In.Cached, u.Out.Reasoning}
	}
	return w, "", nil
}
