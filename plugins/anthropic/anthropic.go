// Package anthropic is the adapter "anthropic": Claude models by Anthropic's Messages API.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model       the model, where the request names none
//	models      list of models; the first is used where neither the request nor model names one
//	max_tokens  the most tokens that are generated where the request does not say, because the API must be told; default 4096
//	thinking    how chat.reasoning.effort is said: "effort" (default; newer models decide how much that is) or "budget", as models
//	            before Claude Opus 4.6 want it: minimal is 1024 tokens, low 2048, medium 8192, high 16384, at most half of
//	            chat.max_tokens where that is set, and in addition to max_tokens where not
//	schema_as   how chat.response_schema is said: "output_config" (default) or "tool", for models without structured outputs:
//	            the model is made to call a tool of that schema, whose arguments are the answer. chat.json_object is always said so
//	version     the API's version, default "2023-06-01"
//	betas       list of names that switch on what is not general yet, such as "context-1m-2025-08-07"
//	path        below base_url, default "/v1/messages"
//	extra_body  an object whose fields are added to every request, such as {"service_tier": "auto"}; fields that this adapter
//	            writes itself are refused
//
// # What is understood
//
// Of intents chat. Turns of one speaker that follow one another become one, so that the answers of tools that were called
// side by side stand together. Of parts text, pictures (JPEG, PNG, GIF, WebP) and PDF, both by URL or as data, and text
// files; a text with a name becomes a document. Thoughts are handed back with the provider's signature, hidden ones as they
// came. There is no way to say seed, penalties, speakers' names, a temperature above 1 or a system's message after others.
//
// Of answers text, thoughts, calls of tools, finish reason, usage with what was read from and put into the cache, citations
// (in metadata.citations) and why the model would not answer (metadata.stop_details), both in the provider's form. Tools that
// Anthropic runs itself leave no trace but what they cost: usage.units counts searches.
//
// A stream must end in message_stop. One in which a second message begins after the first has said something is an error,
// since what was handed on cannot be taken back.
package anthropic

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/claude"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks Anthropic's API; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "anthropic", Version: "1.0.0", Description: "Claude models by Anthropic's API: chat with tools, thinking, pictures, documents, streams"}
}

// Step asks at the start, and puts the answer together.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	a, err := claude.Recall(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		switch {
		case ev.Status < 200 || ev.Status > 299:
			return adapter.Reply{}, claude.Refusal(ev.Status, ev.Body)
		case a.Streams:
			return adapter.Reply{State: state}, nil
		}
		body, err := json.Parse(ev.Body)
		if err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
		return a.Whole(body)
	case adapter.KindFrame:
		event, err := json.Parse(ev.Data)
		if err != nil {
			return adapter.Reply{}, normal.Nonsense("has a frame that is " + err.Error())
		}
		return a.Frame(event)
	case adapter.KindEnd:
		return a.End()
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "chat")
	if err != nil {
		return adapter.Reply{}, err
	}
	r := claude.Request{Call: c, Stream: c.Stream}
	if r.Model, err = c.Model(); err != nil {
		return adapter.Reply{}, err
	}
	if r.Options, err = claude.ReadOptions(&c.Settings, 4096); err != nil {
		return adapter.Reply{}, err
	}
	headers := []adapter.Header{{Name: "anthropic-version", Value: c.Settings.Text("version", "2023-06-01")}}
	var betas []string
	for beta := range c.Settings.List("betas").Items() {
		betas = append(betas, beta.Text())
	}
	if betas != nil {
		headers = append(headers, adapter.Header{Name: "anthropic-beta", Value: strings.Join(betas, ",")})
	}
	url := strings.TrimSuffix(c.Base, "/v1") + c.Settings.Text("path", "/v1/messages")
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	body, asTool, err := r.Write()
	if err != nil {
		return adapter.Reply{}, err
	}
	a := claude.Answer{AsTool: asTool, Streams: c.Stream}
	a.Warnings = c.Warnings
	call := normal.Post(url, body, headers...)
	if c.Stream {
		call = normal.PostStream("sse", url, body, headers...)
	}
	return adapter.Reply{State: a.Bytes(), Actions: []adapter.Action{call}}, nil
}
