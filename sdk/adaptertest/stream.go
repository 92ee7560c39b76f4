package adaptertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
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
// (with framing "bytes" only in the number of deltas); if one that was cut ends as if it were whole, with another result; or if what
// it brought until then is not how the whole began. Where the recording itself is of an error, cuts only must not end well.
func (p Play) Streamed() (*Outcome, error) {
	p.Piece, p.Cut, p.Stream = 0, nil, true
	whole, err := p.Run()
	if err != nil {
		return whole, err
	}
	all, err := joined(whole)
	if err != nil {
		return whole, err
	}
	for _, p.Piece = range []int{1, 7} {
		other, err := p.Run()
		if err != nil {
			return whole, fmt.Errorf("in pieces of %d bytes: %w", p.Piece, err)
		}
		if said, err := joined(other); err != nil || !reflect.DeepEqual(said, all) || !same(other, whole) {
			return whole, fmt.Errorf("in pieces of %d bytes it comes out otherwise: %s", p.Piece, errOr(err, "another outcome"))
		}
	}
	p.Piece = 0
	for n := range whole.Frames {
		p.Cut = &n
		cut, err := p.Run()
		if err != nil {
			return whole, fmt.Errorf("cut after %d of %d frames: %w", n, whole.Frames, err)
		}
		if cut.Failure == nil && !same(cut, whole) {
			return whole, fmt.Errorf("cut after %d of %d frames it ends as if it were whole, with %s", n, whole.Frames, cut.Result)
		}
		if said, err := cut.Join(); err != nil || !strings.HasPrefix(all.Text, said.Text) || !strings.HasPrefix(all.Thought, said.Thought) || !bytes.HasPrefix(all.Audio, said.Audio) {
			return whole, fmt.Errorf("cut after %d of %d frames it said what the whole does not: %s", n, whole.Frames, errOr(err, said.Text))
		}
	}
	return whole, nil
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
