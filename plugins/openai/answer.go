package openai

import (
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// answer reads a 2xx: a stream's head, or the whole. before is the state as it came.
func (s *state) answer(before []byte, ev *adapter.Event) (adapter.Reply, error) {
	if s.kind == kindChat && s.stream {
		return adapter.Reply{State: before}, nil
	}
	body, err := json.Parse(ev.Body)
	if err != nil {
		return adapter.Reply{}, nonsense("is " + err.Error())
	}
	if body.Get("error").Exists() {
		return adapter.Reply{}, errorInside(body)
	}
	if s.kind == kindEmbedding {
		return s.vectors(body)
	}
	choice := body.Pointer("/choices/0")
	if choice.Kind() != json.Object {
		return adapter.Reply{}, nonsense("has no choices")
	}
	s.model = body.Get("model").Text()
	s.count(body.Get("usage"))
	s.finish = finishReason(choice.Get("finish_reason"))
	s.take(choice.Get("message"))
	return adapter.Do(adapter.Done(s.result())), nil
}

// take reads a whole message.
func (s *state) take(message json.Value) {
	s.text = append(s.text, texts(message.Get("content"))...)
	s.refusal = append(s.refusal, message.Get("refusal").Text()...)
	s.reasoning = append(s.reasoning, reasoning(message)...)
	for call := range message.Get("tool_calls").Items() {
		function := call.Get("function")
		s.calls = append(s.calls, toolCall{
			index: uint32(len(s.calls)), id: call.Get("id").Text(), name: function.Get("name").Text(), arguments: arguments(function.Get("arguments")),
		})
	}
}

// texts reads content, which some servers send in parts; parts that are no text, such as thoughts, are not the answer.
func texts(content json.Value) string {
	if content.Kind() != json.Array {
		return content.Text()
	}
	var all string
	for part := range content.Items() {
		all += part.Get("text").Text()
	}
	return all
}

// reasoning reads what a model thought, under the names servers have for it.
func reasoning(message json.Value) string {
	if said := message.Get("reasoning_content"); said.Kind() == json.String {
		return said.Text()
	}
	return message.Get("reasoning").Text()
}

// arguments reads a call's arguments, which are JSON as text; some servers send the JSON itself.
func arguments(v json.Value) []byte {
	if v.Kind() == json.String {
		return []byte(v.Text())
	}
	if v.Exists() {
		return v
	}
	return nil
}

func finishReason(v json.Value) string {
	if v.Text() == "function_call" { // the name before there were several
		return "tool_calls"
	}
	return v.Text()
}

// count reads usage; null and absent leave it unknown.
func (s *state) count(v json.Value) {
	in, okIn := v.Get("prompt_tokens").Int()
	out, okOut := v.Get("completion_tokens").Int()
	if okIn || okOut {
		s.usage = usage{true, tokens(in), tokens(out)}
	}
}

// tokens bounds a count to what the result can hold.
func tokens(n int64) uint32 { return uint32(min(max(n, 0), 1<<31-1)) }

// result writes what has come as a Result.
func (s *state) result() []byte {
	text := s.text
	if len(text) == 0 {
		text = s.refusal
	}
	var w json.Writer
	w.Begin('{')
	w.Key("chat")
	w.Begin('{')
	w.Key("message")
	w.Begin('{')
	w.Key("role")
	w.String("assistant")
	w.Key("content")
	w.String(string(text))
	if len(s.calls) > 0 {
		w.Key("tool_calls")
		w.Begin('[')
		for i := range s.calls {
			s.calls[i].write(&w, false)
		}
		w.End(']')
	}
	w.End('}')
	w.Key("finish_reason")
	w.String(s.finish)
	w.End('}')
	if len(s.refusal) > 0 || len(s.reasoning) > 0 {
		w.Key("metadata")
		w.Begin('{')
		if len(s.refusal) > 0 {
			w.Key("refusal")
			w.Bool(true)
		}
		if len(s.reasoning) > 0 {
			w.Key("reasoning")
			w.String(string(s.reasoning))
		}
		w.End('}')
	}
	s.tail(&w)
	return w.Bytes()
}

// tail ends a result with usage and model.
func (s *state) tail(w *json.Writer) {
	if s.usage.known {
		w.Key("usage")
		w.Begin('{')
		w.Key("input_tokens")
		w.Int(int64(s.usage.in))
		w.Key("output_tokens")
		w.Int(int64(s.usage.out))
		w.End('}')
	}
	if s.model != "" {
		w.Key("model")
		w.String(s.model)
	}
	w.End('}')
}

// write writes a call; in a piece of a stream with its index, and without what did not come.
func (c *toolCall) write(w *json.Writer, piece bool) {
	w.Begin('{')
	if piece {
		w.Key("index")
		w.Int(int64(c.index))
	}
	for _, field := range [...]struct{ name, value string }{{"id", c.id}, {"name", c.name}, {"arguments", string(c.arguments)}} {
		if !piece || field.value != "" {
			w.Key(field.name)
			w.String(field.value)
		}
	}
	w.End('}')
}

func nonsense(what string) error {
	return &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the provider's answer " + what, Retryable: true}
}

// errorInside is an error that came with a 200.
func errorInside(body json.Value) error {
	said, code := complaint(body)
	if strings.Contains(said+code, "ontent_filter") || strings.Contains(code, "content_policy") {
		return &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the provider's content filter refused: " + said}
	}
	return &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the provider answered with an error: " + said, Retryable: true}
}

// refusal maps an answer that is no 2xx.
func refusal(status int, body []byte) error {
	var said, code string
	if v, err := json.Parse(body); err == nil {
		said, code = complaint(v)
	}
	f := adapter.StatusFailure(status, said)
	switch {
	case code == "context_length_exceeded" || code == "string_above_max_length" || strings.Contains(said, "maximum context length") || strings.Contains(said, "context window"):
		// Another service may hold more.
		f.Message, f.Retryable = "the conversation is too long for the model, status "+itoa(status)+": "+said, true
	case code == "unsupported_parameter" || code == "unsupported_value" || code == "model_not_found":
		f.Retryable = true
	case code == "insufficient_quota":
		f.Message = "the provider's account is out of credit, status " + itoa(status)
	case strings.HasPrefix(code, "content_filter") || code == "content_policy_violation":
		f.Message, f.Retryable = "the provider's content filter refused, status "+itoa(status)+": "+said, false
	}
	return f
}

// complaint finds what an error body says, in the forms that servers use: {"error":{"message","code"}}, {"error":"..."},
// {"message"}, {"detail"}, or any of them as the first of a list.
func complaint(v json.Value) (said, code string) {
	if v.Kind() == json.Array {
		v = v.Pointer("/0")
	}
	e := v.Get("error")
	if e.Kind() == json.String {
		return clip(e.Text()), ""
	}
	if e.Kind() != json.Object {
		e = v
	}
	said = e.Get("message").Text()
	if said == "" {
		said = v.Get("detail").Text()
	}
	if code = e.Get("code").Text(); code == "" {
		code = e.Get("type").Text()
	}
	return clip(said), code
}
