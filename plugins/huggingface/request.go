package huggingface

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// request is a request under construction.
type request struct {
	call       *normal.Call
	extra      json.Value // the setting parameters
	prompts    json.Value // the setting prompts
	parameters json.Writer
}

// ask returns the call that does the work.
func (r *request) ask(s *state, url string) (adapter.Action, error) {
	r.parameters.Begin('{')
	switch s.kind {
	case "code":
		body, err := r.generate()
		if s.stream {
			return normal.PostStream("sse", url, body), err
		}
		return normal.Post(url, body), err
	case "embedding":
		body, err := r.embed(s)
		return normal.Post(url, body), err
	case "rerank":
		body, err := r.rerank(s)
		return normal.Post(url, body), err
	case "image":
		body, err := r.image()
		return media(normal.Post(url, body), r.call.Body.Get("media_type").Text(), "image/*"), err
	case "speech":
		body, err := r.task(r.call.Body.Get("text"), "model", "text", "media_type")
		return media(normal.Post(url, body), r.call.Body.Get("media_type").Text(), "audio/*"), err
	case "transcription":
		return r.transcription(url)
	}
	body, err := r.payload()
	return normal.Post(url, body), err
}

// media asks for an answer of that media type, or of any of its kind.
func media(ask adapter.Action, wanted, kind string) adapter.Action {
	if wanted == "" {
		wanted = kind
	}
	for i := range ask.Headers {
		if ask.Headers[i].Name == "Accept" {
			ask.Headers[i].Value = wanted
		}
	}
	return ask
}

// parameter writes one of a task's parameters, unless it is not there.
func (r *request) parameter(name string, v json.Value) {
	if v.Exists() {
		r.parameters.Key(name)
		r.parameters.Raw(v)
	}
}

// task writes {"inputs", "parameters"}, and says of which fields of the intent nothing is lost.
func (r *request) task(inputs json.Value, taken ...string) ([]byte, error) {
	if err := r.call.Takes(taken...); err != nil {
		return nil, err
	}
	r.parameters.End('}')
	parameters, err := normal.Extend(r.parameters.Bytes(), "parameters", r.extra)
	if err != nil {
		return nil, err
	}
	var w json.Writer
	w.Begin('{')
	w.Key("inputs")
	w.Raw(inputs)
	if !json.Value(parameters).Empty() {
		w.Key("parameters")
		w.Raw(parameters)
	}
	w.End('}')
	return w.Bytes(), nil
}

// generate asks for a text to be continued, and for what says why it ended.
func (r *request) generate() ([]byte, error) {
	r.parameter("max_new_tokens", r.call.Body.Get("max_tokens"))
	r.parameter("details", json.Value("true"))
	r.parameter("return_full_text", json.Value("false"))
	return r.task(r.call.Body.Get("prompt"), "model", "prompt", "max_tokens")
}

// embed asks for vectors. Texts that are too long are refused by the server, instead of being cut in silence.
func (r *request) embed(s *state) ([]byte, error) {
	var w json.Writer
	w.Begin('{')
	w.Key("inputs")
	w.Raw(r.call.Body.Get("input"))
	for range r.call.Body.Get("input").Items() {
		s.inputs++
	}
	if s.inputs == 0 {
		return nil, normal.Invalid("embedding.input", "there is no text")
	}
	if purpose := r.call.Body.Get("purpose").Text(); purpose != "" {
		if name := r.prompts.Get(purpose); name.Kind() == json.String {
			w.Key("prompt_name")
			w.Raw(name)
		} else if err := r.call.Cannot("embedding.purpose", "adapter.settings.prompts has no name for "+strconv.Quote(purpose)); err != nil {
			return nil, err
		}
	}
	if r.extra.Get("truncate") == nil {
		w.Key("truncate")
		w.Bool(false)
	}
	w.End('}')
	if err := r.call.Takes("model", "input", "purpose"); err != nil {
		return nil, err
	}
	return normal.Extend(w.Bytes(), "parameters", r.extra)
}

// rerank asks for the order of texts. The answer is always of all of them; what is not wanted of it is cut off later.
func (r *request) rerank(s *state) ([]byte, error) {
	var w json.Writer
	w.Begin('{')
	w.Key("query")
	w.Raw(r.call.Body.Get("query"))
	w.Key("texts")
	w.Raw(r.call.Body.Get("documents"))
	w.End('}')
	for range r.call.Body.Get("documents").Items() {
		s.inputs++
	}
	s.most = s.inputs
	if n, ok := r.call.Body.Get("top_n").Int(); ok && n < int64(s.inputs) {
		s.most = uint32(max(n, 1))
	}
	if err := r.call.Takes("model", "query", "documents", "top_n"); err != nil {
		return nil, err
	}
	return normal.Extend(w.Bytes(), "parameters", r.extra)
}

func (r *request) image() ([]byte, error) {
	taken := []string{"model", "prompt", "size", "negative_prompt", "seed", "media_type"}
	if n, ok := r.call.Body.Get("count").Int(); ok && n == 1 {
		taken = append(taken, "count")
	}
	if width, height, ok := strings.Cut(r.call.Body.Get("size").Text(), "x"); ok {
		r.parameter("width", json.Value(width)) // digits, as the request's pattern has it
		r.parameter("height", json.Value(height))
	}
	if avoid := r.call.Body.Get("negative_prompt"); !avoid.Empty() {
		r.parameter("negative_prompt", avoid)
	}
	r.parameter("seed", r.call.Body.Get("seed"))
	return r.task(r.call.Body.Get("prompt"), taken...)
}

// transcription sends the audio as it is; only where there are parameters it goes, in base64, into a document with them.
func (r *request) transcription(url string) (adapter.Action, error) {
	encoded := r.call.Body.Get("audio")
	if encoded.Empty() {
		return adapter.Action{}, adapter.Unsupported("transcription.url", "Hugging Face fetches nothing; send the audio itself")
	}
	if !r.extra.Empty() {
		body, err := r.task(encoded, "model", "audio", "media_type")
		return normal.Post(url, body), err
	}
	if err := r.call.Takes("model", "audio", "media_type"); err != nil {
		return adapter.Action{}, err
	}
	audio, ok := normal.Bytes(encoded)
	if !ok {
		return adapter.Action{}, normal.Invalid("transcription.audio", "it is no base64")
	}
	kind := r.call.Body.Get("media_type").Text()
	if kind == "" {
		kind = "application/octet-stream"
	}
	return adapter.HTTP("POST", url, audio, adapter.Header{Name: "Content-Type", Value: kind}, adapter.Header{Name: "Accept", Value: "application/json"}), nil
}

// payload writes any other task as the request has it.
func (r *request) payload() ([]byte, error) {
	if !r.extra.Empty() {
		return nil, normal.BadSetting("parameters", "is not added to a payload, which is posted as it is")
	}
	return r.call.Body, nil
}
