package adaptertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/smarthausgroup/caio/sdk/adapter"
)

// Pieces is what deltas say, put together, or what a result says of the same.
type Pieces struct {
	Text    string
	Thought string
	Calls   []Call
	Audio   []byte
}

// A Call is a tool call. Arguments are JSON as text.
type Call struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// Join puts the deltas together. A piece of a call whose index leaves a gap is an error, as is what is no delta.
func (o *Outcome) Join() (p Pieces, err error) {
	for i, raw := range o.Deltas {
		var d struct {
			Text      string `json:"text"`
			Reasoning string `json:"reasoning"`
			Audio     []byte `json:"audio"`
			ToolCalls []struct {
				Index int `json:"index"`
				Call
			} `json:"tool_calls"`
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			return p, fmt.Errorf("delta %d: %w", i, err)
		}
		p.Text += d.Text
		p.Thought += d.Reasoning
		p.Audio = append(p.Audio, d.Audio...)
		for _, c := range d.ToolCalls {
			if c.Index < 0 || c.Index > len(p.Calls) {
				return p, fmt.Errorf("delta %d: a piece of call %d, while there are %d", i, c.Index, len(p.Calls))
			}
			if c.Index == len(p.Calls) {
				p.Calls = append(p.Calls, Call{})
			}
			call := &p.Calls[c.Index]
			call.ID += c.ID
			call.Name += c.Name
			call.Arguments += c.Arguments
		}
	}
	return p, nil
}

// Whole returns what the result says, of chats, code and speech.
func (o *Outcome) Whole() (p Pieces, err error) {
	var r struct {
		Chat struct {
			Message struct {
				Content   string                  `json:"content"`
				Thoughts  []struct{ Text string } `json:"thoughts"`
				ToolCalls []Call                  `json:"tool_calls"`
			} `json:"message"`
		} `json:"chat"`
		Code   struct{ Text string }  `json:"code"`
		Speech struct{ Audio []byte } `json:"speech"`
	}
	if err := json.Unmarshal(o.Result, &r); err != nil {
		return p, fmt.Errorf("result: %w", err)
	}
	p.Text, p.Calls, p.Audio = r.Chat.Message.Content+r.Code.Text, r.Chat.Message.ToolCalls, r.Speech.Audio
	for _, t := range r.Chat.Message.Thoughts {
		p.Thought += t.Text
	}
	return p, nil
}

// Streamed plays a recorded stream whole, in pieces of 1 and of 7 bytes, and cut short after every frame, and returns the
// outcome of the first. It is an error if the deltas, put together, are not what the result says; if pieces make a difference
// (with framing "bytes" only in the number of deltas); or if one that was cut ends as if it were whole, with another result or where
// the whole is an error.
func (p Play) Streamed() (*Outcome, error) {
	p.Piece, p.Cut, p.Stream = 0, nil, true
	cuts := map[int][]byte{} // results of those that ended well
	p.atFrame = func(n int, state []byte) (err error) {
		if result, err := p.cut(state); result != nil || err != nil {
			cuts[n] = result
			return err
		}
		return nil
	}
	whole, err := p.Run()
	if err != nil {
		return whole, err
	}
	for n, result := range cuts {
		if whole.Failure != nil || !bytes.Equal(result, whole.Result) {
			return whole, fmt.Errorf("cut after %d of %d frames it ends as if it were whole, with %s", n, whole.Frames, result)
		}
	}
	all, err := joined(whole)
	if err != nil {
		return whole, err
	}
	p.atFrame = nil
	for _, p.Piece = range []int{1, 7} {
		other, err := p.Run()
		if err != nil {
			return whole, fmt.Errorf("in pieces of %d bytes: %w", p.Piece, err)
		}
		if said, err := joined(other); err != nil || !reflect.DeepEqual(said, all) || !same(other, whole) {
			return whole, fmt.Errorf("in pieces of %d bytes it comes out otherwise: %s", p.Piece, errOr(err, "another outcome"))
		}
	}
	return whole, nil
}

// cut ends a stream for an adapter that is in some state, and returns the result with which it then ends; nil: with none. That the
// frames before are those of the whole makes playing them again needless: the adapter was found pure.
func (p Play) cut(state []byte) ([]byte, error) {
	reply, err := p.step(state, &adapter.Event{Kind: adapter.KindEnd})
	if err != nil {
		return nil, err
	}
	for _, a := range reply.Actions {
		if a.Kind == adapter.ActionDone {
			return a.Data, nil
		}
	}
	return nil, nil
}

// joined holds the deltas against the result, if there is one.
func joined(o *Outcome) (Pieces, error) {
	said, err := o.Join()
	if err != nil || o.Failure != nil || o.Frames == 0 {
		return said, err // what answers at once sends no deltas
	}
	if o.Result == nil {
		return said, errors.New("the play ended without a result")
	}
	whole, err := o.Whole()
	if err != nil {
		return said, err
	}
	if !reflect.DeepEqual(said, whole) {
		return said, fmt.Errorf("the deltas say %+v, the result %+v", said, whole)
	}
	return said, nil
}

func same(a, b *Outcome) bool {
	return bytes.Equal(a.Result, b.Result) && reflect.DeepEqual(a.Failure, b.Failure)
}

func errOr(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}
