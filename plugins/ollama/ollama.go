// Package ollama is the adapter "ollama": Ollama's own API, /api/chat, /api/generate and /api/embed, streams as NDJSON. Servers that
// are asked over Ollama's /v1 paths, which follow OpenAI, are the adapter openai's.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model       the model, where the request names none
//	models      list of models; the first is used where neither the request nor model names one
//	keep_alive  how long the model stays in memory, such as "10m"
//	options     an object of model options beside those of the request, such as {"num_ctx": 8192}; an option that the request
//	            itself gives is refused
//
// # What is understood
//
// Of intents chat, embedding and code. A code is asked of /api/generate: what stands before and, for models that fill in, behind
// the place. Images come as data, since the server fetches none. A tool's message is sent with the name of the tool, which
// is found by tool_call_id among the calls before; a call to which the server gives no id is named by its place, "call_0". Effort
// "none" and a thought of 0 tokens turn thinking off, "low", "medium" and "high" set its level. A response_schema is the
// format that the answer must have.
//
// Texts to be embedded that are longer than the model can read are refused by the server, instead of being cut in silence.
//
// Ollama says "stop" where tools are called; the result says "tool_calls". Old servers give no reason at all, the result none either.
package ollama

import (
	"errors"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks Ollama's API; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "ollama", Version: "1.0.0", Description: "Ollama's own API: chat with tools and thoughts, completions, embeddings"}
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
	switch ev.Kind {
	case adapter.KindResponse:
		if ev.Status < 200 || ev.Status > 299 {
			return adapter.Reply{}, refusal(ev.Status, ev.Body)
		}
		if s.stream {
			return adapter.Reply{State: before}, nil
		}
		return s.whole(ev.Body)
	case adapter.KindFrame:
		return s.frame(ev.Data)
	case adapter.KindEnd:
		return s.end()
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	call, err := normal.Start(ev, "chat", "embedding", "code")
	if err != nil {
		return adapter.Reply{}, err
	}
	r := request{call: call, options: call.Settings.Object("options"), keepAlive: call.Settings.Text("keep_alive", "")}
	s := state{kind: call.Kind, stream: call.Stream && call.Kind != "embedding"}
	r.w.Begin('{')
	model, err := call.Model()
	if err != nil {
		return adapter.Reply{}, err
	}
	if err := call.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	r.w.Key("model")
	r.w.String(model)
	path := ""
	switch call.Kind {
	case "chat":
		path, err = "/api/chat", r.chat()
	case "code":
		path, err = "/api/generate", r.code()
	default:
		path = "/api/embed"
		s.inputs, err = r.embedding()
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	if r.keepAlive != "" {
		r.w.Key("keep_alive")
		r.w.String(r.keepAlive)
	}
	if call.Kind != "embedding" {
		r.w.Key("stream") // the server streams unless it is told not to
		r.w.Bool(s.stream)
	}
	r.w.End('}')
	s.answer.Warnings = call.Warnings
	ask := normal.Post(call.Base+path, r.w.Bytes())
	if s.stream {
		ask = normal.PostStream("ndjson", call.Base+path, r.w.Bytes())
	}
	return adapter.Reply{State: s.bytes(), Actions: []adapter.Action{ask}}, nil
}

// refusal maps an answer that is no 2xx. A 404 is a model that nobody pulled, since every path that is asked exists.
func refusal(status int, body []byte) error {
	err := normal.Refusal(status, body)
	var f *adapter.Failure
	if status == 404 && errors.As(err, &f) {
		f.Reason = adapter.ModelNotFound
	}
	return err
}

// state is what must be known when the next event comes.
type state struct {
	kind   string
	stream bool
	inputs uint32 // embedding: texts that were sent
	answer normal.Answer
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Text(1, s.kind)
	e.Flag(2, s.stream)
	e.Number(3, s.inputs)
	mark := e.Open(4)
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
			s.stream = d.Flag()
		case 3:
			s.inputs = d.Number()
		case 4:
			s.answer, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	return s, d.Err
}

// parse reads a document of the server's, and what it says instead of an answer.
func parse(doc []byte, what string) (json.Value, error) {
	v, err := json.Parse(doc)
	if err != nil {
		return nil, normal.Nonsense(what + err.Error())
	}
	if v.Get("error").Exists() {
		return nil, normal.ErrorInside(v)
	}
	return v, nil
}
