package cohere

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// whole reads an answer that came at once.
func (s *state) whole(doc []byte) (adapter.Reply, error) {
	body, err := json.Parse(doc)
	switch {
	case err != nil:
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	case body.Get("error").Exists():
		return adapter.Reply{}, normal.ErrorInside(body)
	case s.kind == "embedding":
		return s.vectors(body)
	case s.kind == "rerank":
		return s.ranked(body)
	case s.kind == "transcription":
		return s.transcript(body)
	case s.first:
		return s.whole1(body)
	}
	m := body.Get("message")
	if m.Kind() != json.Object {
		return adapter.Reply{}, normal.Nonsense("has no message")
	}
	s.answer.ID = body.Get("id").Text()
	s.answer.Think(m.Get("tool_plan").Text())
	s.say(m.Get("content"))
	for call := range m.Get("tool_calls").Items() {
		s.call(call, uint32(len(s.answer.Calls)))
	}
	s.cite(m.Get("citations"))
	s.count(body.Get("usage"))
	return s.done(s.end(body.Get("finish_reason").Text(), ""))
}

// say adds content: a text, a part, or parts.
func (s *state) say(v json.Value) {
	switch v.Kind() {
	case json.String:
		s.answer.Say(v.Text())
	case json.Object:
		s.answer.Think(v.Get("thinking").Text())
		s.answer.Say(v.Get("text").Text())
	case json.Array:
		for part := range v.Items() {
			s.say(part)
		}
	}
}

// call adds a call, or a piece of one.
func (s *state) call(v json.Value, index uint32) {
	f := v.Get("function")
	s.answer.Call(normal.ToolCall{Index: index, ID: v.Get("id").Text(), Name: f.Get("name").Text(), Arguments: []byte(f.Get("arguments").Text())})
}

// cite adds a citation, or a list of them, to those of the metadata.
func (s *state) cite(v json.Value) {
	if v.Empty() {
		return
	}
	var w json.Writer
	w.Begin('[')
	for _, f := range s.answer.Metadata {
		if f.Name == "citations" {
			for before := range f.Value.Items() {
				w.Raw(before)
			}
		}
	}
	if v.Kind() == json.Array {
		for one := range v.Items() {
			w.Raw(one)
		}
	} else {
		w.Raw(v)
	}
	w.End(']')
	s.answer.Note("citations", w.Bytes())
}

// count reads usage, or the meta that has it elsewhere.
func (s *state) count(v json.Value) {
	tokens, billed := v.Get("tokens"), v.Get("billed_units")
	u := &s.answer.Usage
	in, okIn := normal.Count(tokens.Get("input_tokens"), billed.Get("input_tokens"))
	out, okOut := normal.Count(tokens.Get("output_tokens"), billed.Get("output_tokens"))
	units, okUnits := normal.Count(billed.Get("search_units"))
	if okIn || okOut || okUnits {
		u.Known, u.In, u.Out, u.Units = true, in, out, units
		u.Cached, _ = normal.Count(v.Get("cached_tokens"))
		u.Reasoning, _ = normal.Count(tokens.Get("reasoning_tokens"))
	}
	if !billed.Empty() {
		s.answer.Note("billed_units", billed)
	}
}

// end takes the finish reason; the error is that the provider says that it has no answer.
func (s *state) end(reason, said string) error {
	a := &s.answer
	switch reason {
	case "COMPLETE", "STOP_SEQUENCE":
		a.Finish = "stop"
	case "TOOL_CALL":
		a.Finish = "tool_calls"
	case "MAX_TOKENS", "ERROR_LIMIT":
		a.Finish = "length"
	case "ERROR_TOXIC":
		a.Finish = "content_filter"
	case "ERROR":
		return &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the provider could not end its answer: ERROR " + normal.Clip(said), Retryable: true}
	case "TIMEOUT":
		return &adapter.Failure{Code: adapter.Timeout, Message: "the provider took too long to end its answer: TIMEOUT", Retryable: true}
	default:
		a.Finish = reason
	}
	if a.Finish == "stop" && len(a.Calls) > 0 {
		a.Finish = "tool_calls" // the first version calls that COMPLETE
	}
	return nil
}

// done is the reply with an answer that came at once.
func (s *state) done(err error) (adapter.Reply, error) {
	return adapter.Do(adapter.Done(s.answer.Chat())), err
}

