package conformance

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object as encoding/json reads it.
type object = map[string]any

// compatible reads the requests and answers of the providers that speak OpenAI's API.

// compatibleIntent says with an intent what a request says, as far as there are words for it.
func compatibleIntent(x *Exchange) (intent map[string]any, stream bool, skip string) {
	var body object
	if x.Request.Method == "GET" {
		return nil, false, "the normal form asks for nothing that is kept"
	}
	if err := json.Unmarshal(x.Request.Body, &body); err != nil {
		return nil, false, "the request is no JSON object"
	}
	for name, v := range body {
		if v == nil {
			delete(body, name)
		}
	}
	if n, ok := body["temperature"].(float64); ok && n < 0 {
		return nil, false, "the normal form has no such temperature"
	}
	stream = body["stream"] == true
	url, _, _ := strings.Cut(x.Request.URL, "?")
	switch {
	case strings.HasSuffix(url, "/chat/completions"):
		chat, skip := chatOf(body)
		return object{"chat": chat}, stream, skip
	case strings.HasSuffix(url, "/responses"):
		return responsesIntent(body)
	case strings.HasSuffix(url, "/embeddings"):
		e := object{"input": listOf(body["input"])}
		move(e, body, "model", "dimensions", "output_dimension:dimensions")
		return object{"embedding": e}, false, ""
	case strings.HasSuffix(url, "/completions"):
		code := object{}
		move(code, body, "model", "prompt", "suffix", "max_tokens")
		if list, ok := code["prompt"].([]any); ok && len(list) == 1 {
			code["prompt"] = list[0]
		}
		return object{"code": code}, stream, ""
	case strings.HasSuffix(url, "/audio/speech"), strings.HasSuffix(url, "/tts"):
		speech := object{}
		move(speech, body, "model", "input:text", "text", "voice", "voice_id:voice")
		return object{"speech": speech}, false, ""
	case strings.HasSuffix(url, "/images/generations"), strings.HasSuffix(url, "/images/edits"):
		if stream {
			return nil, false, "the normal form has no pictures that come in pieces"
		}
		image := object{}
		move(image, body, "model", "prompt", "n:count", "size", "quality", "seed", "negative_prompt")
		image["images"] = picturesOf(body["images"])
		return object{"image": image}, false, ""
	case strings.HasSuffix(url, "/rerank"):
		rerank := object{}
		move(rerank, body, "model", "query", "documents", "top_n")
		return object{"rerank": rerank}, false, ""
	}
	return nil, false, noWork(x.Kind)
}

// noWork says why an exchange of a kind has no intent.
func noWork(kind string) string {
	switch kind {
	case "models":
		return "the normal form has no lists of models"
	case "moderation":
		return "the normal form has no moderation"
	case "ocr":
		return "the normal form has no character recognition"
	}
	return "the normal form has no such work"
}

// move copies fields, "a:b" under another name.
func move(to, from object, names ...string) {
	for _, name := range names {
		name, as, renamed := strings.Cut(name, ":")
		if !renamed {
			as = name
		}
		if v, ok := from[name]; ok {
			to[as] = v
		}
	}
}

func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func picturesOf(list any) (parts []any) {
	for _, p := range listOf(list) {
		url, _ := p.(object)["image_url"].(string)
		if url == "" {
			url, _ = p.(object)["url"].(string)
		}
		parts = append(parts, mediaPart(url, ""))
	}
	return parts
}

// mediaPart is a part that lies at a URL, or whose data is the URL.
func mediaPart(url, media string) object {
	head, data, ok := strings.Cut(url, ";base64,")
	if ok && strings.HasPrefix(head, "data:") {
		return object{"media_type": strings.TrimPrefix(head, "data:"), "data": data}
	}
	return object{"media_type": media, "url": url}
}

