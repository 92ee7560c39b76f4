package adaptertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
)

// A Play is one execution of an adapter, whose calls recordings answer.
type Play struct {
	Adapter  adapter.Adapter
	Contract []byte // JSON, as adapter.Event has it
	Intent   []byte // JSON
	Stream   bool   // the caller wants deltas
	// Answer gives the answer to the i-th call, from 0. nil, and an answer that is nil: the play ends at that call, with neither
	// a result nor a failure.
	Answer func(i int, call adapter.Action) *Response
	// Piece is in how many bytes streamed bodies come. 0: all at once.
	Piece int
	// Cut is after how many frames a streamed body ends, cleanly, as a proxy ends it whose upstream died. nil: after all of them.
	Cut *int

	atFrame func(n int, state []byte) error // is asked before the n-th frame, from 0
}

// An Outcome is what came of a play.
type Outcome struct {
	Calls   []adapter.Action // HTTP calls, in order
	Waits   []uint32         // milliseconds
	Deltas  [][]byte         // JSON, as they were emitted
	Frames  int              // frames that streams had to bring, whether they were read or not
	Result  []byte           // JSON; nil: it has none
	Failure *adapter.Failure // nil: it did not fail
}

// Always answers every call with r.
func Always(r *Response) func(int, adapter.Action) *Response {
	return func(int, adapter.Action) *Response { return r }
}

// maxSteps bounds a play: an adapter that polls forever is not worth waiting for.
const maxSteps = 1_000_000

// Run plays until the adapter is done, fails, or makes a call that has no answer. The error says how it broke the protocol of
// steps, or its own purity.
func (p Play) Run() (*Outcome, error) {
	out := &Outcome{}
	queue := []adapter.Event{{Kind: adapter.KindStart, Intent: p.Intent, Contract: p.Contract, Stream: p.Stream}}
	var state []byte
	frames := 0
	for range maxSteps {
		if len(queue) == 0 {
			return out, errors.New("the adapter asked for the next frame of no stream")
		}
		ev := queue[0]
		queue = queue[1:]
		if ev.Kind == adapter.KindFrame && p.atFrame != nil {
			if err := p.atFrame(frames, state); err != nil {
				return out, err
			}
			frames++
		}
		reply, err := p.step(state, &ev)
		if err != nil {
			return out, err
		}
		state = reply.State
		for i, a := range reply.Actions {
			if a.Kind != adapter.ActionEmit && i != len(reply.Actions)-1 {
				return out, fmt.Errorf("action %d of a reply to an event of kind %d is no emit and not the last", i, ev.Kind)
			}
			switch a.Kind {
			case adapter.ActionEmit:
				out.Deltas = append(out.Deltas, a.Data)
			case adapter.ActionHTTP:
				if queue, err = p.call(out, a); err != nil || queue == nil {
					return out, err
				}
			case adapter.ActionWait:
				out.Waits = append(out.Waits, a.DelayMS)
				queue = []adapter.Event{{Kind: adapter.KindTimer}}
			case adapter.ActionDone:
				out.Result = a.Data
				return out, nil
			case adapter.ActionFail:
				out.Failure = &adapter.Failure{Code: a.Code, Message: a.Message, Status: a.Status, Retryable: a.Retryable, Reason: a.Reason}
				return out, nil
			default:
				return out, fmt.Errorf("action of unknown kind %d", a.Kind)
			}
		}
	}
	return out, fmt.Errorf("the adapter did not come to an end within %d steps", maxSteps)
}

// step asks twice: an adapter that remembers something beside its state answers differently, sooner or later.
func (p Play) step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	before := bytes.Clone(state)
	first := adapter.Run(p.Adapter, state, ev)
	// The host hands on copies, too: what a reply holds may lie in memory that the next step writes to.
	first.State = bytes.Clone(first.State)
	first.Actions = slices.Clone(first.Actions)
	for i := range first.Actions {
		a := &first.Actions[i]
		a.Body, a.Data = bytes.Clone(a.Body), bytes.Clone(a.Data)
	}
	again := adapter.Run(p.Adapter, before, ev)
	again.State = bytes.Clone(again.State)
	if !bytes.Equal(first.State, again.State) || len(first.Actions) != len(again.Actions) {
		return first, fmt.Errorf("the adapter is not pure: asked again about an event of kind %d it answered otherwise", ev.Kind)
	}
	for i := range first.Actions {
		if !reflect.DeepEqual(first.Actions[i], again.Actions[i]) {
			return first, fmt.Errorf("the adapter is not pure: asked again about an event of kind %d its action %d was another", ev.Kind, i)
		}
	}
	return first, nil
}

// call returns the events that answer a call; none if there is no answer.
func (p Play) call(out *Outcome, a adapter.Action) ([]adapter.Event, error) {
	out.Calls = append(out.Calls, a)
	var r *Response
	if p.Answer != nil {
		r = p.Answer(len(out.Calls)-1, a)
	}
	if r == nil {
		return nil, nil
	}
	head := adapter.Event{Kind: adapter.KindResponse, Status: r.Status}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		head.Headers = append(head.Headers, adapter.Header{Name: name, Value: r.Headers[name]})
	}
	if !streams(a.Framing, r) {
		head.Body = r.Bytes()
		if a.Framing != "" && r.Status >= 200 && r.Status <= 299 {
			return []adapter.Event{head, {Kind: adapter.KindEnd}}, nil // it may ask for frames of what came whole
		}
		return []adapter.Event{head}, nil
	}
	var body io.Reader = bytes.NewReader(r.Bytes())
	if p.Piece > 0 {
		body = &pieces{body, p.Piece}
	}
	frames, err := Frames(a.Framing, body)
	if err != nil {
		return nil, fmt.Errorf("cut the recorded stream into frames (%s): %w", a.Framing, err)
	}
	out.Frames += len(frames)
	if p.Cut != nil {
		frames = frames[:min(*p.Cut, len(frames))]
	}
	events := []adapter.Event{head}
	for _, f := range frames {
		events = append(events, adapter.Event{Kind: adapter.KindFrame, Name: f.Name, Data: f.Data})
	}
	return append(events, adapter.Event{Kind: adapter.KindEnd}), nil
}

// streams tells whether an answer comes in frames, by the host's rules: a 2xx for which frames were asked, unless it
// answers the wish for events with one JSON document.
func streams(framing string, r *Response) bool {
	if framing == "" || r.Status < 200 || r.Status > 299 {
		return false
	}
	isJSON := r.Stream == "" && r.Body != nil || strings.HasPrefix(r.Header("Content-Type"), "application/json") && r.Stream == ""
	return !(framing == "sse" && isJSON)
}

// pieces reads at most size bytes at a time.
type pieces struct {
	r    io.Reader
	size int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(p.size, len(b))]) }
