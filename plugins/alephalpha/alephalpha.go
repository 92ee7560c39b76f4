// Package alephalpha is the adapter "aleph-alpha": the inference API of Aleph Alpha's Pharia.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model         the model, where the request names none
//	models        list of models; the first is used where neither the request nor model names one
//	normalize     whether vectors are of length 1; default false
//	task_path     of an intent with a payload: the path below base_url to which it is posted, such as "/translate"; it is refused without
//	extra_body    an object whose fields are added to every chat
//
// base_url ends in the version, such as https://inference.example.com/v1.
//
// # What is understood
//
// A chat is asked of /chat/completions, which follows OpenAI but for the name of maximum_tokens: the adapter openai does it, within this
// one. A code is asked of /complete, an embedding of /batch_semantic_embed, a rerank of /rerank. Of an embedding's purposes query and
// document have a representation of their own, the others, and none, are symmetric; 128 dimensions can be asked for, and 100 texts at
// most. A payload is posted as it is, with the model where it names none, and its answer is the output.
//
// There is no published specification; what is read and written follows the official client.
package alephalpha

import (
	"errors"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks Aleph Alpha's API; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "aleph-alpha", Version: "1.0.0", Description: "Aleph Alpha: chat, completions, embeddings, rerank, translation"}
}

// Step asks at the start, and puts the answer together.
func (Adapter) Step(before []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	s, err := recall(before)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Kind == adapter.KindResponse && (ev.Status < 200 || ev.Status > 299) {
		return adapter.Reply{}, refusal(ev.Status, ev.Body)
	}
	if s.kind == "chat" {
		return s.within(openai.New(openai.AlephAlpha()).Step(s.chat, ev))
	}
	switch ev.Kind {
	case adapter.KindResponse:
		if s.stream {
			return adapter.Reply{State: before}, nil
		}
		return s.whole(ev.Body)
	case adapter.KindFrame:
		return s.frame(ev.Data)
	case adapter.KindEnd:
		return adapter.Reply{}, normal.BrokeOff("it gave no completion_summary")
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	call, err := normal.Start(ev, "chat", "code", "embedding", "rerank", "payload")
	if err != nil {
		return adapter.Reply{}, err
	}
	r := request{call: call, task: call.Settings.Text("task_path", ""), extra: call.Settings.Object("extra_body"), normalize: call.Settings.Flag("normalize", false)}
	model, err := call.Model()
	if err := call.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if err != nil && call.Kind != "payload" {
		return adapter.Reply{}, err
	}
	s := state{kind: call.Kind}
	if call.Kind == "chat" {
		return s.within(openai.New(openai.AlephAlpha()).Step(nil, &adapter.Event{Kind: adapter.KindStart, Stream: ev.Stream, Intent: ev.Intent, Contract: r.forChat(model)}))
	}
	r.w.Begin('{')
	if model != "" && !(call.Kind == "payload" && call.Body.Get("model").Exists()) {
		r.w.Key("model")
		r.w.String(model)
	}
	s.stream = call.Stream && call.Kind == "code"
	path, err := "", error(nil)
	switch call.Kind {
	case "code":
		path, err = "/complete", r.complete(s.stream)
	case "embedding":
		path = "/batch_semantic_embed"
		s.inputs, err = r.embed()
	case "rerank":
		path = "/rerank"
		s.inputs, err = r.rerank()
	default:
		path, err = r.task, r.payload()
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	r.w.End('}')
	s.answer.Warnings = call.Warnings
	ask := normal.Post(call.Base+path, r.w.Bytes())
	if s.stream {
		ask = normal.PostStream("sse", call.Base+path, r.w.Bytes())
	}
	return adapter.Reply{State: s.bytes(), Actions: []adapter.Action{ask}}, nil
}

// refusal maps an answer that is no 2xx. What one model cannot do another may.
func refusal(status int, body []byte) error {
	err := normal.Refusal(status, body)
	var f *adapter.Failure
	if v, bad := json.Parse(body); bad == nil && v.Get("code").Text() == "MISSING_CAPABILITY" && errors.As(err, &f) {
		f.Retryable = true
	}
	return err
}

// state is what must be known when the next event comes.
type state struct {
	kind   string
	stream bool
	inputs uint32 // embedding and rerank: texts that were sent
	answer normal.Answer
	chat   []byte // of a chat: the state of the adapter that does it
}

// within keeps the state of the adapter that does a chat.
func (s *state) within(reply adapter.Reply, err error) (adapter.Reply, error) {
	s.chat = reply.State
	reply.State = s.bytes()
	return reply, err
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Text(1, s.kind)
	e.Flag(2, s.stream)
	e.Number(3, s.inputs)
	mark := e.Open(4)
	s.answer.Encode(&e)
	e.Close(mark)
	e.Data(5, s.chat)
	return e.Bytes()
}

func recall(doc []byte) (s state, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			s.kind = d.Text()
		case 2:
			s.stream = d.Flag()
		case 3:
			s.inputs = d.Number()
		case 4:
			s.answer, d.Err = normal.DecodeAnswer(d.Value)
		case 5:
			s.chat = d.Value
		}
	}
	return s, d.Err
}
