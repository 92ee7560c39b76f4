package ollama

import (
	"strconv"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// whole reads an answer that did not come as a stream.
func (s *state) whole(body []byte) (adapter.Reply, error) {
	v, err := parse(body, "is ")
	if err != nil {
		return adapter.Reply{}, err
	}
	if s.kind == "embedding" {
		return s.vectors(v)
	}
	if v.Get("message").Kind() != json.Object && v.Get("response").Kind() != json.String {
		return adapter.Reply{}, normal.Nonsense("has neither message nor response")
	}
	s.take(v)
	return s.done()
}

// frame takes one line of a stream.
func (s *state) frame(line []byte) (adapter.Reply, error) {
	v, err := parse(line, "has a line that is ")
	if err != nil {
		return adapter.Reply{}, err
	}
	s.take(v)
	if v.Get("done").True() {
		return s.done()
	}
	emits := s.answer.Emits()
	return adapter.Reply{State: s.bytes(), Actions: emits}, nil
}

// end is reached only by a stream whose last line did not say that it was done.
func (s *state) end() (adapter.Reply, error) {
	return adapter.Reply{}, normal.BrokeOff(`no line said "done": true`)
}

// take reads a piece of an answer; one that is whole is one piece.
func (s *state) take(v json.Value) {
	a := &s.answer
	if model := v.Get("model").Text(); model != "" {
		a.Model = model
	}
	message := v.Get("message")
	a.Think(v.Get("thinking").Text())
	a.Think(message.Get("thinking").Text())
	a.Say(v.Get("response").Text())
	a.Say(message.Get("content").Text())
	for c := range message.Get("tool_calls").Items() {
		// Calls come whole, and what some servers number them by is always 0.
		function, place := c.Get("function"), len(a.Calls)
		id := c.Get("id").Text()
		if id == "" {
			id = "call_" + strconv.Itoa(place) // something that the tool's message can name
		}
		a.Call(normal.ToolCall{Index: uint32(place), ID: id, Name: function.Get("name").Text(), Arguments: arguments(function.Get("arguments"))})
	}
	if reason := v.Get("done_reason").Text(); reason != "" {
		a.Finish = reason
	}
	s.count(v)
}

// arguments returns a call's arguments as JSON text; some models' come as text already.
func arguments(v json.Value) []byte {
	if v.Kind() == json.String {
		return []byte(v.Text())
	}
	if !v.Exists() {
		return []byte("{}")
	}
	return v
}

// count reads usage. A prompt that lay in the server's cache was counted as nothing by old servers; it stays 0.
func (s *state) count(v json.Value) {
	in, okIn := v.Get("prompt_eval_count").Int()
	out, okOut := v.Get("eval_count").Int()
	if okIn || okOut {
		s.answer.Usage = normal.Usage{Known: true, In: in, Out: out}
	}
}

func (s *state) done() (adapter.Reply, error) {
	if len(s.answer.Calls) > 0 && (s.answer.Finish == "" || s.answer.Finish == "stop") {
		s.answer.Finish = "tool_calls"
	}
	if s.kind == "code" {
		return s.answer.DoneCode()
	}
	return s.answer.Done()
}

// vectors reads one vector for each text. The path that embed replaced answers with a single one.
func (s *state) vectors(v json.Value) (adapter.Reply, error) {
	var list []json.Value
	add := func(vector json.Value) error {
		numbers, err := normal.Floats(vector)
		list = append(list, numbers)
		return err
	}
	for vector := range v.Get("embeddings").Items() {
		if err := add(vector); err != nil {
			return adapter.Reply{}, err
		}
	}
	if one := v.Get("embedding"); list == nil && one.Exists() {
		if err := add(one); err != nil {
			return adapter.Reply{}, err
		}
	}
	if len(list) != int(s.inputs) {
		return adapter.Reply{}, normal.Nonsense("has " + strconv.Itoa(len(list)) + " vectors for " + strconv.Itoa(int(s.inputs)) + " texts")
	}
	s.answer.Model = v.Get("model").Text()
	s.count(v)
	return adapter.Do(adapter.Done(s.answer.Vectors(list))), nil
}
