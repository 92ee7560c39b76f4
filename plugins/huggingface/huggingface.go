// Package huggingface is the adapter "huggingface-tasks": what Hugging Face's models do beside chat, at its inference
// providers, at endpoints of one's own, and of Text Generation Inference (TGI) and Text Embeddings Inference (TEI). Chat follows
// OpenAI there and is the adapter huggingface's.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model       the model, where the request names none
//	models      list of models; the first is used where neither the request nor model names one
//	path        below base_url; {model} in it is the model. Default "/models/{model}", of an embedding
//	            "/models/{model}/pipeline/feature-extraction", of a code "/generate" (with deltas "/generate_stream"), of a rerank
//	            "/rerank". An endpoint of one's own serves one model at ""
//	parameters  an object whose fields are added to the request's parameters, such as {"num_inference_steps": 30}; of an
//	            embedding to the request itself
//	prompts     the names under which a model knows what its vectors are for, by purpose, such as {"query": "query"}; a purpose that
//	            has none is refused
//
// # What is understood
//
//	intent         task                           answer
//	code           text generation                generated_text
//	embedding      feature extraction             one vector for each text; a model that gives one for each token is an error
//	rerank         sentence ranking of TEI        index and score
//	image          text to image                  the picture's bytes
//	speech         text to speech                 the audio's bytes
//	transcription  automatic speech recognition   text; the API dates passages, not words
//	payload        any task                       what it gives; what is no object as {"value": ...}
//
// A payload is a task's own input, such as {"inputs": "...", "parameters": {...}}, and is posted as it is.
package huggingface

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Hugging Face's tasks; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "huggingface-tasks", Version: "1.0.0", Description: "Hugging Face's tasks: text generation, embeddings, images, speech, any other"}
}

// Step asks at the start, and reads the answer.
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
		return s.whole(ev)
	case adapter.KindFrame:
		return s.frame(ev.Data)
	case adapter.KindEnd:
		return adapter.Reply{}, normal.BrokeOff("it gave no generated_text")
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	call, err := normal.Start(ev, "code", "embedding", "rerank", "image", "speech", "transcription", "payload")
	if err != nil {
		return adapter.Reply{}, err
	}
	r := request{call: call, extra: call.Settings.Object("parameters"), prompts: call.Settings.Object("prompts")}
	s := state{kind: call.Kind, stream: call.Stream && call.Kind == "code"}
	path := call.Settings.Text("path", defaultPath(s.kind, s.stream))
	model, noModel := call.Model()
	if err := call.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if strings.Contains(path, "{model}") {
		if noModel != nil {
			return adapter.Reply{}, noModel
		}
		path = strings.ReplaceAll(path, "{model}", escape(model))
		s.answer.Model = model
	} else if wanted := call.Body.Get("model").Text(); wanted != "" && call.Kind != "payload" {
		if err := call.Cannot(call.Kind+".model", "what stands at adapter.settings.path serves one model"); err != nil {
			return adapter.Reply{}, err
		}
	}
	ask, err := r.ask(&s, call.Base+path)
	if err != nil {
		return adapter.Reply{}, err
	}
	s.answer.Warnings = call.Warnings
	return adapter.Reply{State: s.bytes(), Actions: []adapter.Action{ask}}, nil
}

func defaultPath(kind string, stream bool) string {
	switch kind {
	case "code":
		if stream {
			return "/generate_stream"
		}
		return "/generate"
	case "embedding":
		return "/models/{model}/pipeline/feature-extraction"
	case "rerank":
		return "/rerank"
	}
	return "/models/{model}"
}

// escape writes a model's name, OWNER/NAME, into a path.
func escape(model string) string {
	parts := strings.Split(model, "/")
	for i := range parts {
		parts[i] = normal.Escape(parts[i])
	}
	return strings.Join(parts, "/")
}

// refusal maps an answer that is no 2xx: {"error", "error_type"}, and {"error", "estimated_time"} of a model that is being loaded.
func refusal(status int, body []byte) error {
	err := normal.Refusal(status, body)
	var f *adapter.Failure
	v, bad := json.Parse(body)
	if bad != nil || !errors.As(err, &f) {
		return err
	}
	kind, said := v.Get("error_type").Text(), v.Get("error").Text()
	switch {
	case kind == "overloaded":
		f.Code, f.Reason = adapter.Overloaded, adapter.Overload // with a 429, though nobody asked too often
	case kind == "validation" && strings.Contains(said, "tokens") && strings.Contains(said, "must be <="):
		f.Reason, f.Retryable = adapter.ContextTooLong, true
	case status == 404 || strings.Contains(said, "Model not supported"):
		f.Reason, f.Retryable = adapter.ModelNotFound, true
	}
	return err
}

// state is what must be known when the next event comes.
type state struct {
	kind   string
	stream bool
	inputs uint32 // embedding and rerank: texts that were sent
	most   uint32 // rerank: how many of them are wanted
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
	e.Number(5, s.most)
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
			s.most = d.Number()
		}
	}
	return s, d.Err
}
