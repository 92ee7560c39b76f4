package ollama

import (
	"strconv"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// request is a request under construction.
type request struct {
	call      *normal.Call
	w         json.Writer
	options   json.Value // of the contract
	keepAlive string
	chosen    []normal.Field // options of the request
}

// chat writes what /api/chat is asked.
func (r *request) chat() error {
	if err := r.messages(); err != nil {
		return err
	}
	for name, v := range r.call.Body.Fields() {
		if err := r.parameter(name, v); err != nil {
			return err
		}
	}
	if err := r.choice(r.call.Body.Get("tool_choice").Text()); err != nil {
		return err
	}
	return r.writeOptions()
}

// parameter writes one parameter of a chat. One that says nothing is left out.
func (r *request) parameter(name string, v json.Value) error {
	if !v.Exists() {
		return nil
	}
	switch name {
	case "model", "messages", "tools", "tool_choice": // written elsewhere
	case "temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty":
		r.option(name, v)
	case "max_tokens":
		r.option("num_predict", v)
	case "stop":
		if !v.Empty() {
			r.option("stop", v)
		}
	case "response_schema":
		r.w.Key("format")
		r.w.Raw(v)
	case "json_object":
		if v.True() && !r.call.Body.Get("response_schema").Exists() {
			r.w.Key("format")
			r.w.String("json")
		}
	case "parallel_tool_calls":
		if !v.True() {
			return r.call.Cannot("chat.parallel_tool_calls", "Ollama has no way to forbid it")
		}
	case "reasoning":
		return r.reasoning(v)
	default:
		if !v.Empty() {
			return r.call.Cannot("chat."+name, "Ollama has no such parameter")
		}
	}
	return nil
}

// choice writes the tools, unless none may be called.
func (r *request) choice(choice string) error {
	switch choice {
	case "", "auto":
	case "none":
		return nil // a tool that the model does not know it does not call
	default:
		if err := r.call.Cannot("chat.tool_choice", "Ollama leaves it to the model whether it calls a tool"); err != nil {
			return err
		}
	}
	tools, err := r.call.Tools()
	if err != nil || len(tools) == 0 {
		return err
	}
	r.w.Key("tools")
	r.w.Begin('[')
	for _, tool := range tools {
		r.tool(&tool)
	}
	r.w.End(']')
	return nil
}

func (r *request) tool(t *normal.Tool) {
	r.w.Begin('{')
	r.w.Key("type")
	r.w.String("function")
	r.w.Key("function")
	r.w.Begin('{')
	r.w.Key("name")
	r.w.String(t.Name)
	if t.Description != "" {
		r.w.Key("description")
		r.w.String(t.Description)
	}
	r.w.Key("parameters")
	if t.Parameters == nil {
		t.Parameters = json.Value(`{"type":"object","properties":{}}`) // which the API wants, where a tool takes none
	}
	r.w.Raw(t.Parameters)
	r.w.End('}')
	r.w.End('}')
}

func (r *request) reasoning(v json.Value) error {
	tokens, budgeted := v.Get("max_tokens").Int()
	switch effort := v.Get("effort").Text(); {
	case effort == "none" || budgeted && tokens == 0:
		r.w.Key("think")
		r.w.Bool(false)
	case effort == "low" || effort == "medium" || effort == "high":
		r.w.Key("think")
		r.w.String(effort)
	case effort != "":
		return r.call.Cannot("chat.reasoning.effort", "Ollama knows none, low, medium and high, not "+strconv.Quote(effort))
	case budgeted:
		return r.call.Cannot("chat.reasoning.max_tokens", "Ollama does not count the tokens of a thought")
	}
	return nil
}

func (r *request) option(name string, v json.Value) {
	r.chosen = append(r.chosen, normal.Field{Name: name, Value: v})
}

// writeOptions writes the request's options and the contract's.
func (r *request) writeOptions() error {
	all := r.chosen
	for name, v := range r.options.Fields() {
		for _, f := range r.chosen {
			if f.Name == name {
				return normal.BadSetting("options."+name, "is what the request itself says")
			}
		}
		all = append(all, normal.Field{Name: name, Value: v})
	}
	if len(all) == 0 {
		return nil
	}
	r.w.Key("options")
	r.w.Begin('{')
	for _, f := range all {
		r.w.Key(f.Name)
		r.w.Raw(f.Value)
	}
	r.w.End('}')
	return nil
}

// code writes what /api/generate is asked.
func (r *request) code() error {
	for name, v := range r.call.Body.Fields() {
		switch name {
		case "model":
		case "prompt", "suffix":
			if !v.Empty() {
				r.w.Key(name)
				r.w.Raw(v)
			}
		case "max_tokens":
			if v.Exists() {
				r.option("num_predict", v)
			}
		default:
			if !v.Empty() {
				if err := r.call.Cannot("code."+name, "Ollama has no such parameter"); err != nil {
					return err
				}
			}
		}
	}
	return r.writeOptions()
}

// embedding writes what /api/embed is asked, and returns the number of texts.
func (r *request) embedding() (inputs uint32, err error) {
	for name, v := range r.call.Body.Fields() {
		switch name {
		case "model":
		case "input":
			for range v.Items() {
				inputs++
			}
			r.w.Key("input")
			r.w.Raw(v)
		case "dimensions":
			if v.Exists() {
				r.w.Key("dimensions")
				r.w.Raw(v)
			}
		default:
			if !v.Empty() {
				if err := r.call.Cannot("embedding."+name, "Ollama has no such parameter"); err != nil {
					return 0, err
				}
			}
		}
	}
	if inputs == 0 {
		return 0, normal.Invalid("embedding.input", "there is no text")
	}
	r.w.Key("truncate")
	r.w.Bool(false)
	return inputs, r.writeOptions()
}
