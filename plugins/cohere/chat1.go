package cohere

import (
	"strconv"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// chat1 writes a request of the first version: a history, and apart from it the message or the tools' results to go on from.
func chat1(c *normal.Call, w *json.Writer) error {
	messages, err := c.Conversation()
	if err != nil {
		return err
	}
	last := len(messages) - 1
	for last > 0 && messages[last].Role == "tool" && messages[last-1].Role == "tool" {
		last--
	}
	switch messages[last].Role {
	case "user":
		text, err := text1(c, &messages[last], nil)
		if err != nil {
			return err
		}
		w.Key("message")
		w.String(text)
	case "tool":
		w.Key("message")
		w.String("")
		w.Key("tool_results")
		if err := results1(c, w, messages, last, len(messages)); err != nil {
			return err
		}
	default:
		return normal.Invalid(messages[last].At+".role", "the API goes on from what a user or a tool says")
	}
	if last > 0 {
		w.Key("chat_history")
		w.Begin('[')
		for i := 0; i < last; {
			if i, err = turn1(c, w, messages, i, last); err != nil {
				return err
			}
		}
		w.End(']')
	}
	for name, v := range c.Body.Fields() {
		known, err := sampling(c, w, name, v)
		if !known && err == nil {
			err = parameter1(c, w, name, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parameter1(c *normal.Call, w *json.Writer, name string, v json.Value) error {
	switch name {
	case "tools":
		return tools1(c, w)
	case "tool_choice":
		if choice := v.Text(); choice != "" && choice != "auto" {
			return c.Cannot("chat.tool_choice", "the API's first version leaves it to the model")
		}
	case "json_object":
		if v.True() && !c.Body.Get("response_schema").Exists() {
			w.Key("response_format")
			w.Raw(json.Value(`{"type":"json_object"}`))
		}
	case "response_schema":
		schema(w, "schema", v)
	default:
		if !v.Empty() {
			return c.Cannot("chat."+name, "the API's first version has no such parameter")
		}
	}
	return nil
}

// turn1 writes the turn at i, with the tools' answers that stand together, and returns the place of the next.
func turn1(c *normal.Call, w *json.Writer, messages []normal.Message, i, end int) (int, error) {
	m, next := &messages[i], i+1
	w.Begin('{')
	w.Key("role")
	if m.Role == "tool" {
		for next < end && messages[next].Role == "tool" {
			next++
		}
		w.String("TOOL")
		w.Key("tool_results")
		if err := results1(c, w, messages, i, next); err != nil {
			return 0, err
		}
		w.End('}')
		return next, nil
	}
	text, err := text1(c, m, nil)
	if err != nil {
		return 0, err
	}
	thought, err := thoughts(c, m)
	if err != nil {
		return 0, err
	}
	switch m.Role {
	case "system":
		w.String("SYSTEM")
	case "user":
		w.String("USER")
	case "assistant":
		w.String("CHATBOT")
		if text == "" {
			text = thought // the plan of the calls, which is the text there
		}
	}
	if text == "" {
		text = " " // the API takes no turn without a text
	}
	w.Key("message")
	w.String(text)
	if len(m.Calls) > 0 {
		w.Key("tool_calls")
		w.Begin('[')
		for i := range m.Calls {
			call1(w, &m.Calls[i])
		}
		w.End(']')
	}
	w.End('}')
	return next, nil
}

func call1(w *json.Writer, call *normal.ToolCall) {
	w.Begin('{')
	w.Key("name")
	w.String(call.Name)
	w.Key("parameters")
	w.Raw(call.Arguments)
	w.End('}')
}

// results1 writes the tools' answers from i to end, each with the call that it answers.
func results1(c *normal.Call, w *json.Writer, messages []normal.Message, i, end int) error {
	w.Begin('[')
	for ; i < end; i++ {
		m := &messages[i]
		text, err := text1(c, m, messages[:i])
		if err != nil {
			return err
		}
		call := callOf(m, messages[:i])
		if call == nil {
			return normal.Invalid(m.At+".tool_call_id", "no call before has this id")
		}
		w.Begin('{')
		w.Key("call")
		call1(w, call)
		w.Key("outputs")
		w.Begin('[')
		if v, err := json.Parse([]byte(text)); err == nil && v.Kind() == json.Object {
			w.Raw(v)
		} else {
			w.Begin('{')
			w.Key("output")
			w.String(text)
			w.End('}')
		}
		w.End(']')
		w.End('}')
	}
	w.End(']')
	return nil
}

func callOf(m *normal.Message, before []normal.Message) *normal.ToolCall {
	for i := len(before) - 1; i >= 0; i-- {
		for j := range before[i].Calls {
			if before[i].Calls[j].ID == m.Answers {
				return &before[i].Calls[j]
			}
		}
	}
	return nil
}

// text1 returns a turn's text, all there may be of it.
func text1(c *normal.Call, m *normal.Message, before []normal.Message) (string, error) {
	if err := nameless(c, m, before); err != nil {
		return "", err
	}
	text := m.Text
	for i := range m.Parts {
		if !m.Parts[i].IsText {
			if err := c.Cannot(m.Parts[i].At, "the API's first version takes only text"); err != nil {
				return "", err
			}
		}
		text += m.Parts[i].Text
	}
	return text, nil
}

// tools1 writes tools, whose parameters are a list of names with types of Python's.
func tools1(c *normal.Call, w *json.Writer) error {
	tools, err := c.Tools()
	if err != nil || len(tools) == 0 {
		return err
	}
	w.Key("tools")
	w.Begin('[')
	for _, t := range tools {
		w.Begin('{')
		w.Key("name")
		w.String(t.Name)
		w.Key("description")
		w.String(t.Description)
		for name, v := range t.Parameters.Fields() {
			switch name {
			case "type", "required", "$schema", "title", "description":
			case "properties":
				w.Key("parameter_definitions")
				w.Begin('{')
				for property, v := range v.Fields() {
					w.Key(property)
					if err := definition(c, w, t.At+".parameters.properties."+property, v, requires(t.Parameters, property)); err != nil {
						return err
					}
				}
				w.End('}')
			default:
				if name == "additionalProperties" && !v.True() && v.Kind() != json.Object {
					continue
				}
				if err := c.Cannot(t.At+".parameters."+name, "the API's first version has no such keyword"); err != nil {
					return err
				}
			}
		}
		w.End('}')
	}
	w.End(']')
	return nil
}

func requires(schema json.Value, property string) bool {
	for v := range schema.Get("required").Items() {
		if v.Text() == property {
			return true
		}
	}
	return false
}

func definition(c *normal.Call, w *json.Writer, at string, schema json.Value, required bool) error {
	kind := ""
	switch schema.Get("type").Text() {
	case "string":
		kind = "str"
	case "integer":
		kind = "int"
	case "number":
		kind = "float"
	case "boolean":
		kind = "bool"
	case "array":
		kind = "list"
	case "object":
		kind = "dict"
	default:
		return c.Cannot(at+".type", "the API's first version takes one type, not "+strconv.Quote(string(schema.Get("type"))))
	}
	w.Begin('{')
	w.Key("type")
	w.String(kind)
	for name, v := range schema.Fields() {
		switch name {
		case "type", "title":
		case "description":
			w.Key(name)
			w.Raw(v)
		default:
			if err := c.Cannot(at+"."+name, "the API's first version has no such keyword"); err != nil {
				return err
			}
		}
	}
	if required {
		w.Key("required")
		w.Bool(true)
	}
	w.End('}')
	return nil
}
