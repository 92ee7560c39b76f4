// Package openai holds the adapters of the providers that speak OpenAI's API: OpenAI's own and the many that follow it. They
// are one core; what differs between providers is a [Dialect], which is data.
//
// # Settings
//
// All are optional, what they say stands over what the dialect says; a setting that is not listed is an error.
//
//	model             the model, where the request names none
//	models            list of models; the first is used where neither the request nor model names one
//	path_prefix       between base_url and /chat/completions; default of most "/v1", or "" where base_url already ends in a
//	                  version such as /v1 or /v1beta
//	max_tokens_field  the name under which chat.max_tokens is sent; default of "openai" is "max_tokens", newer models of
//	                  OpenAI want "max_completion_tokens"
//	strict_schema     whether a response_schema must be kept to the letter. OpenAI then demands that every object lists all
//	                  its properties as required and forbids others
//	schema_field      the field of response_format that holds the schema; default of most "json_schema"
//	thoughts_field    the field of an assistant's message in which its thoughts are handed back, such as
//	                  "reasoning_content"; default of "openai": none
//	stream_usage      whether to ask for usage at the end of streams. For servers that refuse stream_options
//	stream_done       whether a stream must end in "data: [DONE]". For servers that never send it; a finish_reason is then enough
//	api               "chat" (default), or "responses": chats go to /responses, where the dialect has it. Thoughts then come with what
//	                  is needed to hand them back, if extra_body asks for it: {"include": ["reasoning.encrypted_content"]}.
//	                  "tasks" of "huggingface": vectors are made by the task feature-extraction
//	reasoning_summary with api responses: the summary of thoughts that is asked for with a chat's reasoning, such as "auto"
//	voice             who speaks, where the request names none
//	extra_body        an object whose fields are added to every request, such as {"service_tier": "flex"}; fields that this adapter
//	                  writes itself are refused
//
// and of "azure-openai"
//
//	deployment        the deployment; default the model's name
//	api_version       the query api-version; "" leaves it out
//
// Timeouts and retries are the host's; so are credentials, which Azure wants in the header api-key.
//
// # What is understood
//
// Of intents those that the dialect has a path for. Of a chat every parameter that the dialect has a field for, of parts text,
// images (URL or data) and what else the dialect says. What a provider has no way to say is refused with the parameter's name,
// or left out with a warning, as the request says; what only some models of a provider do not take is left for it to refuse.
// Of answers the first choice: text (a refusal counts as text and is marked in metadata.refusal), thoughts, tool calls, finish
// reason, model, usage with cached and reasoning tokens, cost where the provider says it. Where reasoning tokens are counted
// beside those of the answer (xAI), the result has them among its output tokens, as the normal form wants.
//
// A stream that ends before its finish reason and its [DONE] is an error, as is an error inside a 200.
package openai

import (
	"errors"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// Adapter speaks one dialect of OpenAI's API.
type Adapter struct{ d *Dialect }

// New returns the adapter of a dialect, such as OpenAI().
func New(d Dialect) Adapter { return Adapter{&d} }

// Info names the adapter.
func (a Adapter) Info() adapter.Info {
	return adapter.Info{Name: a.d.Name, Version: "1.0.0", Description: a.d.Description}
}

// Step asks at the start, and puts the answer together.
func (a Adapter) Step(before []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return a.start(ev)
	}
	if ev.Kind == adapter.KindFrame {
		return a.StepFrames(before, []adapter.Frame{{Name: ev.Name, Data: ev.Data}})
	}
	s, err := recall(before)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		if ev.Status < 200 || ev.Status > 299 {
			return adapter.Reply{}, normal.Refusal(ev.Status, ev.Body)
		}
		return s.answer(a.d, before, ev)
	case adapter.KindEnd:
		last, err := s.end()
		return adapter.Reply{Actions: last}, err
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

func (a Adapter) start(ev *adapter.Event) (adapter.Reply, error) {
	call, err := normal.Start(ev, a.d.kinds()...)
	if err != nil {
		return adapter.Reply{}, err
	}
	set, err := a.d.settings(call)
	if err != nil {
		return adapter.Reply{}, err
	}
	r := request{Call: call, d: a.d, set: set}
	switch call.Kind {
	case "chat":
		if set.responses {
			return r.responses()
		}
		return r.chat()
	case "embedding":
		return r.embedding()
	case "code":
		return r.code()
	case "rerank":
		return r.rerank()
	case "search":
		return r.search()
	case "speech":
		return r.speech()
	case "transcription":
		return r.transcription()
	}
	return r.image()
}
