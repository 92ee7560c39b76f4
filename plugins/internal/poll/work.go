package poll

import (
	"errors"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Work is a piece of work under way: the whole state of an adapter that creates and then asks.
type Work struct {
	Poll    Poll
	Kind    string        // what was asked for, such as "image"
	Created bool          // the provider has taken it on; false in the answer that says so
	Stream  string        // URL of a stream of SSE that tells of the work until it is done; set by Read, empty: it is asked after
	Answer  normal.Answer // its warnings, and what is known so far

	followed bool // the stream was asked for
}

// Read reads an answer of the provider: the one that created the work, then those that tell of it. It returns the Result, or
// nil while the work is not done; then w.Poll.URL must be set.
type Read func(w *Work, body json.Value) (result []byte, err error)

// Frame takes a frame of the work's stream into w.Answer.
type Frame func(w *Work, ev *adapter.Event) error

// Begin is the reply that creates the work.
func (w *Work) Begin(create adapter.Action) (adapter.Reply, error) {
	return adapter.Reply{State: w.encode(), Actions: []adapter.Action{create}}, nil
}

// Step carries the work on: what it was created by or asked after is read, and as long as it is not done it is waited and
// asked. The creation is never repeated here: whether that may be done twice is the host's to know.
func Step(state []byte, ev *adapter.Event, read Read) (adapter.Reply, error) {
	return Follow(state, ev, read, nil)
}

// Follow is Step for work that may tell of itself by a stream. What frame takes is handed on. Once the stream has ended, it is
// asked what came of the work, as it is where the provider does not give the stream.
func Follow(state []byte, ev *adapter.Event, read Read, frame Frame) (adapter.Reply, error) {
	w, err := decode(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindTimer:
		return adapter.Reply{State: state, Actions: []adapter.Action{w.Poll.Ask()}}, nil
	case adapter.KindResponse:
		return w.response(ev, read)
	case adapter.KindFrame:
		if frame == nil {
			break
		}
		if err := frame(w, ev); err != nil {
			return adapter.Reply{}, err
		}
		emits := w.Answer.Emits()
		return adapter.Reply{State: w.encode(), Actions: emits}, nil
	case adapter.KindEnd:
		if !w.followed {
			break
		}
		w.followed, w.Stream = false, ""
		return adapter.Reply{State: w.encode(), Actions: []adapter.Action{w.Poll.Ask()}}, nil
	}
	return adapter.Reply{}, errors.New("an answer or a timer was expected, no stream")
}

func (w *Work) response(ev *adapter.Event, read Read) (adapter.Reply, error) {
	if !w.Created && (ev.Status < 200 || ev.Status > 299) {
		return adapter.Reply{}, normal.Refusal(ev.Status, ev.Body)
	}
	if w.followed {
		if ev.Status >= 200 && ev.Status <= 299 {
			return adapter.Reply{State: w.encode()}, nil // the head of the stream
		}
		w.followed, w.Stream = false, ""
		next, err := w.Poll.Wait()
		return adapter.Reply{State: w.encode(), Actions: []adapter.Action{next}}, err
	}
	wait, err := w.Poll.Retry(ev)
	if err != nil {
		return adapter.Reply{}, err
	}
	if wait == nil {
		body, err := json.Parse(ev.Body)
		if err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
		result, err := read(w, body)
		if err != nil {
			return adapter.Reply{}, err
		}
		if result != nil {
			return adapter.Do(adapter.Done(result)), nil
		}
		if w.Poll.URL == "" {
			return adapter.Reply{}, normal.Nonsense("does not say where to ask after the work")
		}
		w.Created = true
		if w.Stream != "" {
			w.followed = true
			return adapter.Reply{State: w.encode(), Actions: []adapter.Action{w.follow()}}, nil
		}
		next, err := w.Poll.Wait()
		if err != nil {
			return adapter.Reply{}, err
		}
		wait = &next
	}
	return adapter.Reply{State: w.encode(), Actions: []adapter.Action{*wait}}, nil
}

func (w *Work) follow() adapter.Action {
	call := adapter.HTTP("GET", w.Stream, nil,
		adapter.Header{Name: "Accept", Value: "text/event-stream"}, adapter.Header{Name: "Cache-Control", Value: "no-store"})
	call.Framing = "sse"
	return call
}

func (w *Work) encode() []byte {
	var e adapter.Encoder
	mark := e.Open(1)
	w.Poll.Encode(&e)
	e.Close(mark)
	e.Text(2, w.Kind)
	e.Flag(3, w.Created)
	mark = e.Open(4)
	w.Answer.Encode(&e)
	e.Close(mark)
	e.Text(5, w.Stream)
	e.Flag(6, w.followed)
	return e.Bytes()
}

func decode(doc []byte) (*Work, error) {
	w := &Work{}
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			w.Poll, d.Err = Decode(d.Value)
		case 2:
			w.Kind = d.Text()
		case 3:
			w.Created = d.Flag()
		case 4:
			w.Answer, d.Err = normal.DecodeAnswer(d.Value)
		case 5:
			w.Stream = d.Text()
		case 6:
			w.followed = d.Flag()
		}
	}
	return w, d.Err
}