// frame takes one event of a stream, and reports whether it was the last.
func (s *state) frame(raw []byte) (over bool, err error) {
	data := strings.TrimSpace(string(raw))
	if s.first {
		if strings.HasPrefix(data, "event:") {
			data = ""
		}
		data = strings.TrimSpace(strings.TrimPrefix(data, "data:"))
	}
	if data == "" || data == "[DONE]" { // whether the answer is over was said before that
		return false, nil
	}
	v, err := json.Parse([]byte(data))
	if err != nil {
		return false, normal.Nonsense("has a frame that is " + err.Error())
	}
	if inner := v.Get("data"); inner.Kind() == json.Object && !v.Get("type").Exists() {
		v = inner // as the specification's examples have it
	}
	switch {
	case v.Get("error").Exists(), !v.Get("type").Exists() && !v.Get("event_type").Exists() && v.Get("message").Exists():
		return false, normal.ErrorInside(v)
	case s.first:
		return s.event1(v)
	}
	return s.event(v)
}

// event takes one event of the second version, and reports whether it was the last.
func (s *state) event(v json.Value) (over bool, err error) {
	delta := v.Get("delta")
	m := delta.Get("message")
	index, _ := v.Get("index").Int()
	switch v.Get("type").Text() {
	case "message-start":
		s.answer.ID = v.Get("id").Text()
	case "content-start", "content-delta":
		s.say(m.Get("content"))
	case "tool-plan-delta":
		s.answer.Think(m.Get("tool_plan").Text())
	case "tool-call-start", "tool-call-delta":
		s.call(m.Get("tool_calls"), uint32(max(index, 0)))
	case "citation-start":
		s.cite(m.Get("citations"))
	case "message-end":
		s.count(delta.Get("usage"))
		said := delta.Get("error").Text()
		reason := delta.Get("finish_reason").Text()
		if reason == "" && said != "" {
			reason = "ERROR"
		}
		return true, s.end(reason, said)
	}
	return false, nil // the ends of parts, and what may come yet
}

// whole1 reads an answer of the first version.
func (s *state) whole1(body json.Value) (adapter.Reply, error) {
	if !body.Get("text").Exists() && !body.Get("tool_calls").Exists() {
		return adapter.Reply{}, normal.Nonsense("has no text")
	}
	s.name1(body)
	s.answer.Say(body.Get("text").Text())
	s.calls1(body.Get("tool_calls"))
	s.cite(body.Get("citations"))
	s.count(body.Get("meta"))
	return s.done(s.end(body.Get("finish_reason").Text(), ""))
}

// name1 takes the answer's name; both come, the first only at the end of a stream.
func (s *state) name1(v json.Value) {
	for _, name := range [...]string{"response_id", "generation_id"} {
		if id := v.Get(name).Text(); id != "" && s.answer.ID == "" {
			s.answer.ID = id
		}
	}
}

// calls1 adds the calls that have not come in pieces.
func (s *state) calls1(list json.Value) {
	i := 0
	for call := range list.Items() {
		if i >= len(s.answer.Calls) {
			arguments := call.Get("parameters")
			if !arguments.Exists() {
				arguments = json.Value("{}")
			}
			s.answer.Call(normal.ToolCall{Index: uint32(i), ID: s.callID(i), Name: call.Get("name").Text(), Arguments: arguments})
		}
		i++
	}
}

func (s *state) callID(i int) string { return "cohere_" + s.answer.ID + "_" + strconv.Itoa(i) }

// event1 takes one event of the first version, and reports whether it was the last.
func (s *state) event1(v json.Value) (over bool, err error) {
	switch v.Get("event_type").Text() {
	case "stream-start":
		s.name1(v)
	case "text-generation":
		s.answer.Say(v.Get("text").Text())
	case "citation-generation":
		s.cite(v.Get("citations"))
	case "tool-calls-chunk":
		s.answer.Say(v.Get("text").Text())
		if piece := v.Get("tool_call_delta"); piece.Exists() {
			s.answer.Say(piece.Get("text").Text())
			i, _ := piece.Get("index").Int()
			i = max(i, 0)
			if name, arguments := piece.Get("name").Text(), piece.Get("parameters").Text(); name != "" || arguments != "" {
				call := normal.ToolCall{Index: uint32(i), Name: name, Arguments: []byte(arguments)}
				if int(i) >= len(s.answer.Calls) {
					call.ID = s.callID(int(i))
				}
				s.answer.Call(call)
			}
		}
	case "tool-calls-generation":
		if len(s.answer.Text) == 0 {
			s.answer.Say(v.Get("text").Text())
		}
		s.calls1(v.Get("tool_calls"))
	case "stream-end":
		response := v.Get("response")
		s.name1(response)
		if len(s.answer.Text) == 0 {
			s.answer.Say(response.Get("text").Text())
		}
		s.calls1(response.Get("tool_calls"))
		s.count(response.Get("meta"))
		reason := v.Get("finish_reason").Text()
		if reason == "" {
			reason = response.Get("finish_reason").Text()
		}
		return true, s.end(reason, "")
	}
	return false, nil
}
