package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/encoding/jsonschema"
)

// JSONSchema returns what people may write (#Authored) as a JSON Schema, draft 2020-12, indented, for editors: they
// complete and explain fields with it and mark most slips while one types. It accepts whatever Parse accepts; what only
// Parse refuses are relations between fields, names of guarantees that come too near to a known one, and fields that are
// given twice.
func (s *Schema) JSONSchema() ([]byte, error) {
	expr, err := jsonschema.Generate(s.authored, nil)
	if err != nil {
		return nil, fmt.Errorf("write the JSON Schema: %w", err)
	}
	raw, err := cuecontext.New().BuildExpr(expr).MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write the JSON Schema: %w", err)
	}
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		return nil, fmt.Errorf("write the JSON Schema: %w", err)
	}
	definitions, _ := root["$defs"].(map[string]any)
	tidy(root, definitions)
	root["title"] = "CAIO service contract"
	for name := range definitions {
		if !bytes.Contains(mustMarshal(root), []byte(`"#/$defs/`+name+`"`)) {
			delete(definitions, name)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("write the JSON Schema: %w", err)
	}
	return out.Bytes(), nil
}

// tidy rewrites what CUE's generator says faithfully but clumsily, in place and downwards.
func tidy(v any, definitions map[string]any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			tidy(item, definitions)
		}
	case map[string]any:
		embed(v, definitions)
		for _, item := range v {
			tidy(item, definitions)
		}
		alternatives(v)
		if text, ok := v["description"].(string); ok {
			v["description"] = strings.ReplaceAll(text, "\n", " ")
		}
	}
}

// embed takes a definition's properties over into an object that adds properties of its own: beside a reference they
// would be refused, as the definition allows none but its own.
func embed(v, definitions map[string]any) {
	own, _ := v["properties"].(map[string]any)
	ref, _ := v["$ref"].(string)
	definition, _ := definitions[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	if own == nil || definition == nil {
		return
	}
	for name, property := range definition["properties"].(map[string]any) {
		if _, has := own[name]; !has {
			own[name] = clone(property)
		}
	}
	v["additionalProperties"] = false
	delete(v, "$ref")
}

// alternatives removes those that nothing meets (CUE's error()), turns constants into an enum, and takes a constant
// beside a reference for what it is: the default.
func alternatives(v map[string]any) {
	all, ok := v["anyOf"].([]any)
	if !ok {
		return
	}
	var left, constants []any
	for _, one := range all {
		if one == false {
			continue
		}
		left = append(left, one)
		if m, ok := one.(map[string]any); ok && len(m) == 1 && m["const"] != nil {
			constants = append(constants, m["const"])
		}
	}
	switch {
	case len(constants) == len(left):
		delete(v, "anyOf")
		v["enum"] = constants
	case len(constants) == 1 && len(left) == 2 && isReference(left[1]) && constants[0] != true:
		delete(v, "anyOf")
		v["$ref"], v["default"] = left[1].(map[string]any)["$ref"], constants[0]
	case len(left) == 1:
		delete(v, "anyOf")
		for key, value := range left[0].(map[string]any) {
			v[key] = value
		}
	default:
		v["anyOf"] = left
	}
}

func isReference(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 1 && m["$ref"] != nil
}

func clone(v any) any {
	var copied any
	if err := json.Unmarshal(mustMarshal(v), &copied); err != nil {
		panic(fmt.Sprintf("contract: copy of a JSON value: %v", err))
	}
	return copied
}

// mustMarshal is for values that came out of JSON.
func mustMarshal(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("contract: write a JSON value: %v", err))
	}
	return raw
}
