// Package voyage is the adapter "voyage": embeddings and reranking by Voyage AI.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model            the model, where the request names none
//	models           list of models; the first is used where neither the request nor model names one
//	encoding_format  "base64", the default, or "" for numbers in decimal, which are four times as long
//	extra_body       object whose fields are added to every request, such as {"truncation": false} or {"output_dtype": "int8"}; fields
//	                 that this adapter writes itself are refused. With an output_dtype vectors are asked for in decimal
//
// # What is understood
//
// Of embeddings model, texts, dimensions, and of purposes query and document: for other purposes Voyage makes no vectors of its own, and
// it says that none is to be stated then. Of reranks everything. Voyage counts tokens as one total, which is the input's.
package voyage

import (
	"errors"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Voyage AI; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "voyage", Version: "1.0.0", Description: "Voyage AI: embeddings, rerank"}
}

// Step asks at the start, and reads the answer.
func (Adapter) Step(doc []byte, ev *adapter.Event) (adapter.Reply, error) {
	switch ev.Kind {
	case adapter.KindStart:
		return start(ev)
	case adapter.KindResponse:
		return finish(doc, ev)
	}
	return adapter.Reply{}, errors.New("an answer was expected, not frames or timers")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "embedding", "rerank")
	if err != nil {
		return adapter.Reply{}, err
	}
	c.Settings.Text("model", "")
	c.Settings.List("models")
	encoding, extra := c.Settings.Text("encoding_format", "base64"), c.Settings.Object("extra_body")
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	switch {
	case encoding != "base64" && encoding != "":
		return adapter.Reply{}, normal.BadSetting("encoding_format", "is neither base64 nor empty")
	case extra.Get("output_dtype").Exists():
		encoding = "" // base64 would hold other numbers than float32
	}
	model, err := c.Model()
	if err != nil {
		return adapter.Reply{}, err
	}
	s := state{kind: c.Kind}
	var w json.Writer
	w.Begin('{')
	w.Key("model")
	w.String(model)
	path := "/embeddings"
	if c.Kind == "rerank" {
		path = "/rerank"
		s.inputs, err = rerank(c, &w)
	} else {
		s.inputs, err = embed(c, &w, encoding)
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	w.End('}')
	body, err := normal.Extend(w.Bytes(), "extra_body", extra)
	if err != nil {
		return adapter.Reply{}, err
	}
	s.answer.Warnings = c.Warnings
	url := strings.TrimSuffix(c.Base, "/v1") + "/v1" + path
	return adapter.Reply{State: s.bytes(), Actions: []adapter.Action{normal.Post(url, body)}}, nil
}

// embed writes a request for vectors, and returns the number of texts.
func embed(c *normal.Call, w *json.Writer, encoding string) (inputs uint32, err error) {
	for name, v := range c.Body.Fields() {
		why := ""
		switch name {
		case "model":
		case "input":
			for range v.Items() {
				inputs++
			}
			w.Key(name)
			w.Raw(v)
		case "dimensions":
			if v.Exists() {
				w.Key("output_dimension")
				w.Raw(v)
			}
		case "purpose":
			switch purpose := v.Text(); purpose {
			case "":
			case "query", "document":
				w.Key("input_type")
				w.String(purpose)
			default:
				why = "the API makes vectors for queries and documents, or for whatever is not stated"
			}
		default:
			if !v.Empty() {
				why = "the API has no such parameter"
			}
		}
		if why != "" {
			if err := c.Cannot("embedding."+name, why); err != nil {
				return 0, err
			}
		}
	}
	if inputs == 0 {
		return 0, normal.Invalid("embedding.input", "there is no text")
	}
	if encoding != "" {
		w.Key("encoding_format")
		w.String(encoding)
	}
	return inputs, nil
}

// rerank writes a request for an order, and returns the number of documents.
func rerank(c *normal.Call, w *json.Writer) (inputs uint32, err error) {
	for name, v := range c.Body.Fields() {
		to := name
		switch name {
		case "model":
			continue
		case "query":
		case "documents":
			for range v.Items() {
				inputs++
			}
		case "top_n":
			to = "top_k"
		default:
			if v.Empty() {
				continue
			}
			if err := c.Cannot("rerank."+name, "the API has no such parameter"); err != nil {
				return 0, err
			}
			continue
		}
		if v.Exists() {
			w.Key(to)
			w.Raw(v)
		}
	}
	if inputs == 0 {
		return 0, normal.Invalid("rerank.documents", "there is none")
	}
	return inputs, nil
}

// state is what must be known when the answer comes.
type state struct {
	kind   string
	inputs uint32 // texts or documents that were sent
	answer normal.Answer
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Text(1, s.kind)
	e.Number(2, s.inputs)
	mark := e.Open(3)
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
			s.inputs = d.Number()
		case 3:
			s.answer, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	return s, d.Err
}

func finish(doc []byte, ev *adapter.Event) (adapter.Reply, error) {
	s, err := recall(doc)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, refusal(ev.Status, ev.Body)
	}
	body, err := json.Parse(ev.Body)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	list := body.Get("data")
	switch {
	case body.Get("error").Exists() || body.Get("detail").Exists():
		return adapter.Reply{}, normal.ErrorInside(body)
	case list.Kind() != json.Array:
		return adapter.Reply{}, normal.Nonsense("has no data")
	}
	s.answer.Model = body.Get("model").Text()
	if n, ok := body.Get("usage").Get("total_tokens").Int(); ok {
		s.answer.Usage = normal.Usage{Known: true, In: n}
	}
	if s.kind == "rerank" {
		return s.ranked(list)
	}
	return s.vectors(list)
}

// refusal maps an answer that is no 2xx. Voyage calls a model that it has not a bad request.
func refusal(status int, body []byte) error {
	failure := normal.Refusal(status, body)
	if f, ok := failure.(*adapter.Failure); ok && status == 400 && strings.Contains(f.Message, "Supported models are") {
		f.Reason, f.Retryable = adapter.ModelNotFound, true
	}
	return failure
}

// vectors reads a vector for each text, whose place is their index.
func (s *state) vectors(list json.Value) (adapter.Reply, error) {
	vectors := make([]json.Value, s.inputs)
	n := uint32(0)
	for item := range list.Items() {
		at := int64(n)
		if index, ok := item.Get("index").Int(); ok {
			at = index
		}
		if at < 0 || at >= int64(s.inputs) || vectors[at] != nil {
			return adapter.Reply{}, normal.Nonsense("has a vector for a text that was not sent, or two for one")
		}
		vector, err := normal.Floats(item.Get("embedding"))
		if err != nil {
			return adapter.Reply{}, err
		}
		vectors[at] = vector
		n++
	}
	if n != s.inputs {
		return adapter.Reply{}, normal.Nonsense("has " + strconv.Itoa(int(n)) + " vectors for " + strconv.Itoa(int(s.inputs)) + " texts")
	}
	return adapter.Do(adapter.Done(s.answer.Vectors(vectors))), nil
}

// ranked reads an order, best first.
func (s *state) ranked(list json.Value) (adapter.Reply, error) {
	var ranked []normal.Rank
	for v := range list.Items() {
		index, ok := v.Get("index").Int()
		score := v.Get("relevance_score")
		if !ok || index < 0 || index >= int64(s.inputs) || score.Kind() != json.Number {
			return adapter.Reply{}, normal.Nonsense("has a result without a score, or for a document that was not sent")
		}
		ranked = append(ranked, normal.Rank{Index: index, Score: score})
	}
	return adapter.Do(adapter.Done(s.answer.Ranked(ranked))), nil
}
