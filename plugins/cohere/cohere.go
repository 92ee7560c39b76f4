// Package cohere is the adapter "cohere": chat, embeddings, reranking and transcription by Cohere's API, its second version or its
// first.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model       the model, where the request names none
//	models      list of models; the first is used where neither the request nor model names one
//	api         "v2", the default, or "v1", which older deployments speak
//	input_type  what vectors are for where the request does not say: "search_document", the default, "search_query",
//	            "classification" or "clustering"
//	extra_body  object whose fields are added to every request, such as {"safety_mode": "STRICT"}, {"documents": [...]} or
//	            {"truncate": "NONE"}; fields that this adapter writes itself are refused
//
// # What is understood
//
// Of v2 chat texts and images, tools and their results, schemas, thinking, and what samples. The API knows tool_choice "required" and
// "none", thinks or does not ("none", "high", or a budget of tokens), and has ranges of its own: temperature, frequency_penalty and
// presence_penalty 0..1, top_p 0.01..0.99, top_k 0..500. What is outside is refused by name, as are names of speakers, audio and files.
// What a model plans before it calls tools is a thought, and is handed back as its tool_plan. A proof of thought is for who gave it; other
// providers' are not sent.
//
// Of v1 chat the same without images, thinking and tool_choice; tools take parameters of plain types. Calls have no ids there: they get
// one, "cohere_" and the answer's id and the call's number.
//
// Audio is written down by v2 only, as data, and the language must be stated; extra_body's fields are then fields of the form.
//
// Citations come as metadata.citations, what Cohere bills as metadata.billed_units; usage counts all tokens, those of Cohere's own
// prompt among them. The answer to a rerank counts searches as units.
//
// A stream ends with message-end or, of v1, stream-end; one that ends without is an error. An answer that ended in ERROR or TIMEOUT
// is an error. v1 streams come in lines of JSON; lines of SSE are understood, too.
package cohere

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Cohere; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "cohere", Version: "1.0.0", Description: "Cohere: chat with tools, images and reasoning, streams, embeddings, rerank, transcription"}
}

// Step asks at the start, and puts the answer together.
func (a Adapter) Step(doc []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	if ev.Kind == adapter.KindFrame {
		return a.StepFrames(doc, []adapter.Frame{{Name: ev.Name, Data: ev.Data}})
	}
	s, err := recall(doc)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		if ev.Status < 200 || ev.Status > 299 {
			return adapter.Reply{}, refusal(ev.Status, ev.Body)
		}
		if s.stream {
			return adapter.Reply{State: doc}, nil // the head
		}
		return s.whole(ev.Body)
	case adapter.KindEnd:
		return adapter.Reply{}, normal.BrokeOff("it did not say that the answer is over")
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

// StepFrames takes events of a stream that came together.
func (Adapter) StepFrames(doc []byte, frames []adapter.Frame) (adapter.Reply, error) {
	s, err := recall(doc)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	over := false
	for i := 0; i < len(frames) && !over && err == nil; i++ {
		over, err = s.frame(frames[i].Data)
	}
	emits := s.answer.Emits()
	if over && err == nil {
		return adapter.Do(append(emits, adapter.Done(s.answer.Chat()))...), nil
	}
	return adapter.Reply{State: s.bytes(), Actions: emits}, err
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "chat", "embedding", "rerank", "transcription")
	if err != nil {
		return adapter.Reply{}, err
	}
	c.Settings.Text("model", "")
	c.Settings.List("models")
	api, inputType := c.Settings.Text("api", "v2"), c.Settings.Text("input_type", "search_document")
	extra := c.Settings.Object("extra_body")
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if api != "v2" && api != "v1" {
		return adapter.Reply{}, normal.BadSetting("api", "is neither v1 nor v2")
	}
	model, err := c.Model()
	if err != nil {
		return adapter.Reply{}, err
	}
	after := state{kind: c.Kind, first: api == "v1"}
	base := strings.TrimSuffix(strings.TrimSuffix(c.Base, "/v1"), "/v2")
	var call adapter.Action
	if c.Kind == "transcription" {
		call, err = transcribe(c, base, model, after.first, extra)
	} else {
		call, err = after.ask(c, base+"/"+api+"/", model, inputType, extra)
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	after.answer.Warnings = c.Warnings
	return adapter.Reply{State: after.bytes(), Actions: []adapter.Action{call}}, nil
}

// ask makes a call of JSON, and sets what must be known of it.
func (s *state) ask(c *normal.Call, base, model, inputType string, extra json.Value) (call adapter.Action, err error) {
	var w json.Writer
	w.Begin('{')
	w.Key("model")
	w.String(model)
	path := "chat"
	switch {
	case c.Kind == "embedding":
		path = "embed"
		s.inputs, err = embed(c, &w, s.first, inputType)
	case c.Kind == "rerank":
		path = "rerank"
		s.inputs, err = rerank(c, &w)
	case s.first:
		s.stream = c.Stream
		err = chat1(c, &w)
	default:
		s.stream = c.Stream
		err = chat2(c, &w)
	}
	if err != nil {
		return call, err
	}
	if s.stream {
		w.Key("stream")
		w.Bool(true)
	}
	w.End('}')
	body, err := normal.Extend(w.Bytes(), "extra_body", extra)
	switch {
	case err != nil:
		return call, err
	case s.stream && s.first:
		return normal.PostStream("ndjson", base+path, body), nil
	case s.stream:
		return normal.PostStream("sse", base+path, body), nil
	}
	return normal.Post(base+path, body), nil
}

// state is what must be known when the next event comes.
type state struct {
	kind   string
	first  bool // v1
	stream bool
	inputs uint32 // texts or documents that were sent
	answer normal.Answer
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Text(1, s.kind)
	e.Flag(2, s.first)
	e.Flag(3, s.stream)
	e.Number(4, s.inputs)
	mark := e.Open(5)
	s.answer.Encode(&e)
	e.Close(mark)
	return e.Bytes()
}

func recall(doc []byte) (s state, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			s.kind = d.Text()
		case 2:
			s.first = d.Flag()
		case 3:
			s.stream = d.Flag()
		case 4:
			s.inputs = d.Number()
		case 5:
			s.answer, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	return s, d.Err
}

// refusal maps an answer that is no 2xx. A model that is not there, or no more, is a 404.
func refusal(status int, body []byte) error {
	var said, code string
	if v, err := json.Parse(body); err == nil {
		said, code = normal.Complaint(v)
		code += " " + v.Get("error_type").Text()
	}
	return normal.ModelMissing(normal.Classify(status, said, code))
}
