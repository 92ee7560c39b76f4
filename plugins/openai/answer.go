package openai

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// answer reads a 2xx: a stream's head, or the whole. before is the state as it came.
func (s *state) answer(d *Dialect, before []byte, ev *adapter.Event) (adapter.Reply, error) {
	if s.stream {
		return adapter.Reply{State: before}, nil
	}
	if s.kind == "speech" && d.Speech.Audio == "" {
		return s.spoken(ev)
	}
	body, err := json.Parse(ev.Body)
	if err != nil && s.kind == "transcription" && len(ev.Body) > 0 {
		body, err = json.AppendString(nil, string(ev.Body)), nil // it may be asked for as text
	}
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	var buf [16]json.Member
	fields := body.Members(buf[:0])
	if failed(fields) {
		return adapter.Reply{}, normal.ErrorInside(body)
	}
	if s.kind == "chat" && (s.responses || body.Get("object").Text() == "response") {
		return s.response(d, body)
	}
	s.head(d, fields)
	switch s.kind {
	case "embedding":
		return s.vectors(d, body)
	case "rerank":
		return s.ranked(body)
	case "search":
		return s.found(body)
	case "speech":
		return s.spokenJSON(d, body)
	case "transcription":
		return s.written(body)
	case "image":
		return s.drawn(body)
	}
	if body.Get("completion_message").Exists() {
		return s.completed(body)
	}
	choice := body.Pointer("/choices/0")
	if choice.Kind() != json.Object {
		return adapter.Reply{}, normal.Nonsense("has no choices")
	}
	s.take(choice.Get("message").Members(nil))
	s.Say(choice.Get("text").Text()) // of code
	return s.finished(choice.Get("finish_reason"))
}

// failed reports whether a body that came with a 200 is an error.
func failed(body json.Members) bool {
	return !body.Get("error").Empty() || body.Get("object").Text() == "error"
}

// head reads what stands beside the choices, in a whole answer and in a piece of a stream.
func (s *state) head(d *Dialect, body json.Members) {
	if model := body.Get("model").Text(); model != "" {
		s.Model = model
	}
	if id := body.Get("id").Text(); id != "" {
		s.ID = id
	}
	s.count(d, body)
	for _, note := range d.Notes {
		if v := body.Get(note); !v.Empty() {
			s.Note(note, v)
		}
	}
}

// finished ends with the result, where there is one.
func (s *state) finished(reason json.Value) (adapter.Reply, error) {
	if s.Finish = finish(reason.Text()); s.Finish == "error" {
		return adapter.Reply{}, normal.BrokeOff("its finish_reason is error")
	}
	return adapter.Do(s.result()), nil
}

// result ends with what came of a chat, or of code.
func (s *state) result() adapter.Action {
	if s.kind == "code" {
		return adapter.Done(s.Code(string(s.Text)))
	}
	return adapter.Done(s.Chat())
}

// take reads a message, or a piece of one.
func (s *state) take(m json.Members) {
	for _, name := range [...]string{"reasoning_content", "reasoning"} { // servers that have both say the same in both
		if thought := m.Get(name).Text(); thought != "" {
			s.Think(thought)
			break
		}
	}
	s.content(m.Get("content"))
	if refusal := m.Get("refusal").Text(); refusal != "" {
		s.Refuse(refusal)
	}
	for call := range m.Get("tool_calls").Items() {
		function := call.Get("function")
		s.Call(normal.ToolCall{
			Index: s.place(call), ID: call.Get("id").Text(), Name: function.Get("name").Text(),
			Arguments: arguments(function.Get("arguments")),
		})
	}
}

// content reads text, which some servers send in parts, with thoughts among them.
func (s *state) content(content json.Value) {
	if text := content.Text(); text != "" {
		s.Say(text)
	}
	for part := range content.Items() {
		if thinking := part.Get("thinking"); thinking.Exists() {
			s.Think(thinking.Text())
			for piece := range thinking.Items() {
				s.Think(piece.Get("text").Text())
			}
			continue
		}
		s.Say(part.Get("text").Text())
	}
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

// finish returns a finish reason in the normal form.
func finish(word string) string {
	switch strings.ToLower(word) {
	case "eos", "eos_token", "stop_sequence", "end_turn":
		return "stop"
	case "function_call", "tool_use":
		return "tool_calls"
	case "model_length", "max_tokens", "max_output_tokens":
		return "length"
	}
	return word
}

// count reads usage; null and absent leave it unknown. Servers have several places for some counts.
func (s *state) count(d *Dialect, body json.Members) {
	v := body.Get("usage")
	if v.Kind() != json.Object {
		v = body.Pointer("/x_groq/usage")
	}
	cost, paid := body.Pointer(d.Cost).Float()
	if v.Kind() != json.Object && !paid {
		return
	}
	in, okIn := normal.Count(v.Get("prompt_tokens"), v.Get("input_tokens"))
	out, okOut := normal.Count(v.Get("completion_tokens"), v.Get("output_tokens"))
	if !okIn && !okOut && !paid {
		return
	}
	cached, _ := normal.Count(v.Pointer("/prompt_tokens_details/cached_tokens"), v.Pointer("/input_tokens_details/cached_tokens"),
		v.Get("num_cached_tokens"), v.Get("cached_tokens"), v.Get("prompt_cache_hit_tokens"))
	thought, _ := normal.Count(v.Pointer("/completion_tokens_details/reasoning_tokens"), v.Pointer("/output_tokens_details/reasoning_tokens"),
		v.Get("reasoning_tokens"))
	if total, ok := v.Get("total_tokens").Int(); ok && thought > 0 && total == in+out+thought {
		out += thought // they were counted beside those of the answer, not among them
	}
	s.Usage.CacheWrite, _ = normal.Count(v.Pointer("/input_tokens_details/cache_write_tokens"),
		v.Pointer("/prompt_tokens_details/cache_write_tokens"))
	s.Usage.Known, s.Usage.In, s.Usage.Out, s.Usage.Cached, s.Usage.Reasoning = true, in, out, cached, thought
	if paid && d.Cost != "" {
		s.Usage.Cost = cost * d.CostUnit
	}
}
