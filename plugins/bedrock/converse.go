package bedrock

import (
	"github.com/smarthausgroup/caio/plugins/internal/claude"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// chat asks for the next message.
func (s *settings) chat(c *normal.Call) (adapter.Reply, error) {
	if s.invoke && s.family == anthropic {
		return s.invokeClaude(c)
	}
	switch {
	case s.invoke && s.family != nova:
		return adapter.Reply{}, normal.BadSetting("api", "is invoke, which this adapter knows of models of Anthropic and Nova; the others go by converse")
	case s.invoke && s.additional != nil:
		return adapter.Reply{}, onlyConverse()
	case s.invoke: // Nova's own form is Converse's without what Converse adds
		s.family, s.SchemaAs = other, claude.SchemaTool
	}
	r := request{c: c, settings: s}
	body, asTool, err := r.write()
	if err != nil {
		return adapter.Reply{}, err
	}
	a := answer{}
	a.AsTool, a.Streams, a.Model, a.Warnings = asTool, c.Stream, s.model, c.Warnings
	return s.ask(c, a.bytes(), body)
}

// invokeClaude asks a model of Anthropic in its own form.
func (s *settings) invokeClaude(c *normal.Call) (adapter.Reply, error) {
	if s.additional != nil {
		return adapter.Reply{}, onlyConverse()
	}
	if s.MaxTokens == 0 {
		s.MaxTokens = 4096
	}
	r := claude.Request{Call: c, Options: s.Options, Version: "bedrock-2023-05-31"}
	body, asTool, err := r.Write()
	if err != nil {
		return adapter.Reply{}, err
	}
	a := claude.Answer{AsTool: asTool, Streams: c.Stream}
	a.Warnings = c.Warnings
	return s.ask(c, pack(kindClaude, a.Bytes()), body)
}

func onlyConverse() error {
	return normal.BadSetting("additional_fields", "is for converse; InvokeModel takes extra_body")
}

// ask is the call of a chat.
func (s *settings) ask(c *normal.Call, state, body []byte) (adapter.Reply, error) {
	operation := "converse"
	if s.invoke {
		operation = "invoke"
	}
	call := normal.Post(s.url(c, operation), body)
	if c.Stream {
		operation = "converse-stream"
		if s.invoke {
			operation = "invoke-with-response-stream"
		}
		call = normal.PostStream("eventstream", s.url(c, operation), body)
	}
	return adapter.Reply{State: state, Actions: []adapter.Action{call}}, nil
}

// A request is a body of Converse that is written.
type request struct {
	c *normal.Call
	*settings
	w json.Writer
}

// write returns the body, and whether the answer will be the arguments of claude.AnswerTool.
func (r *request) write() (body []byte, asTool bool, err error) {
	c, w := r.c, &r.w
	if err := c.Takes("model", "messages", "temperature", "top_p", "top_k", "max_tokens", "stop", "tools", "tool_choice",
		"parallel_tool_calls", "response_schema", "json_object", "reasoning"); err != nil {
		return nil, false, err
	}
	w.Begin('{')
	if r.invoke {
		w.Key("schemaVersion")
		w.String("messages-v1")
	}
	list, err := c.Conversation()
	if err != nil {
		return nil, false, err
	}
	system, list, err := claude.System(c, list)
	if err != nil {
		return nil, false, err
	}
	if err := r.system(system); err != nil {
		return nil, false, err
	}
	if err := r.messages(list); err != nil {
		return nil, false, err
	}
	var thinking claude.Thinking
	if r.family == anthropic {
		if thinking, err = r.Think(c); err != nil {
			return nil, false, err
		}
	} else if thinking.MaxTokens = r.MaxTokens; c.Body.Get("max_tokens").Exists() {
		thinking.MaxTokens, _ = c.Body.Get("max_tokens").Int()
	}
	if err := r.inference(thinking.MaxTokens); err != nil {
		return nil, false, err
	}
	schema, asTool := r.Schema(c)
	if err := r.tools(list, schema, asTool); err != nil {
		return nil, false, err
	}
	if asTool {
		schema = nil
	}
	r.output(thinking.Effort, schema)
	if err := r.fields(c, w, &thinking); err != nil {
		return nil, false, err
	}
	w.End('}')
	body, err = normal.Extend(w.Bytes(), "extra_body", r.Extra)
	return body, asTool, err
}

func (r *request) inference(maxTokens int64) error {
	c := r.c
	var w json.Writer
	w.Begin('{')
	if maxTokens > 0 {
		w.Key("maxTokens")
		w.Int(maxTokens)
	}
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
	if v := c.Body.Get("top_p"); v.Exists() {
		w.Key("topP")
		w.Raw(v)
	}
	if v := c.Body.Get("stop"); !v.Empty() {
		w.Key("stopSequences")
		w.Raw(v)
	}
	w.End('}')
	if config := json.Value(w.Bytes()); !config.Empty() {
		r.w.Key("inferenceConfig")
		r.w.Raw(config)
	}
	return nil
}

// output says of what form the answer is, and with how much effort it is made.
func (r *request) output(effort string, schema json.Value) {
	if effort == "" && schema == nil {
		return
	}
	w := &r.w
	w.Key("outputConfig")
	w.Begin('{')
	if schema != nil {
		w.Key("textFormat")
		w.Begin('{')
		w.Key("type")
		w.String("json_schema")
		w.Key("structure")
		w.Begin('{')
		w.Key("jsonSchema")
		w.Begin('{')
		w.Key("name")
		w.String("response")
		w.Key("schema")
		w.String(string(schema)) // as text
		w.End('}')
		w.End('}')
		w.End('}')
	}
	if effort != "" {
		w.Key("effort")
		w.String(effort)
	}
	w.End('}')
}

// tools writes toolConfig. There is no word for "call none": where the conversation holds no calls, the tools are kept back
// instead.
func (r *request) tools(list []normal.Message, schema json.Value, asTool bool) error {
	c, w := r.c, &r.w
	tools, choice, err := claude.Tools(c, schema, asTool)
	if err != nil {
		return err
	}
	if choice == "none" && len(tools) > 0 {
		if !called(list) {
			return nil
		}
		if err := c.Cannot("chat.tool_choice", "the API cannot forbid tools of which the conversation holds calls"); err != nil {
			return err
		}
		choice = ""
	}
	if parallel := c.Body.Get("parallel_tool_calls"); parallel.Exists() && !parallel.True() && len(tools) > 0 && !asTool {
		if err := c.Cannot("chat.parallel_tool_calls", "the API has no parameter for it"); err != nil {
			return err
		}
	}
	if len(tools) == 0 {
		return nil
	}
	w.Key("toolConfig")
	w.Begin('{')
	w.Key("tools")
	w.Begin('[')
	for _, t := range tools {
		w.Begin('{')
		w.Key("toolSpec")
		w.Begin('{')
		w.Key("name")
		w.String(t.Name)
		if t.Description != "" {
			w.Key("description")
			w.String(t.Description)
		}
		w.Key("inputSchema")
		w.Begin('{')
		w.Key("json")
		w.Raw(claude.Object(t.Parameters))
		w.End('}')
		w.End('}')
		w.End('}')
	}
	w.End(']')
	r.choose(choice)
	w.End('}')
	return nil
}

func (r *request) choose(choice string) {
	w := &r.w
	switch choice {
	case "":
	case "auto":
		w.Key("toolChoice")
		w.Raw(json.Value(`{"auto":{}}`))
	case "required":
		w.Key("toolChoice")
		w.Raw(json.Value(`{"any":{}}`))
	default:
		w.Key("toolChoice")
		w.Begin('{')
		w.Key("tool")
		w.Begin('{')
		w.Key("name")
		w.String(choice)
		w.End('}')
		w.End('}')
	}
}

// called reports whether a conversation holds calls of tools, or answers to them.
func called(list []normal.Message) bool {
	for i := range list {
		if len(list[i].Calls) > 0 || list[i].Role == "tool" {
			return true
		}
	}
	return false
}