func chatOf(body object) (chat object, skip string) {
	chat = object{}
	move(chat, body, "model", "temperature", "top_p", "max_tokens", "max_completion_tokens:max_tokens", "seed", "random_seed:seed", "top_k",
		"frequency_penalty", "presence_penalty", "parallel_tool_calls")
	if n, ok := body["max_tokens"].(float64); ok && n < 1 {
		delete(chat, "max_tokens") // LM Studio: no limit
	}
	if stop := listOf(body["stop"]); len(stop) > 0 {
		chat["stop"] = stop
	}
	switch effort, _ := body["reasoning_effort"].(string); effort {
	case "", "default":
	default:
		chat["reasoning"] = object{"effort": effort}
	}
	switch choice := body["tool_choice"].(type) {
	case string:
		chat["tool_choice"] = choice
	case object:
		chat["tool_choice"] = choice["function"].(object)["name"]
	}
	if format, ok := body["response_format"].(object); ok {
		switch schema, _ := format["json_schema"].(object); {
		case schema != nil:
			chat["response_schema"] = schema["schema"]
		case format["type"] == "json_object":
			chat["json_object"] = true
		}
	}
	var tools []any
	for _, tool := range listOf(body["tools"]) {
		f, ok := tool.(object)["function"].(object)
		if !ok {
			return nil, "the normal form has no tools of the provider's own"
		}
		entry := object{}
		move(entry, f, "name", "description", "parameters")
		tools = append(tools, entry)
	}
	if tools != nil {
		chat["tools"] = tools
	}
	var messages []any
	for _, m := range listOf(body["messages"]) {
		message, skip := messageOf(m.(object))
		if skip != "" {
			return nil, skip
		}
		messages = append(messages, message)
	}
	chat["messages"] = messages
	return chat, ""
}

func messageOf(m object) (out object, skip string) {
	out = object{}
	for name, v := range m {
		if v == nil {
			delete(m, name)
		}
	}
	move(out, m, "role", "tool_call_id", "name")
	if out["role"] == "developer" {
		out["role"] = "system"
	}
	if out["role"] == "tool" {
		delete(out, "name") // Mistral's clients repeat the tool's
	}
	var calls []any
	for _, c := range listOf(m["tool_calls"]) {
		f := c.(object)["function"].(object)
		calls = append(calls, object{"id": c.(object)["id"], "name": f["name"], "arguments": f["arguments"]})
	}
	if calls != nil {
		out["tool_calls"] = calls
	}
	var thoughts []any
	for _, name := range []string{"reasoning", "reasoning_content"} {
		if text, _ := m[name].(string); text != "" {
			thoughts = append(thoughts, object{"text": text})
		}
	}
	if text, ok := m["content"].(string); ok {
		out["content"] = text
	}
	var parts []any
	list, _ := m["content"].([]any)
	for _, p := range list {
		part := p.(object)
		switch part["type"] {
		case "text":
			parts = append(parts, object{"media_type": "text/plain", "text": part["text"]})
		case "image_url":
			url, ok := part["image_url"].(string)
			if !ok {
				url, _ = part["image_url"].(object)["url"].(string)
			}
			parts = append(parts, mediaPart(url, "image/png"))
		case "input_audio":
			audio, ok := part["input_audio"].(object)
			if !ok {
				audio = object{"data": part["input_audio"], "format": "wav"}
			}
			parts = append(parts, object{"media_type": map[any]string{"wav": "audio/wav", "mp3": "audio/mpeg"}[audio["format"]], "data": audio["data"]})
		case "file":
			file, _ := part["file"].(object)
			data, ok := file["file_data"].(string)
			if !ok {
				return nil, "the normal form has no files that the provider keeps"
			}
			parts = append(parts, mediaPart(data, "application/pdf"))
		case "document_url":
			parts = append(parts, mediaPart(part["document_url"].(string), "application/pdf"))
		case "thinking":
			for _, piece := range listOf(part["thinking"]) {
				thoughts = append(thoughts, object{"text": piece.(object)["text"]})
			}
		default:
			return nil, fmt.Sprintf("the normal form has no part %v", part["type"])
		}
	}
	if parts != nil {
		out["parts"] = parts
	}
	if thoughts != nil {
		out["thoughts"] = thoughts
	}
	return out, ""
}

// compatibleHello is what an exchange is tried with whose request was not recorded.
func compatibleHello(x *Exchange) map[string]any {
	switch x.Kind {
	case "embeddings":
		var answer struct{ Data []any }
		if json.Unmarshal(x.Response.Body, &answer) != nil || answer.Data == nil {
			answer.Data = []any{nil} // an error
		}
		return object{"embedding": object{"input": make([]string, len(answer.Data))}}
	case "completion":
		return object{"code": object{"prompt": "func main() {"}}
	case "images":
		return object{"image": object{"prompt": "a cat"}}
	case "speech":
		return object{"speech": object{"text": "Hello"}}
	case "transcription":
		return object{"transcription": object{"audio": base64.StdEncoding.EncodeToString([]byte("RIFF")), "media_type": "audio/wav", "words": true}}
	}
	return object{"chat": object{"messages": []any{object{"role": "user", "content": "Hello"}}}}
}
