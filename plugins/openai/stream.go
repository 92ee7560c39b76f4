package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// frame takes one piece of a stream.
func (s *state) frame(ev *adapter.Event) (adapter.Reply, error) {
	switch strings.TrimSpace(string(ev.Data)) {
	case "": // a sign of life
		return adapter.Reply{State: s.bytes()}, nil
	case "[DONE]":
		s.done = true
		return s.end()
	}
	chunk, err := json.Parse(ev.Data)
	if err != nil {
		return adapter.Reply{}, nonsense("has a frame that is " + err.Error())
	}
	if chunk.Get("error").Exists() || ev.Name == "error" {
		return adapter.Reply{}, errorInside(chunk)
	}
	if model := chunk.Get("model").Text(); model != "" {
		s.model = model
	}
	s.count(chunk.Get("usage"))
	var emits []adapter.Action
	for choice := range chunk.Get("choices").Items() {
		if index, ok := choice.Get("index").Int(); ok && index != 0 {
			continue // one was asked for
		}
		s.begun = true
		emits = s.piece(emits, choice.Get("delta"))
		if reason := finishReason(choice.Get("finish_reason")); reason != "" {
			s.finish = reason
		}
	}
	return adapter.Reply{State: s.bytes(), Actions: emits}, nil
}

// piece adds a delta to what has come, and hands on what is new in it.
func (s *state) piece(emits []adapter.Action, delta json.Value) []adapter.Action {
	said := texts(delta.Get("content"))
	s.text = append(s.text, said...)
	refused := delta.Get("refusal").Text()
	s.refusal = append(s.refusal, refused...)
	if said == "" && len(s.text) == 0 {
		said = refused // which is the text, then; see result
	}
	s.reasoning = append(s.reasoning, reasoning(delta)...)
	if said != "" {
		var w json.Writer
		w.Begin('{')
		w.Key("text")
		w.String(said)
		w.End('}')
		emits = append(emits, adapter.Emit(w.Bytes()))
	}
	if calls := delta.Get("tool_calls"); calls.Kind() == json.Array && !calls.Empty() {
		emits = append(emits, adapter.Emit(s.callPieces(calls)))
	}
	return emits
}

// callPieces adds pieces of tool calls, and returns them as a delta.
func (s *state) callPieces(calls json.Value) []byte {
	var w json.Writer
	w.Begin('{')
	w.Key("data")
	w.Begin('{')
	w.Key("tool_calls")
	w.Begin('[')
	for call := range calls.Items() {
		function := call.Get("function")
		piece := toolCall{
			index: s.callIndex(call), id: call.Get("id").Text(), name: function.Get("name").Text(), arguments: arguments(function.Get("arguments")),
		}
		piece.write(&w, true)
		s.merge(piece)
	}
	w.End(']')
	w.End('}')
	w.End('}')
	return w.Bytes()
}

// callIndex tells which call a piece belongs to. Servers that leave the index out send whole calls, each with an id.
func (s *state) callIndex(call json.Value) uint32 {
	if index, ok := call.Get("index").Int(); ok && index >= 0 && index < 1<<16 {
		return uint32(index)
	}
	id := call.Get("id").Text()
	for i := range s.calls {
		if id == "" && i == len(s.calls)-1 || id != "" && s.calls[i].id == id {
			return s.calls[i].index
		}
	}
	if n := len(s.calls); n > 0 {
		return s.calls[n-1].index + 1
	}
	return 0
}

// merge adds a piece to its call; calls stay in the order of their index.
func (s *state) merge(piece toolCall) {
	at := len(s.calls)
	for i := range s.calls {
		if s.calls[i].index >= piece.index {
			at = i
			break
		}
	}
	if at == len(s.calls) || s.calls[at].index != piece.index {
		s.calls = append(s.calls, toolCall{})
		copy(s.calls[at+1:], s.calls[at:])
		s.calls[at] = piece
		return
	}
	call := &s.calls[at]
	if call.id == "" {
		call.id = piece.id
	}
	if call.name == "" {
		call.name = piece.name
	}
	call.arguments = append(call.arguments, piece.arguments...)
}

// end judges whether a stream that is over was whole. A proxy whose upstream died may well end its body cleanly.
func (s *state) end() (adapter.Reply, error) {
	switch {
	case !s.begun:
		return adapter.Reply{}, nonsense("is a stream without a single choice")
	case s.finish == "":
		return adapter.Reply{}, nonsense("is a stream that broke off: it gave no finish_reason")
	case !s.done && !s.noDone:
		return adapter.Reply{}, nonsense("is a stream that broke off: it did not end in [DONE]")
	}
	return adapter.Do(adapter.Done(s.result())), nil
}

func itoa(n int) string { return strconv.Itoa(n) }

// clip bounds a foreign text for an error message, at a rune's start.
func clip(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
