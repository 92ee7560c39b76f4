package openai

import (
	"bytes"
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// StepFrames takes pieces of a stream that came together.
func (a Adapter) StepFrames(before []byte, frames []adapter.Frame) (adapter.Reply, error) {
	s, err := recall(before)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	for i := range frames {
		last, err := s.frame(a.d, &frames[i])
		if err != nil || last != nil {
			return adapter.Reply{Actions: append(s.Emits(), last...)}, err
		}
	}
	return s.Next(s.bytes())
}

// frame takes one piece of a stream, and returns what is left to be done when it is the last.
func (s *state) frame(d *Dialect, f *adapter.Frame) (last []adapter.Action, err error) {
	switch data := bytes.TrimSpace(f.Data); string(data) {
	case "": // a sign of life
		return nil, nil
	case "[DONE]":
		s.done = false // it has come
		return s.end()
	}
	whole, err := json.Parse(f.Data)
	if err != nil {
		return nil, normal.Nonsense("has a frame that is " + err.Error())
	}
	var buf [16]json.Member
	chunk := whole.Members(buf[:0])
	kind := chunk.Get("type").Text()
	if failed(chunk) || f.Name == "error" || kind == "error" {
		return nil, normal.ErrorInside(whole)
	}
	if s.responses || strings.HasPrefix(kind, "response.") { // a base_url may lead there, too
		s.responses = true
		return s.responseEvent(d, whole)
	}
	s.head(d, chunk)
	if event := chunk.Get("event"); event.Kind() == json.Object {
		s.event(event)
	}
	for item := range chunk.Get("choices").Items() {
		var buf, of [16]json.Member
		choice := item.Members(buf[:0])
		if index, ok := choice.Get("index").Int(); ok && index != 0 {
			continue // one was asked for
		}
		s.begun = true
		s.take(choice.Get("delta").Members(of[:0]))
		s.Say(choice.Get("text").Text()) // of code
		if reason := choice.Get("finish_reason").Text(); reason != "" {
			s.Finish = finish(reason)
		}
	}
	return nil, nil
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
func (s *state) end() (last []adapter.Action, err error) {
	switch {
	case s.responses:
		return nil, normal.BrokeOff("the response was not completed")
	case !s.begun:
		return nil, normal.Nonsense("is a stream without a single choice")
	case s.Finish == "":
		return nil, normal.BrokeOff("it gave no finish_reason")
	case s.Finish == "error":
		return nil, normal.BrokeOff("its finish_reason is error")
	case s.done:
		return nil, normal.BrokeOff("it did not end in [DONE]")
	}
	return append(s.rest(), s.result()), nil
}

// rest is what of a stream was not handed on; of a whole answer nothing is.
func (s *state) rest() []adapter.Action {
	if !s.stream {
		return nil
	}
	return s.Emits()
}
