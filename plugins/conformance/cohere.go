package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/smarthausgroup/caio/plugins/cohere"
)

// Cohere is Cohere's own API, both versions.
func Cohere() Provider {
	return Provider{
		Name: "cohere", Adapter: cohere.Adapter{}, Contract: "cohere.yaml", Evidence: "official specification",
		Settings: func(x *Exchange) map[string]any {
			if cohereFirst(x) {
				return map[string]any{"api": "v1"}
			}
			return nil
		},
		Intent: cohereIntent, Hello: cohereHello, Want: cohereWant,
	}
}

// cohereFirst reports whether an exchange is one of the API's first version.
func cohereFirst(x *Exchange) bool {
	if x.Request != nil {
		return strings.Contains(x.Request.URL, "/v1/")
	}
	return strings.Contains(string(x.Response.Body)+x.Response.Stream, `"generation_id"`)
}

func cohereIntent(x *Exchange) (intent map[string]any, stream bool, skip string) {
	body, err := readTree(x.Request.Body)
	if err != nil {
		return nil, false, "the recorded request cannot be read"
	}
	model := body.get("model").v
	switch x.Kind {
	case "tokenize":
		return nil, false, "the normal form does not tokenize"
	case "completion":
		return nil, false, "the normal form has no completions"
	case "rerank":
		r := map[string]any{"model": model, "query": body.get("query").v, "documents": body.get("documents").v}
		if n := body.get("top_n"); n.there() {
			r["top_n"] = n.v
		}
		return map[string]any{"rerank": r}, false, ""
	case "embeddings":
		e := map[string]any{"model": model, "input": body.get("texts").v}
		if purpose := strings.TrimPrefix(body.get("input_type").text(), "search_"); purpose != "" {
			e["purpose"] = purpose
		}
		if n := body.get("output_dimension"); n.there() {
			e["dimensions"] = n.v
		}
		return map[string]any{"embedding": e}, false, ""
	}
	chat := map[string]any{"model": model}
	for from, to := range map[string]string{
		"temperature": "temperature", "p": "top_p", "k": "top_k", "max_tokens": "max_tokens", "stop_sequences": "stop", "seed": "seed",
		"presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
	} {
		if v := body.get(from); v.there() {
			chat[to] = v.v
		}
	}
	if choice := body.get("tool_choice").text(); choice != "" {
		chat["tool_choice"] = strings.ToLower(choice)
	}
	if thinking := body.get("thinking"); thinking.there() {
		chat["reasoning"] = map[string]any{"effort": map[string]string{"enabled": "high", "disabled": "none"}[thinking.get("type").text()]}
		if n := thinking.get("token_budget"); n.there() {
			chat["reasoning"] = map[string]any{"max_tokens": n.v}
		}
	}
	if format := body.get("response_format"); format.get("json_schema", "schema").there() {
		chat["response_schema"] = format.get("json_schema", "schema").v
	} else if format.get("type").text() == "json_object" {
		chat["json_object"] = true
	}
	var messages, tools []any
	for _, m := range body.get("messages").items() {
		messages = append(messages, cohereMessage(m))
	}
	for _, m := range body.get("chat_history").items() {
		role := map[string]string{"SYSTEM": "system", "USER": "user", "CHATBOT": "assistant"}[strings.ToUpper(m.get("role").text())]
		messages = append(messages, map[string]any{"role": role, "content": m.get("message").text()})
	}
	if text := body.get("message").text(); text != "" {
		messages = append(messages, map[string]any{"role": "user", "content": text})
	}
	for _, t := range body.get("tools").items() {
		f := t.get("function")
		if !f.there() {
			f = tree{map[string]any{"name": t.get("name").v, "description": t.get("description").v, "parameters": cohereSchema(t)}}
		}
		tools = append(tools, map[string]any{"name": f.get("name").text(), "description": f.get("description").text(), "parameters": f.get("parameters").v})
	}
	chat["messages"] = messages
	if tools != nil {
		chat["tools"] = tools
	}
	return map[string]any{"chat": chat}, body.get("stream").v == true, ""
}

