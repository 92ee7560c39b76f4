package openai

import (
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// chat asks for a completion.
func (r *request) chat() (adapter.Reply, error) {
	if err := r.begin(); err != nil {
		return adapter.Reply{}, err
	}
	for name, v := range r.Body.Fields() {
		if err := r.parameter(name, v); err != nil {
			return adapter.Reply{}, err
		}
	}
	return r.postStreamed(r.d.Paths.Chat)
}

// postStreamed ends the body of what comes in pieces, where they are wanted.
func (r *request) postStreamed(path string) (adapter.Reply, error) {
	switch {
	case r.Stream:
		r.raw(`"stream":true`)
		if r.set.askUsage {
			r.raw(`"stream_options":{"include_usage":true}`)
		}
	case r.d.SayStream:
		r.raw(`"stream":false`)
	}
	return r.post(path, state{stream: r.Stream, done: r.set.done})
}

// parameter writes one parameter of a chat.
func (r *request) parameter(name string, v json.Value) error {
	at := "chat." + name
	switch name {
	case "model":
		return nil
	case "messages":
		return r.messages()
	case "max_tokens":
		if v.Exists() {
			r.w.Key(r.set.maxTokens)
			r.w.Raw(v)
		}
		return nil
	case "tools":
		if !v.Empty() && r.d.Fields[at] != "" {
			return r.tools()
		}
	case "tool_choice":
		if !v.Empty() && r.d.Fields[at] != "" {
			return r.toolChoice(v)
		}
	case "response_schema":
		if v.Exists() { // {} is a schema, too
			return r.schema(v)
		}
		return nil
	case "json_object":
		if v.True() && !r.Body.Get("response_schema").Exists() {
			return r.jsonObject()
		}
		return nil
	case "reasoning":
		return r.reasoning(v)
	}
	return r.plain(at, v)
}

func (r *request) schema(schema json.Value) error {
	if r.set.schema == "" {
		return r.Cannot("chat.response_schema", "the API takes no schema")
	}
	r.w.Key("response_format")
	r.w.Begin('{')
	r.raw(`"type":"json_schema"`)
	r.w.Key(r.set.schema)
	r.w.Begin('{')
	r.raw(`"name":"response"`)
	r.w.Key("schema")
	r.w.Raw(schema)
	if r.d.Strict {
		r.w.Key("strict")
		r.w.Bool(r.set.strict)
	}
	r.w.End('}')
	r.w.End('}')
	return nil
}

// jsonObject asks for an object of whatever form.
func (r *request) jsonObject() error {
	switch {
	case r.d.JSONObject:
		r.raw(`"response_format":{"type":"json_object"}`)
		return nil
	case r.set.schema != "":
		r.set.strict = false // what is strict names every property
		return r.schema(json.Value(`{"type":"object"}`))
	}
	return r.Cannot("chat.json_object", "the API has no such mode")
}

// reasoning says how much is to be thought: a word of the dialect's. No tokens at all are the word none.
func (r *request) reasoning(v json.Value) error {
	for name, v := range v.Fields() {
		at, word := "chat.reasoning."+name, v.Text()
		switch name {
		case "effort":
		case "max_tokens":
			if n, ok := v.Int(); ok && n == 0 {
				word = "none"
			}
		}
		switch {
		case word == "" && !v.Exists(), word == "" && name == "effort" && v.Empty():
		case word == "":
			if err := r.Cannot(at, "the API has no such parameter"); err != nil {
				return err
			}
		case r.d.Efforts[word] == "":
			if err := r.Cannot(at, "the API has no such effort; it has "+r.d.effortWords()); err != nil {
				return err
			}
		default:
			r.raw(r.d.Efforts[word])
		}
	}
	return nil
}

// effortWords names the words of an effort that the dialect has.
func (d *Dialect) effortWords() string {
	var words []string
	for _, word := range [...]string{"none", "minimal", "low", "medium", "high"} {
		if d.Efforts[word] != "" {
			words = append(words, word)
		}
	}
	if words == nil {
		return "none at all"
	}
	return strings.Join(words, ", ")
}

func (r *request) toolChoice(v json.Value) error {
	name := v.Text()
	switch {
	case name == "auto" || name == "none" || name == "required":
		r.w.Key("tool_choice")
		r.w.Raw(v)
		return nil
	case r.d.Tool == "":
		return r.Cannot("chat.tool_choice", "the API takes auto, none, required, no tool's name")
	}
	r.raw(`"tool_choice":` + strings.Replace(r.d.Tool, "NAME", string(json.AppendString(nil, name)), 1))
	return nil
}
