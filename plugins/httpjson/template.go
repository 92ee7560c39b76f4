package httpjson

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// render returns the body for an intent, nil for none.
func (s *settings) render(intent json.Value) ([]byte, error) {
	var w json.Writer
	switch payload := intent.Get("payload"); {
	case s.body != nil:
		if err := fill(&w, "body", s.body, intent); err != nil {
			return nil, err
		}
	case s.method == "GET" || s.method == "HEAD" || s.method == "DELETE":
		return nil, nil
	case payload.Kind() == json.Object:
		w.Raw(payload)
	default:
		w.Begin('{')
		w.Key("intent")
		w.Raw(intent)
		w.End('}')
	}
	return w.Bytes(), nil
}

// fill writes a template's value; at is its place, for messages.
func fill(w *json.Writer, at string, template, intent json.Value) error {
	switch template.Kind() {
	case json.Object:
		w.Begin('{')
		for name, field := range template.Fields() {
			if absent(field, intent) {
				continue
			}
			w.Key(name)
			if err := fill(w, at+"."+name, field, intent); err != nil {
				return err
			}
		}
		w.End('}')
	case json.Array:
		w.Begin('[')
		i := 0
		for item := range template.Items() {
			if !absent(item, intent) {
				if err := fill(w, at+"["+strconv.Itoa(i)+"]", item, intent); err != nil {
					return err
				}
			}
			i++
		}
		w.End(']')
	case json.String:
		return fillString(w, at, template, intent)
	default:
		w.Raw(template)
	}
	return nil
}

func fillString(w *json.Writer, at string, template, intent json.Value) error {
	text := template.Text()
	pointer, _, ok := placeholder(text)
	if !ok {
		if strings.Contains(text, "{{") {
			return wrong(at, "has a placeholder inside a longer text; it must be the whole string")
		}
		w.Raw(template)
		return nil
	}
	if pointer != "" && pointer[0] != '/' {
		return wrong(at, "must name a JSON pointer, such as {{/payload/text}}")
	}
	found := intent.Pointer(pointer)
	if found == nil {
		return &adapter.Failure{Code: adapter.InvalidRequest, Message: "intent: it has no " + pointer + ", which adapter.settings." + at + " asks for",
			Retryable: true} // another service may do without
	}
	w.Raw(found)
	return nil
}

// placeholder takes "{{POINTER}}" and "{{POINTER?}}" apart.
func placeholder(text string) (pointer string, optional, ok bool) {
	if !strings.HasPrefix(text, "{{") || !strings.HasSuffix(text, "}}") || len(text) < 4 {
		return "", false, false
	}
	pointer = text[2 : len(text)-2]
	if strings.Contains(pointer, "{{") {
		return "", false, false
	}
	pointer, optional = strings.CutSuffix(pointer, "?")
	return pointer, optional, true
}

// absent reports whether a template's value is an optional placeholder that finds nothing.
func absent(template, intent json.Value) bool {
	if template.Kind() != json.String {
		return false
	}
	pointer, optional, ok := placeholder(template.Text())
	return ok && optional && !intent.Pointer(pointer).Exists()
}
