package gemini

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// chat writes a request for a generation.
func (s *settings) chat(c *normal.Call, w *json.Writer, model string) error {
	w.Begin('{')
	if err := s.contents(c, w, model); err != nil {
		return err
	}
	var config json.Writer
	config.Begin('{')
	for name, v := range c.Body.Fields() {
		if err := s.parameter(c, &config, name, v, model); err != nil {
			return err
		}
	}
	if err := s.endConfig(w, &config); err != nil {
		return err
	}
	if err := s.writeTools(c, w); err != nil {
		return err
	}
	w.End('}')
	return nil
}

// plain returns the name under which a parameter is sent as it is; "": there is none.
func plain(parameter string) string {
	switch parameter {
	case "temperature", "seed":
		return parameter
	case "top_p":
		return "topP"
	case "top_k":
		return "topK"
	case "max_tokens":
		return "maxOutputTokens"
	case "frequency_penalty":
		return "frequencyPenalty"
	case "presence_penalty":
		return "presencePenalty"
	case "stop":
		return "stopSequences"
	}
	return ""
}

// parameter writes one parameter into generationConfig.
func (s *settings) parameter(c *normal.Call, w *json.Writer, name string, v json.Value, model string) error {
	if to := plain(name); to != "" {
		if v.Exists() && (name != "stop" || !v.Empty()) { // 0 says something
			w.Key(to)
			w.Raw(v)
		}
		return nil
	}
	switch name {
	case "model", "messages", "tools", "tool_choice":
	case "parallel_tool_calls":
		if v.Exists() && !v.True() {
			return c.Cannot("chat.parallel_tool_calls", "the API has no way to forbid parallel calls")
		}
	case "json_object":
		if v.True() && !c.Body.Get("response_schema").Exists() {
			w.Key("responseMimeType")
			w.String("application/json")
		}
	case "response_schema":
		if !v.Exists() {
			return nil
		}
		w.Key("responseMimeType")
		w.String("application/json")
		if !s.openAPI {
			w.Key("responseJsonSchema")
			w.Raw(v)
			return nil
		}
		w.Key("responseSchema")
		return openAPI(c, w, "chat.response_schema", v)
	case "reasoning":
		return s.reasoning(c, w, v, model)
	default:
		if !v.Empty() {
			return c.Cannot("chat."+name, "the API has no such parameter")
		}
	}
	return nil
}

// reasoning writes thinkingConfig.
func (s *settings) reasoning(c *normal.Call, w *json.Writer, v json.Value, model string) error {
	effort, budget := v.Get("effort").Text(), v.Get("max_tokens")
	asBudget := s.budget == "budget" || s.budget == "" && strings.HasPrefix(model, "models/gemini-2")
	level := ""
	switch {
	case budget.Exists() && effort != "":
		return normal.Invalid("chat.reasoning", "it has both effort and max_tokens")
	case budget.Exists():
	case effort == "":
		return nil
	case asBudget:
		tokens := map[string]string{"none": "0", "minimal": "1024", "low": "1024", "medium": "8192", "high": "24576"}[effort]
		budget = json.Value(tokens)
	case effort == "none":
		return c.Cannot("chat.reasoning.effort", "the model always thinks; the least is minimal")
	default:
		level = strings.ToUpper(effort)
	}
	w.Key("thinkingConfig")
	w.Begin('{')
	if level != "" {
		w.Key("thinkingLevel")
		w.String(level)
	} else {
		w.Key("thinkingBudget")
		w.Raw(budget)
	}
	if n, _ := budget.Int(); s.thoughts && (level != "" || n != 0) {
		w.Key("includeThoughts")
		w.Bool(true)
	}
	w.End('}')
	return nil
}

// endConfig ends generationConfig with the setting's fields, and writes it unless it is empty.
func (s *settings) endConfig(w, config *json.Writer) error {
	config.End('}')
	body, err := normal.Extend(config.Bytes(), "generation_config", s.config)
	if err == nil && len(body) > 2 {
		w.Key("generationConfig")
		w.Raw(body)
	}
	return err
}

