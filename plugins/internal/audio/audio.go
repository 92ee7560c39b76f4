// Package audio is what adapters of speech and transcription share: a speech that is answered by audio, whole or in pieces,
// and a transcription that is answered by JSON. All that is remembered is [Work], the adapter's state.
package audio

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Work is a speech or a transcription under way.
type Work struct {
	Speech bool          // else a transcription
	Media  string        // of a speech: the media type that was asked for; what the answer states goes before
	Stream bool          // a speech comes in pieces
	Answer normal.Answer // its warnings, and what is known so far

	text  bool   // a speech's answer is JSON, not audio
	audio []byte // what has come of a speech
}

// A Reader reads what providers say differently. Only Transcript must be set, where there are transcriptions.
type Reader struct {
	// Head reads the headers of a 2xx.
	Head func(w *Work, headers []adapter.Header)
	// Audio finds the audio in an answer to a speech that is JSON; nil: there is none, the JSON says what went wrong.
	Audio func(w *Work, body json.Value) ([]byte, error)
	// Transcript reads the answer to a transcription.
	Transcript func(w *Work, body json.Value) (*normal.Transcript, error)
}

// Begin is the reply that asks. A speech's audio is asked for in pieces where Stream is set.
func (w *Work) Begin(call adapter.Action) (adapter.Reply, error) {
	if w.Speech && w.Stream {
		call.Framing = "bytes"
	}
	return adapter.Reply{State: w.encode(), Actions: []adapter.Action{call}}, nil
}

// Step carries on with whatever comes after the start.
func (r Reader) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	w, err := decode(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		return r.response(w, ev)
	case adapter.KindFrame:
		return w.pieces([]adapter.Frame{{Data: ev.Data}})
	case adapter.KindEnd:
		return r.end(w)
	}
	return adapter.Reply{}, errors.New("an answer was expected, not a timer")
}

// response takes an answer as a whole, or the head of one that comes in pieces.
func (r Reader) response(w *Work, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, normal.Refusal(ev.Status, ev.Body)
	}
	if r.Head != nil {
		r.Head(w, ev.Headers)
	}
	if !w.Speech {
		body, err := json.Parse(ev.Body)
		if err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
		t, err := r.Transcript(w, body)
		if err != nil {
			return adapter.Reply{}, err
		}
		return adapter.Do(adapter.Done(w.Answer.Transcript(t))), nil
	}
	media := normal.MediaType(ev.Headers)
	if strings.HasPrefix(media, "audio/") {
		w.Media = media
	}
	w.text = media == "application/json"
	if w.Stream {
		return adapter.Reply{State: w.encode()}, nil
	}
	w.audio = ev.Body
	return r.end(w)
}

// Frames takes pieces of a speech that came together, as adapter.Batcher wants it.
func Frames(state []byte, frames []adapter.Frame) (adapter.Reply, error) {
	w, err := decode(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	return w.pieces(frames)
}

// pieces takes pieces of a speech. Together they are the result (caio.v1.Delta), so all are kept.
func (w *Work) pieces(frames []adapter.Frame) (reply adapter.Reply, err error) {
	for _, f := range frames {
		w.audio = append(w.audio, f.Data...)
		if !w.text && len(f.Data) > 0 {
			reply.Actions = append(reply.Actions, normal.EmitAudio(f.Data))
		}
	}
	reply.State = w.encode()
	return reply, nil
}

// end reads a speech that has come. Audio has no mark of its end: what broke off is the host's to notice, by the length or
// the last chunk that HTTP promises.
func (r Reader) end(w *Work) (adapter.Reply, error) {
	if w.text {
		body, err := json.Parse(w.audio)
		if err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
		w.audio = nil
		if r.Audio != nil {
			if w.audio, err = r.Audio(w, body); err != nil {
				return adapter.Reply{}, err
			}
		}
		if w.audio == nil {
			return adapter.Reply{}, normal.ErrorInside(body)
		}
	}
	if len(w.audio) == 0 {
		return adapter.Reply{}, normal.Nonsense("has no audio")
	}
	return adapter.Do(adapter.Done(w.Answer.Speech(w.audio, w.Media))), nil
}

func (w *Work) encode() []byte {
	var e adapter.Encoder
	e.Flag(1, w.Speech)
	e.Text(2, w.Media)
	e.Flag(3, w.Stream)
	e.Flag(4, w.text)
	mark := e.Open(5)
	w.Answer.Encode(&e)
	e.Close(mark)
	e.Data(6, w.audio)
	return e.Bytes()
}

func decode(doc []byte) (*Work, error) {
	w := &Work{}
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			w.Speech = d.Flag()
		case 2:
			w.Media = d.Text()
		case 3:
			w.Stream = d.Flag()
		case 4:
			w.text = d.Flag()
		case 5:
			w.Answer, d.Err = normal.DecodeAnswer(d.Value)
		case 6:
			w.audio = d.Value
		}
	}
	return w, d.Err
}
