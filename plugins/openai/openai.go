// Package openai is the adapter "openai": servers that speak OpenAI's API for chat completions and embeddings, OpenAI's own
// and the many that follow it.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model             the model, where the request names none
//	models            list of models; the first is used where neither the request nor model names one
//	path_prefix       between base_url and /chat/completions; default "/v1", or "" where base_url already ends in a
//	                  version such as /v1 or /v1beta
//	max_tokens_field  the name under which chat.max_tokens is sent; default "max_tokens", newer models of OpenAI want
//	                  "max_completion_tokens"
//	strict_schema     whether a response_schema must be kept to the letter; default true. OpenAI then demands that every object lists
//	                  all its properties as required and forbids others
//	stream_usage      whether to ask for usage at the end of streams; default true. For servers that refuse stream_options
//	stream_done       whether a stream must end in "data: [DONE]"; default true. For servers that never send it; a finish_reason
//	                  is then enough
//	extra_body        an object whose fields are added to every request, such as {"reasoning_effort": "low"}; fields that this adapter
//	                  writes itself are refused
//
// Timeouts and retries are the host's.
//
// # What is understood
//
// Of intents chat and embedding, of chat every parameter of its message, of parts text, images (URL or data), WAV and MP3
// audio and PDF files as data. What the API has no way to say is refused with the parameter's name, never dropped; parameters a
// single provider does not take are left for it to refuse. Of answers the first choice: text (a refusal counts as text and is marked in
// metadata.refusal), tool calls, finish reason, model, usage; reasoning, where a server sends it, as metadata.reasoning.
//
// Streams are handed on piece by piece, text as text, tool calls as {"tool_calls":[{"index","id","name","arguments"}]}
// in data; the final result is the whole. A stream that ends before its finish reason and its [DONE] is an error, as is
// an error inside a 200.
package openai

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks OpenAI's API; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "openai", Version: "1.0.0", Description: "Servers that speak OpenAI's API: chat with tools, streams, embeddings"}
}

// Step asks at the start, and puts the answer together.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	s, err := recall(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		if ev.Status < 200 || ev.Status > 299 {
			return adapter.Reply{}, refusal(ev.Status, ev.Body)
		}
		return s.answer(state, ev)
	case adapter.KindFrame:
		return s.frame(ev)
	case adapter.KindEnd:
		return s.end()
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	contract, err := json.Parse(ev.Contract)
	if err != nil {
		return adapter.Reply{}, errors.New("contract: " + err.Error())
	}
	intent, err := json.Parse(ev.Intent)
	if err != nil {
		return adapter.Reply{}, errors.New("intent: " + err.Error())
	}
	set, err := readSettings(contract)
	if err != nil {
		return adapter.Reply{}, err
	}
	for name, body := range intent.Fields() {
		switch name {
		case "type", "domain":
		case "chat":
			return set.chat(body, ev.Stream)
		case "embedding":
			return set.embedding(body, ev.Stream)
		default:
			return adapter.Reply{}, adapter.Unsupported("intent."+name, "this adapter does chat and embedding")
		}
	}
	return adapter.Reply{}, adapter.Unsupported("intent", "it has neither chat nor embedding")
}

// settings are a contract's, read and checked.
type settings struct {
	base           string // base_url and prefix
	model          string
	maxTokensField string
	lax            bool // not strict_schema
	noUsage        bool // not stream_usage
	noDone         bool // not stream_done
	extra          json.Value
}

func readSettings(contract json.Value) (s settings, err error) {
	s.maxTokensField = "max_tokens"
	base := strings.TrimRight(contract.Get("base_url").Text(), "/")
	if base == "" {
		return s, &adapter.Failure{Code: adapter.TransformationFailed, Message: "the contract's api.base_url is empty", Retryable: true}
	}
	prefix := "/v1"
	if endsInVersion(base) {
		prefix = ""
	}
	firstModel := ""
	for name, v := range contract.Get("settings").Fields() {
		want := json.String
		switch name {
		case "model":
			s.model = v.Text()
		case "models":
			want = json.Array
			firstModel = v.Pointer("/0").Text()
		case "path_prefix":
			prefix = strings.Trim(v.Text(), "/")
			if prefix != "" {
				prefix = "/" + prefix
			}
		case "max_tokens_field":
			s.maxTokensField = v.Text()
		case "strict_schema":
			want, s.lax = json.Bool, !v.True()
		case "stream_usage":
			want, s.noUsage = json.Bool, !v.True()
		case "stream_done":
			want, s.noDone = json.Bool, !v.True()
		case "extra_body":
			want, s.extra = json.Object, v
		default:
			return s, badSetting(name, "is not known; there are model, models, path_prefix, max_tokens_field, strict_schema, stream_usage, stream_done, extra_body")
		}
		if v.Kind() != want {
			return s, badSetting(name, "has the wrong type")
		}
	}
	if s.model == "" {
		s.model = firstModel
	}
	if s.maxTokensField == "" {
		return s, badSetting("max_tokens_field", "is empty")
	}
	s.base = base + prefix
	return s, nil
}

func badSetting(name, what string) error {
	return &adapter.Failure{Code: adapter.TransformationFailed, Message: "adapter.settings." + name + " " + what, Retryable: true}
}

// endsInVersion reports whether a URL's path ends in a segment such as v1, v4 or v1beta.
func endsInVersion(base string) bool {
	_, rest, _ := strings.Cut(base, "://")
	slash := strings.LastIndexByte(rest, '/')
	if slash < 0 {
		return false
	}
	segment := rest[slash+1:]
	return len(segment) >= 2 && segment[0] == 'v' && segment[1] >= '0' && segment[1] <= '9'
}

// post builds the call; body is the request under construction, whose fields so far may not come again in extra_body.
func (s *settings) post(path string, w *json.Writer, accept string) (adapter.Action, error) {
	for name, v := range s.extra.Fields() {
		w.Key(name)
		w.Raw(v)
	}
	w.End('}')
	if s.extra != nil {
		seen := map[string]bool{}
		for name := range json.Value(w.Bytes()).Fields() {
			if seen[name] {
				return adapter.Action{}, badSetting("extra_body."+name, "is what the request itself says")
			}
			seen[name] = true
		}
	}
	return adapter.HTTP("POST", s.base+path, w.Bytes(),
		adapter.Header{Name: "Content-Type", Value: "application/json"}, adapter.Header{Name: "Accept", Value: accept}), nil
}

// pick writes the model: the request's, else the contract's.
func (s *settings) pick(w *json.Writer, parameter, wanted string) error {
	if wanted == "" {
		wanted = s.model
	}
	if wanted == "" {
		return adapter.Unsupported(parameter, "neither the request nor adapter.settings names a model")
	}
	w.Key("model")
	w.String(wanted)
	return nil
}
