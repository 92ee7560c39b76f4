package openai

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// frame takes one piece of a stream.
func (s *state) frame(d *Dialect, ev *adapter.Event) (adapter.Reply, error) {
	switch strings.TrimSpace(string(ev.Data)) {
	case "": // a sign of life
		return adapter.Reply{State: s.bytes()}, nil
	case "[DONE]":
		s.done = false // it has come
		return s.end()
	}
	chunk, err := json.Parse(ev.Data)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("has a frame that is " + err.Error())
	}
	kind := chunk.Get("type").Text()
	if failed(chunk) || ev.Name == "error" || kind == "error" {
		return adapter.Reply{}, normal.ErrorInside(chunk)
	}
	if s.responses || strings.HasPrefix(kind, "response.") { // a base_url may lead there, too
		s.responses = true
		return s.responseEvent(d, chunk)
	}
	s.head(d, chunk)
	if event := chunk.Get("event"); event.Kind() == json.Object {
		s.event(event)
	}
	for choice := range chunk.Get("choices").Items() {
		if index, ok := choice.Get("index").Int(); ok && index != 0 {
			continue // one was asked for
		}
		s.begun = true
		s.take(choice.Get("delta"))
		s.Say(choice.Get("text").Text()) // of code
		if reason := choice.Get("finish_reason").Text(); reason != "" {
			s.Finish = finish(reason)
		}
	}
	return s.Next(s.bytes())
}

// place tells which call a piece belongs to. Servers that leave the index out, or number each call 0, send whole calls, each
// with an id.
func (s *state) place(call json.Value) uint32 {
	next := uint32(0)
	if n := len(s.Calls); n > 0 {
		next = s.Calls[n-1].Index + 1
	}
	if !s.stream {
		return next
	}
	id := call.Get("id").Text()
	if index, ok := call.Get("index").Int(); ok && index >= 0 && index < 1<<16 {
		for i := range s.Calls {
			if known := &s.Calls[i]; known.Index == uint32(index) && id != "" && known.ID != "" && known.ID != id {
				return next
			}
		}
		return uint32(index)
	}
	for i := range s.Calls {
		if id == "" && i == len(s.Calls)-1 || id != "" && s.Calls[i].ID == id {
			return s.Calls[i].Index
		}
	}
	return next
}

// end judges whether a stream that is over was whole. A proxy whose upstream died may well end its body cleanly.
func (s *state) end() (adapter.Reply, error) {
	switch {
	case s.responses:
		return adapter.Reply{}, normal.BrokeOff("the response was not completed")
	case !s.begun:
		return adapter.Reply{}, normal.Nonsense("is a stream without a single choice")
	case s.Finish == "":
		return adapter.Reply{}, normal.BrokeOff("it gave no finish_reason")
	case s.Finish == "error":
		return adapter.Reply{}, normal.BrokeOff("its finish_reason is error")
	case s.done:
		return adapter.Reply{}, normal.BrokeOff("it did not end in [DONE]")
	}
	return adapter.Do(append(s.rest(), s.result())...), nil
}

// rest is what of a stream was not handed on; of a whole answer nothing is.
func (s *state) rest() []adapter.Action {
	if !s.stream {
		return nil
	}
	return s.Emits()
}
