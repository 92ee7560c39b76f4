package claude

import (
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// least is the smallest number of tokens to think that the API takes.
const least = 1024

// budgets are the tokens that an effort is taken to mean.
var budgets = map[string]int64{"minimal": least, "low": 2048, "medium": 8192, "high": 16384}

// A Request is a Messages request that is written.
type Request struct {
	Call    *normal.Call
	Options Options
	Model   string // empty: it stands elsewhere
	Version string // of the body (anthropic_version); empty: it stands elsewhere
	Stream  bool   // the body says that the answer is to be a stream

	w      json.Writer
	asTool bool // the answer is made JSON by a tool
}

// Write returns the body, and whether the answer will be the arguments of AnswerTool.
func (r *Request) Write() (body []byte, asTool bool, err error) {
	c, w := r.Call, &r.w
	if err := c.Takes("model", "messages", "temperature", "top_p", "top_k", "max_tokens", "stop", "tools", "tool_choice",
		"parallel_tool_calls", "response_schema", "json_object", "reasoning"); err != nil {
		return nil, false, err
	}
	w.Begin('{')
	for _, f := range [...]struct{ name, value string }{{"anthropic_version", r.Version}, {"model", r.Model}} {
		if f.value != "" {
			w.Key(f.name)
			w.String(f.value)
		}
	}
	if err := r.messages(); err != nil {
		return nil, false, err
	}
	if err := r.sampling(); err != nil {
		return nil, false, err
	}
	effort, err := r.thinking()
	if err != nil {
		return nil, false, err
	}
	schema := r.schema()
	r.output(effort, schema)
	if err := r.tools(schema); err != nil {
		return nil, false, err
	}
	if r.Stream {
		w.Key("stream")
		w.Bool(true)
	}
	w.End('}')
	body, err = normal.Extend(w.Bytes(), "extra_body", r.Options.Extra)
	return body, r.asTool, err
}

func (r *Request) sampling() error {
	c, w := r.Call, &r.w
	if v := c.Body.Get("temperature"); v.Exists() {
		if t, _ := v.Float(); t > 1 {
			if err := c.Cannot("chat.temperature", "the API takes 0 to 1"); err != nil {
				return err
			}
		} else {
			w.Key("temperature")
			w.Raw(v)
		}
	}
	for _, name := range [...]string{"top_p", "top_k"} {
		if v := c.Body.Get(name); v.Exists() {
			w.Key(name)
			w.Raw(v)
		}
	}
	if v := c.Body.Get("stop"); !v.Empty() {
		w.Key("stop_sequences")
		w.Raw(v)
	}
	return nil
}

// thinking writes how much is thought and, because one bounds the other, how much is written. It returns the effort that
// is to be named in the output's configuration.
func (r *Request) thinking() (effort string, err error) {
	c, w := r.Call, &r.w
	limit, limited := c.Body.Get("max_tokens").Int()
	if !limited {
		limit = r.Options.MaxTokens
	}
	kind, budget := "", int64(0)
	reasoning := c.Body.Get("reasoning")
	asked := reasoning.Get("effort").Text()
	switch tokens, ok := reasoning.Get("max_tokens").Int(); {
	case asked == "none", ok && tokens == 0:
		kind = "disabled"
	case ok:
		kind, budget = "enabled", tokens
		switch {
		case tokens < least:
			kind, err = "", c.Cannot("chat.reasoning.max_tokens", "the API takes no less than 1024")
		case limited && tokens >= limit:
			kind, err = "", c.Cannot("chat.reasoning.max_tokens", "the API wants it below chat.max_tokens")
		}
	case asked == "":
	case r.Options.Budget:
		kind, budget = "enabled", budgets[asked]
		if limited {
			budget = min(budget, limit/2)
		}
		if budget < least {
			kind, err = "", c.Cannot("chat.reasoning.effort", "the API thinks with 1024 tokens at least, and chat.max_tokens leaves no room for them and an answer")
		}
	case asked == "minimal":
		err = c.Cannot("chat.reasoning.effort", "the API knows none, low, medium and high")
	default:
		kind, effort = "adaptive", asked
	}
	if err != nil {
		return "", err
	}
	if kind == "enabled" && !limited {
		limit += budget
	}
	w.Key("max_tokens")
	w.Int(limit)
	if kind != "" {
		w.Key("thinking")
		w.Begin('{')
		w.Key("type")
		w.String(kind)
		if kind == "enabled" {
			w.Key("budget_tokens")
			w.Int(budget)
		}
		w.End('}')
	}
	return effort, nil
}

// schema returns the schema that the answer must follow, nil if none, and decides how it is made to. An object of whatever form
// can only be had by a tool.
func (r *Request) schema() json.Value {
	v := r.Call.Body.Get("response_schema")
	switch {
	case v.Exists():
		r.asTool = r.Options.SchemaAs == SchemaTool
		return v
	case r.Call.Body.Get("json_object").True():
		r.asTool = true
		return json.Value(`{"type":"object"}`)
	}
	return nil
}

func (r *Request) output(effort string, schema json.Value) {
	if r.asTool {
		schema = nil
	}
	if effort == "" && schema == nil {
		return
	}
	w := &r.w
	w.Key("output_config")
	w.Begin('{')
	if effort != "" {
		w.Key("effort")
		w.String(effort)
	}
	if schema != nil {
		w.Key("format")
		w.Begin('{')
		w.Key("type")
		w.String("json_schema")
		w.Key("schema")
		w.Raw(schema)
		w.End('}')
	}
	w.End('}')
}

func (r *Request) tools(schema json.Value) error {
	c, w := r.Call, &r.w
	tools, err := c.Tools()
	if err != nil {
		return err
	}
	choice := c.Body.Get("tool_choice").Text()
	if len(tools) == 0 && choice != "" && choice != "auto" && choice != "none" {
		return normal.Invalid("chat.tool_choice", "there are no tools to choose from")
	}
	if r.asTool {
		switch {
		case len(tools) == 0 || choice == "none":
			choice = AnswerTool
		case choice == "" || choice == "auto":
			choice = "required"
		}
		tools = append(tools, normal.Tool{Name: AnswerTool, Description: "Gives the answer.", Parameters: schema})
	}
	if len(tools) == 0 {
		return nil // nothing to choose, nothing to call side by side
	}
	w.Key("tools")
	w.Begin('[')
	for _, t := range tools {
		w.Begin('{')
		w.Key("name")
		w.String(t.Name)
		if t.Description != "" {
			w.Key("description")
			w.String(t.Description)
		}
		w.Key("input_schema")
		w.Raw(Object(t.Parameters))
		w.End('}')
	}
	w.End(']')
	parallel := c.Body.Get("parallel_tool_calls")
	if r.asTool && !parallel.Exists() {
		parallel = json.Value("false") // an answer is one
	}
	r.choose(choice, parallel)
	return nil
}

func (r *Request) choose(choice string, parallel json.Value) {
	w := &r.w
	if choice == "" && !parallel.Exists() {
		return
	}
	w.Key("tool_choice")
	w.Begin('{')
	w.Key("type")
	switch choice {
	case "", "auto":
		w.String("auto")
	case "none":
		w.String("none")
	case "required":
		w.String("any")
	default:
		w.String("tool")
		w.Key("name")
		w.String(choice)
	}
	if parallel.Exists() && choice != "none" {
		w.Key("disable_parallel_tool_use")
		w.Bool(!parallel.True())
	}
	w.End('}')
}

// Object returns the schema of a tool's arguments as the API wants it: one of an object, and saying so.
func Object(schema json.Value) json.Value {
	if schema.Get("type").Exists() {
		return schema
	}
	var w json.Writer
	w.Begin('{')
	w.Key("type")
	w.String("object")
	for name, v := range schema.Fields() {
		if name != "type" {
			w.Key(name)
			w.Raw(v)
		}
	}
	w.End('}')
	return w.Bytes()
}
