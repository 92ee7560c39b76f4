// Package claude is what the adapters share that speak to Claude models: the body of a Messages request, and its answer,
// whole or in the events of a stream. Anthropic itself and Bedrock's InvokeModel carry the same bodies.
//
// All of it is pure and for one goroutine, as a guest is.
package claude

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Options are the settings by which the models differ.
type Options struct {
	MaxTokens int64 // where the request names none; 0: not said
	Budget    bool  // thinking is asked for by a number of tokens, not by effort
	SchemaAs  string
	Extra     json.Value // fields that every request gets
}

// How a response_schema is asked for.
const (
	SchemaConfig = "output_config"
	SchemaTool   = "tool"
)

// AnswerTool is the tool that a model is made to call where an answer must be JSON and the API has no other way to say so.
const AnswerTool = "json_answer"

// ReadOptions reads the settings max_tokens (maxTokens where it is not there), thinking ("effort", "budget"), schema_as
// ("output_config", "tool") and extra_body.
func ReadOptions(s *normal.Settings, maxTokens int64) (o Options, err error) {
	o.MaxTokens = s.Number("max_tokens", maxTokens)
	thinking := s.Text("thinking", "effort")
	o.SchemaAs = s.Text("schema_as", SchemaConfig)
	o.Extra = s.Object("extra_body")
	switch {
	case o.MaxTokens < min(1, maxTokens):
		return o, normal.BadSetting("max_tokens", "must be above 0")
	case thinking != "effort" && thinking != "budget":
		return o, normal.BadSetting("thinking", "must be effort or budget")
	case o.SchemaAs != SchemaConfig && o.SchemaAs != SchemaTool:
		return o, normal.BadSetting("schema_as", "must be output_config or tool")
	}
	o.Budget = thinking == "budget"
	return o, nil
}

// Refusal maps an answer that is no 2xx. Anthropic says of an unknown model only that it was not found, with the model's name.
func Refusal(status int, body []byte) error {
	err := normal.Refusal(status, body)
	f, ok := err.(*adapter.Failure)
	if !ok {
		return err
	}
	if v, bad := json.Parse(body); bad == nil && f.Reason == "" {
		said := v.Get("error")
		switch kind := said.Get("type").Text(); {
		case kind == "not_found_error" && strings.HasPrefix(said.Get("message").Text(), "model:"):
			f.Reason = adapter.ModelNotFound
		case kind == "request_too_large" || status == 413:
			f.Reason = adapter.BadRequest // though another service may take it
		}
	}
	return f
}

// ID makes a tool call's id one that the API accepts, which not every other provider's is: what is outside [a-zA-Z0-9_-] and
// more becomes "_". A call and its answer get the same.
func ID(id, more string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', strings.ContainsRune(more, r):
			return r
		}
		return '_'
	}, id)
}

// CallID returns a call's id as ID makes it. A call of a provider that gives none, such as Gemini, is answered by its tool's name.
func CallID(call *normal.ToolCall, more string) string {
	if call.ID == "" {
		return ID(call.Name, more)
	}
	return ID(call.ID, more)
}

// System splits off the system messages with which a conversation begins, which have a place of their own; one that comes later
// has none, nor has a message that says nothing.
func System(c *normal.Call, list []normal.Message) (system, rest []normal.Message, err error) {
	for len(list) > 0 && list[0].Role == "system" {
		system, list = append(system, list[0]), list[1:]
	}
	for i := range list {
		m := &list[i]
		switch {
		case m.Role == "system":
			err = c.Cannot(m.At+".role", "the API takes a system's message only before all others")
		case m.Role != "tool" && m.Text == "" && len(m.Parts)+len(m.Thoughts)+len(m.Calls) == 0:
			err = c.Cannot(m.At+".content", "the API takes no message that says nothing")
		default:
			rest = append(rest, *m)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if len(rest) == 0 {
		return nil, nil, normal.Invalid("chat.messages", "nobody but the system says anything")
	}
	return system, rest, nil
}

// Inline takes a part's content out of a data URL (RFC 2397), which the API would not fetch.
func Inline(p *normal.Part) {
	rest, ok := strings.CutPrefix(p.URL, "data:")
	media, data, encoded := strings.Cut(rest, ";base64,")
	if !ok || !encoded {
		return
	}
	if p.URL, p.Data = "", data; p.Media == "" {
		p.Media = media
	}
}

// Speaker returns who speaks a message to the API: "user" or "assistant". What tools answer, the user hands over.
func Speaker(m *normal.Message) string {
	if m.Role == "assistant" {
		return "assistant"
	}
	return "user"
}

// Texts returns the texts of a system's message, which can hold nothing else.
func Texts(c *normal.Call, m *normal.Message) ([]string, error) {
	var list []string
	if m.Text != "" {
		list = append(list, m.Text)
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.IsText {
			if p.Text != "" {
				list = append(list, p.Text)
			}
			continue
		}
		if err := c.Cannot(p.At, "a system's message holds only text"); err != nil {
			return nil, err
		}
	}
	return list, NoName(c, m)
}

// NoName tells that there is no place for a speaker's name.
func NoName(c *normal.Call, m *normal.Message) error {
	if m.Name == "" || m.Role == "tool" { // a tool's name is that of the call, which the API knows by its id
		return nil
	}
	return c.Cannot(m.At+".name", "the API has no names of speakers")
}

// NoSignature tells that a call's signature, which another provider gave, cannot be handed back.
func NoSignature(c *normal.Call, m *normal.Message, i int) error {
	if m.Calls[i].Signature == "" {
		return nil
	}
	return c.Cannot(place(m.At, "tool_calls", i)+".signature", "the API's calls have none")
}

// place returns the path of an element.
func place(at, field string, i int) string { return at + "." + field + "[" + strconv.Itoa(i) + "]" }

// quoted quotes a foreign word for a message.
func quoted(s string) string { return strconv.Quote(normal.Clip(s)) }