// cohereSchema makes a JSON Schema of the first version's parameter_definitions.
func cohereSchema(tool tree) map[string]any {
	properties, required := map[string]any{}, []any{}
	for name, v := range tool.get("parameter_definitions").fields() {
		d := tree{v}
		properties[name] = map[string]any{
			"type":        map[string]string{"str": "string", "int": "integer", "float": "number", "bool": "boolean"}[d.get("type").text()],
			"description": d.get("description").text(),
		}
		if d.get("required").v == true {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

func cohereMessage(m tree) map[string]any {
	out := map[string]any{"role": m.get("role").text()}
	if id := m.get("tool_call_id").text(); id != "" {
		out["tool_call_id"] = id
	}
	if text, ok := m.get("content").v.(string); ok {
		out["content"] = text
	}
	var parts, thoughts, calls []any
	if plan := m.get("tool_plan").text(); plan != "" {
		thoughts = append(thoughts, map[string]any{"text": plan})
	}
	for _, p := range m.get("content").items() {
		switch p.get("type").text() {
		case "thinking":
			thoughts = append(thoughts, map[string]any{"text": p.get("thinking").text()})
		case "image_url":
			parts = append(parts, map[string]any{"url": p.get("image_url").get("url").text()})
		case "document":
			parts = append(parts, map[string]any{"text": p.get("document").json()})
		default:
			parts = append(parts, map[string]any{"text": p.get("text").text()})
		}
	}
	for _, c := range m.get("tool_calls").items() {
		f := c.get("function")
		calls = append(calls, map[string]any{"id": c.get("id").text(), "name": f.get("name").text(), "arguments": f.get("arguments").text()})
	}
	for name, list := range map[string][]any{"parts": parts, "thoughts": thoughts, "tool_calls": calls} {
		if list != nil {
			out[name] = list
		}
	}
	return out
}

// cohereHello asks for what an answer without a request answers.
func cohereHello(x *Exchange) map[string]any {
	body, _ := readTree(x.Response.Body)
	list := func(n int) (texts []any) {
		for range max(1, n) {
			texts = append(texts, "Hello")
		}
		return texts
	}
	switch x.Kind {
	case "embeddings":
		vectors := body.get("embeddings")
		if v := vectors.get("float"); v.there() {
			vectors = v
		}
		return map[string]any{"embedding": map[string]any{"input": list(len(vectors.items()))}}
	case "rerank":
		return map[string]any{"rerank": map[string]any{"model": "rerank-v3.5", "query": "Hello", "documents": list(100)}}
	}
	return map[string]any{"chat": map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Hello"}}}}
}

func cohereWant(x *Exchange) (*Want, string, error) {
	switch {
	case x.Kind == "tokenize":
		return nil, "the normal form does not tokenize", nil
	case x.Kind == "completion":
		return nil, "the normal form has no completions", nil
	case x.Response.Status >= 300:
		body, err := readTree(x.Response.Body)
		reason := map[int]string{401: "bad_key", 404: "model_not_found", 429: "rate_limited", 400: "bad_request"}[x.Response.Status]
		if body.get("error_type").text() == "TOO_MANY_TOKENS" {
			reason = "context_too_long"
		}
		return &Want{Fail: true, Reason: reason}, "", err
	case x.Response.Stream != "" && cohereFirst(x):
		return cohereStream1(x)
	case x.Response.Stream != "":
		return cohereStream(x)
	}
	body, err := readTree(x.Response.Body)
	if err != nil {
		return nil, "", err
	}
	w := &Want{}
	switch {
	case x.Kind == "embeddings":
		vectors := body.get("embeddings")
		if v := vectors.get("float"); v.there() {
			vectors = v
		}
		for _, v := range vectors.items() {
			w.Vectors = append(w.Vectors, v.floats())
		}
		w.Usage = &Usage{Input: body.get("meta").get("billed_units").get("input_tokens").int()}
	case x.Kind == "rerank":
		for _, v := range body.get("results").items() {
			score, _ := v.get("relevance_score").v.(float64)
			w.Ranked = append(w.Ranked, Rank{int(v.get("index").int()), score})
		}
		w.Other = func(result map[string]any) error {
			if got := (tree{result}).get("usage").get("units").int(); got != body.get("meta").get("billed_units").get("search_units").int() {
				return fmt.Errorf("usage.units is %d", got)
			}
			return nil
		}
	case cohereFirst(x):
		return w, "", w.cohereAnswer1(x.Response.Body)
	default:
		m := body.get("message")
		w.Thought = m.get("tool_plan").text()
		for _, p := range m.get("content").items() {
			w.Thought += p.get("thinking").text()
			w.Text += p.get("text").text()
		}
		for _, c := range m.get("tool_calls").items() {
			w.Calls = append(w.Calls, Call{ID: c.get("id").text(), Name: c.get("function").get("name").text(), Arguments: c.get("function").get("arguments").text()})
		}
		w.cohereEnd(body.get("finish_reason").text(), body.get("usage"))
		w.Other = citations(len(m.get("citations").items()))
	}
	return w, "", nil
}

// citations returns a check of how many citations the metadata hold.
func citations(want int) func(map[string]any) error {
	return func(result map[string]any) error {
		if got := len((tree{result}).get("metadata").get("citations").items()); got != want {
			return fmt.Errorf("metadata hold %d citations, want %d", got, want)
		}
		return nil
	}
}

// cohereEnd takes a finish reason and usage.
func (w *Want) cohereEnd(reason string, usage tree) {
	w.Finish = map[string]string{"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}[reason]
	if len(w.Calls) > 0 {
		w.Finish = "tool_calls"
	}
	tokens := usage.get("tokens")
	if !tokens.there() {
		tokens = usage.get("billed_units")
	}
	if tokens.there() {
		w.Usage = &Usage{tokens.get("input_tokens").int(), tokens.get("output_tokens").int(), usage.get("cached_tokens").int(), tokens.get("reasoning_tokens").int()}
	}
}

// cohereAnswer1 reads an answer of the first version.
func (w *Want) cohereAnswer1(raw []byte) error {
	var calls struct { // whose parameters keep their very characters
		ToolCalls []struct {
			Name       string
			Parameters json.RawMessage
		} `json:"tool_calls"`
	}
	body, err := readTree(raw)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &calls); err != nil {
		return err
	}
	id := body.get("response_id", "generation_id").text()
	for i, c := range calls.ToolCalls {
		w.Calls = append(w.Calls, Call{ID: fmt.Sprintf("cohere_%s_%d", id, i), Name: c.Name, Arguments: string(c.Parameters)})
	}
	w.Text = body.get("text").text()
	w.cohereEnd(body.get("finish_reason").text(), body.get("meta"))
	return nil
}

func cohereStream(x *Exchange) (*Want, string, error) {
	w := &Want{}
	cited := 0
	for _, raw := range frames(x.Response.Stream) {
		v, err := readTree(raw)
		if err != nil {
			return nil, "", err
		}
		if v.get("event").there() {
			v = v.get("data")
		}
		m := v.get("delta").get("message")
		w.Text += m.get("content").get("text").text()
		w.Thought += m.get("content").get("thinking").text() + m.get("tool_plan").text()
		switch v.get("type").text() {
		case "tool-call-start":
			f := m.get("tool_calls").get("function")
			w.Calls = append(w.Calls, Call{ID: m.get("tool_calls").get("id").text(), Name: f.get("name").text(), Arguments: f.get("arguments").text()})
		case "tool-call-delta":
			w.Calls[v.get("index").int()].Arguments += m.get("tool_calls").get("function").get("arguments").text()
		case "citation-start":
			cited++
		case "message-end":
			w.cohereEnd(v.get("delta").get("finish_reason").text(), v.get("delta").get("usage"))
		}
	}
	w.Other = citations(cited)
	return w, "", nil
}

func cohereStream1(x *Exchange) (*Want, string, error) {
	w := &Want{}
	text := ""
	for _, raw := range frames(x.Response.Stream) {
		var v struct {
			Type     string `json:"event_type"`
			Text     string
			Response json.RawMessage
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, "", err
		}
		switch v.Type {
		case "text-generation":
			text += v.Text
		case "stream-end":
			if err := w.cohereAnswer1(v.Response); err != nil {
				return nil, "", err
			}
		}
	}
	w.Text = text
	return w, "", nil
}
