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

	w json.Writer
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
	thinking, err := r.Options.Think(c)
	if err != nil {
		return nil, false, err
	}
	w.Key("max_tokens")
	w.Int(thinking.MaxTokens)
	thinking.Write(w)
	schema, asTool := r.Options.Schema(c)
	r.output(thinking.Effort, schema, asTool)
	if err := r.tools(schema, asTool); err != nil {
		return nil, false, err
	}
	if r.Stream {
		w.Key("stream")
		w.Bool(true)
	}
	w.End('}')
	body, err = normal.Extend(w.Bytes(), "extra_body", r.Options.Extra)
	return body, asTool, err
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

// Thinking is how much a model thinks and, because one bounds the other, how much it writes.
type Thinking struct {
	Kind      string // "enabled", "adaptive", "disabled"; empty: as the model likes
	Budget    int64  // of kind enabled: tokens to think
	Effort    string // to be named in the output's configuration; empty: none
	MaxTokens int64  // to be written at most; 0: not said
}

// Think reads chat.reasoning and chat.max_tokens.
func (o *Options) Think(c *normal.Call) (t Thinking, err error) {
	limit, limited := c.Body.Get("max_tokens").Int()
	if t.MaxTokens = limit; !limited {
		t.MaxTokens = o.MaxTokens
	}
	asked := c.Body.Pointer("/reasoning/effort").Text()
	switch tokens, ok := c.Body.Pointer("/reasoning/max_tokens").Int(); {
	case asked == "none", ok && tokens == 0:
		t.Kind = "disabled"
	case ok && tokens < least:
		err = c.Cannot("chat.reasoning.max_tokens", "the API takes no less than 1024")
	case ok && limited && tokens >= limit:
		err = c.Cannot("chat.reasoning.max_tokens", "the API wants it below chat.max_tokens")
	case ok:
		t.Kind, t.Budget = "enabled", tokens
	case asked == "":
	case o.Budget:
		t.Kind, t.Budget = "enabled", budgets[asked]
		if limited {
			t.Budget = min(t.Budget, limit/2)
		}
		if t.Budget < least {
			t.Kind, t.Budget = "", 0
			err = c.Cannot("chat.reasoning.effort", "the API thinks with 1024 tokens at least, and chat.max_tokens leaves no room for them and an answer")
		}
	case asked == "minimal":
		err = c.Cannot("chat.reasoning.effort", "the API knows none, low, medium and high")
	default:
		t.Kind, t.Effort = "adaptive", asked
	}
	if !limited && t.MaxTokens > 0 {
		t.MaxTokens += t.Budget
	}
	return t, err
}

// Write writes the field "thinking", unless nothing is to be said.
func (t *Thinking) Write(w *json.Writer) {
	if t.Kind == "" {
		return
	}
	w.Key("thinking")
	w.Begin('{')
	w.Key("type")
	w.String(t.Kind)
	if t.Kind == "enabled" {
		w.Key("budget_tokens")
		w.Int(t.Budget)
	}
	w.End('}')
}

// Schema returns the schema that the answer must follow, nil if none, and whether AnswerTool makes it do so. An object of
// whatever form can be had only by that.
func (o *Options) Schema(c *normal.Call) (schema json.Value, asTool bool) {
	switch v := c.Body.Get("response_schema"); {
	case v.Exists():
		return v, o.SchemaAs == SchemaTool
	case c.Body.Get("json_object").True():
		return json.Value(`{"type":"object"}`), true
	}
	return nil, false
}

func (r *Request) output(effort string, schema json.Value, asTool bool) {
	if asTool {
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

func (r *Request) tools(schema json.Value, asTool bool) error {
	w := &r.w
	tools, choice, err := Tools(r.Call, schema, asTool)
	if err != nil || len(tools) == 0 {
		return err // nothing to choose, nothing to call side by side
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
	parallel := r.Call.Body.Get("parallel_tool_calls")
	if asTool && !parallel.Exists() {
		parallel = json.Value("false") // an answer is one
	}
	r.choose(choice, parallel)
	return nil
}

// Tools returns the tools of a chat, AnswerTool among them where the answer is to come by it, and which of them is to be
// called, as chat.tool_choice says it.
func Tools(c *normal.Call, schema json.Value, asTool bool) (tools []normal.Tool, choice string, err error) {
	if tools, err = c.Tools(); err != nil {
		return nil, "", err
	}
	choice = c.Body.Get("tool_choice").Text()
	if len(tools) == 0 && choice != "" && choice != "auto" && choice != "none" {
		return nil, "", normal.Invalid("chat.tool_choice", "there are no tools to choose from")
	}
	if asTool {
		switch {
		case len(tools) == 0 || choice == "none":
			choice = AnswerTool
		case choice == "" || choice == "auto":
			choice = "required"
		}
		tools = append(tools, normal.Tool{Name: AnswerTool, Description: "Gives the answer.", Parameters: schema})
	}
	return tools, choice, nil
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
