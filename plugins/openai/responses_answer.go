package openai

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// response reads a whole answer of /responses.
func (s *state) response(d *Dialect, body json.Value) (adapter.Reply, error) {
	if body.Get("output").Kind() != json.Array && body.Get("status").Text() == "" {
		return adapter.Reply{}, normal.Nonsense("has no output")
	}
	s.output(body.Get("output"))
	last, err := s.over(d, body)
	return adapter.Reply{Actions: last}, err
}

// over ends with the result, as the answer's status says.
func (s *state) over(d *Dialect, body json.Value) (last []adapter.Action, err error) {
	s.head(d, body.Members(nil))
	switch status := body.Get("status").Text(); status {
	case "", "completed":
		s.Finish = "stop"
		if len(s.Calls) > 0 {
			s.Finish = "tool_calls"
		}
	case "incomplete":
		s.Finish = finish(body.Pointer("/incomplete_details/reason").Text())
		if s.Finish == "" {
			return nil, normal.BrokeOff("it is incomplete, and does not say why")
		}
	case "failed":
		return nil, normal.ErrorInside(body)
	default:
		return nil, normal.Nonsense("has the status " + normal.Clip(status) + ", and is not to be waited for")
	}
	return append(s.rest(), s.result()), nil
}

// output reads the items of an answer. What the provider's own tools did is no part of the message.
func (s *state) output(items json.Value) {
	place := uint32(0)
	for item := range items.Items() {
		switch item.Get("type").Text() {
		case "message":
			for part := range item.Get("content").Items() {
				s.Say(part.Get("text").Text())
				if refusal := part.Get("refusal").Text(); refusal != "" {
					s.Refuse(refusal)
				}
			}
		case "reasoning":
			s.parts(item)
			s.seal(item)
		case "function_call":
			s.Call(callOf(place, item))
		case "image_generation_call":
			s.picture(item)
		}
		place++
	}
}

func callOf(place uint32, item json.Value) normal.ToolCall {
	return normal.ToolCall{Index: place, ID: callID(item), Name: item.Get("name").Text(), Arguments: arguments(item.Get("arguments"))}
}

// callID returns the name by which a call is answered.
func callID(item json.Value) string {
	if id := item.Get("call_id").Text(); id != "" {
		return id
	}
	return item.Get("id").Text()
}

// parts reads what of a reasoning item is text, each part as a thought.
func (s *state) parts(item json.Value) {
	for _, list := range [...]json.Value{item.Get("summary"), item.Get("content")} {
		for part := range list.Items() {
			if text := part.Get("text").Text(); text != "" {
				s.nextThought()
				s.Think(text)
			}
		}
	}
}

// nextThought has what is thought next stand by itself.
func (s *state) nextThought() {
	if n := len(s.Thoughts); n > 0 && s.Thoughts[n-1].Text != "" {
		s.Thoughts = append(s.Thoughts, normal.Thought{})
	}
}

// seal gives the last thought of a reasoning item its id, and what of it is hidden: both are to be handed back. An item without
// either text or hidden content says nothing.
func (s *state) seal(item json.Value) {
	hidden, id := item.Get("encrypted_content").Text(), item.Get("id").Text()
	n := len(s.Thoughts)
	open := n > 0 && !sealed(&s.Thoughts[n-1])
	switch {
	case !open && hidden == "":
		return
	case !open:
		s.Thoughts = append(s.Thoughts, normal.Thought{})
		n++
	}
	s.Thoughts[n-1].Signature, s.Thoughts[n-1].Redacted = id, hidden
}

func sealed(t *normal.Thought) bool { return t.Signature != "" || t.Redacted != "" }

func (s *state) picture(item json.Value) {
	format := item.Get("output_format").Text()
	if format == "" {
		format = "png"
	}
	if data := item.Get("result").Text(); data != "" {
		s.Show(normal.Media{Type: "image/" + format, Data: data})
	}
}

// responseEvent reads an event of a stream of /responses.
func (s *state) responseEvent(d *Dialect, v json.Value) (last []adapter.Action, err error) {
	item := v.Get("item")
	place, _ := v.Get("output_index").Int()
	switch v.Get("type").Text() {
	case "response.content_part.added":
		s.from = uint32(len(s.Text))
	case "response.output_text.delta":
		s.Say(v.Get("delta").Text())
	case "response.output_text.done":
		s.remainder(v.Get("text").Text())
	case "response.refusal.delta":
		s.Refuse(v.Get("delta").Text())
	case "response.reasoning_summary_part.added":
		if index, ok := v.Get("summary_index").Int(); ok && index > 0 {
			s.nextThought()
		}
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		s.Think(v.Get("delta").Text())
	case "response.output_item.added":
		if item.Get("type").Text() == "function_call" { // its arguments come
			s.Call(normal.ToolCall{Index: uint32(place), ID: callID(item), Name: item.Get("name").Text()})
		}
	case "response.function_call_arguments.delta":
		s.Call(normal.ToolCall{Index: uint32(place), Arguments: []byte(v.Get("delta").Text())})
	case "response.output_item.done":
		s.itemDone(uint32(place), item)
	case "response.completed", "response.incomplete":
		if response := v.Get("response"); !response.Get("error").Exists() {
			return s.over(d, response)
		}
		return nil, normal.ErrorInside(v.Get("response"))
	case "response.failed":
		return nil, normal.ErrorInside(v.Get("response"))
	}
	return nil, nil
}

// remainder says what of a part's text did not come in pieces.
func (s *state) remainder(whole string) {
	said := string(s.Text[min(int(s.from), len(s.Text)):])
	if more, ok := strings.CutPrefix(whole, said); ok && more != "" {
		s.Say(more)
	}
	s.from = uint32(len(s.Text))
}

// itemDone reads what an item has when it is whole and what did not come in pieces.
func (s *state) itemDone(place uint32, item json.Value) {
	switch item.Get("type").Text() {
	case "reasoning":
		if n := len(s.Thoughts); n == 0 || s.Thoughts[n-1].Text == "" || sealed(&s.Thoughts[n-1]) { // nothing of it came in pieces
			s.parts(item)
		}
		s.seal(item)
	case "function_call":
		call := callOf(place, item)
		for i := range s.Calls {
			if s.Calls[i].Index != place {
				continue
			}
			if call.ID, call.Name = "", ""; len(s.Calls[i].Arguments) > 0 { // all of it has come
				return
			}
		}
		s.Call(call)
	case "image_generation_call":
		s.picture(item)
	}
}