// writeTools writes the caller's tools, then the contract's.
func (s *settings) writeTools(c *normal.Call, w *json.Writer) error {
	tools, err := c.Tools()
	if err != nil {
		return err
	}
	if len(tools) > 0 || !s.tools.Empty() {
		w.Key("tools")
		w.Begin('[')
		if len(tools) > 0 {
			w.Begin('{')
			w.Key("functionDeclarations")
			w.Begin('[')
			for i := range tools {
				if err := s.declare(c, w, &tools[i]); err != nil {
					return err
				}
			}
			w.End(']')
			w.End('}')
		}
		for tool := range s.tools.Items() {
			w.Raw(tool)
		}
		w.End(']')
	}
	choice := c.Body.Get("tool_choice").Text()
	if choice == "" {
		return nil
	}
	mode, name := map[string]string{"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice], ""
	if mode == "" {
		mode, name = "ANY", choice
	}
	w.Key("toolConfig")
	w.Begin('{')
	w.Key("functionCallingConfig")
	w.Begin('{')
	w.Key("mode")
	w.String(mode)
	if name != "" {
		w.Key("allowedFunctionNames")
		w.Begin('[')
		w.String(name)
		w.End(']')
	}
	w.End('}')
	w.End('}')
	return nil
}

func (s *settings) declare(c *normal.Call, w *json.Writer, t *normal.Tool) error {
	w.Begin('{')
	w.Key("name")
	w.String(t.Name)
	w.Key("description") // required, though it may be empty
	w.String(t.Description)
	switch {
	case t.Parameters == nil:
	case !s.openAPI:
		w.Key("parametersJsonSchema")
		w.Raw(t.Parameters)
	case len(t.Parameters.Get("properties")) > 2: // there, an object must have properties
		w.Key("parameters")
		if err := openAPI(c, w, t.At+".parameters", t.Parameters); err != nil {
			return err
		}
	}
	w.End('}')
	return nil
}

// openAPI writes a JSON Schema as the subset of OpenAPI's that older models know: types in capitals, no other keywords.
func openAPI(c *normal.Call, w *json.Writer, at string, schema json.Value) error {
	w.Begin('{')
	for name, v := range schema.Fields() {
		switch name {
		case "type":
			if err := openAPIType(c, w, at, v); err != nil {
				return err
			}
		case "properties":
			w.Key(name)
			w.Begin('{')
			for property, v := range v.Fields() {
				w.Key(property)
				if err := openAPI(c, w, at+".properties."+property, v); err != nil {
					return err
				}
			}
			w.End('}')
		case "items":
			w.Key(name)
			if err := openAPI(c, w, at+".items", v); err != nil {
				return err
			}
		case "anyOf":
			w.Key(name)
			w.Begin('[')
			i := 0
			for v := range v.Items() {
				if err := openAPI(c, w, at+".anyOf["+strconv.Itoa(i)+"]", v); err != nil {
					return err
				}
				i++
			}
			w.End(']')
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			w.Key(name)
			w.String(string(v)) // an int64, which is a text in Google's JSON
		case "title", "description", "nullable", "enum", "format", "pattern", "minimum", "maximum", "required", "default", "example":
			w.Key(name)
			w.Raw(v)
		case "$schema":
		default:
			if name == "additionalProperties" && !v.Exists() || string(v) == "false" {
				continue // what is not listed is not generated, there
			}
			if err := c.Cannot(at+"."+name, "the OpenAPI schema of the API lacks this keyword"); err != nil {
				return err
			}
		}
	}
	w.End('}')
	return nil
}

func openAPIType(c *normal.Call, w *json.Writer, at string, v json.Value) error {
	kind, others := v.Text(), 0
	for one := range v.Items() { // ["string", "null"]
		if one.Text() == "null" {
			w.Key("nullable")
			w.Bool(true)
		} else {
			kind = one.Text()
			others++
		}
	}
	if kind == "" || others > 1 {
		return c.Cannot(at+".type", "the OpenAPI schema of the API takes one type")
	}
	w.Key("type")
	w.String(strings.ToUpper(kind))
	return nil
}
