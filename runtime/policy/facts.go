package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/types/known/structpb"
)

// Facts is a contract as rules see it, input.service. NewFacts makes one when a contract is registered, so that a request
// does not pay for it. Immutable; safe for concurrent use.
type Facts struct{ service *ast.Term }

// NewFacts prepares a contract from its normal form, JSON. Numbers keep their digits; field is left out. It fails on anything but one JSON
// object.
func NewFacts(normal []byte) (*Facts, error) {
	if !utf8.Valid(normal) {
		return nil, errors.New("prepare contract for policies: text that is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(normal))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("prepare contract for policies: %w", err)
	}
	if d.More() || object == nil {
		return nil, errors.New("prepare contract for policies: must be one JSON object")
	}
	// See hidden.
	delete(object, "field")
	v, err := ast.InterfaceToValue(object)
	if err != nil {
		return nil, fmt.Errorf("prepare contract for policies: %w", err)
	}
	return &Facts{service: ast.NewTerm(v)}, nil
}

// Bounds on what a reason shows, so that a rule over a large contract or payload does not fill traces.
const (
	maxFacts     = 24   // values of a rule's own accord
	maxFactBytes = 4096 // of all facts of a reason together, roughly
	maxFactText  = 256  // of one string
	maxMessage   = 2048
)

// shown returns the values at the readings' places in input, by path; null where there is none.
func shown(readings []reading, input *ast.Term) *structpb.Struct {
	if len(readings) == 0 {
		return nil
	}
	left := maxFactBytes
	out := &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	for _, r := range readings[:min(len(readings), maxFacts)] {
		out.Fields[r.name()] = structOf(find(input, r.path), &left)
	}
	return out
}

func find(input *ast.Term, path []string) ast.Value {
	at := input.Value
	for _, part := range path {
		object, ok := at.(ast.Object)
		if !ok {
			return ast.NullValue
		}
		next := object.Get(ast.StringTerm(part))
		if next == nil {
			return ast.NullValue
		}
		at = next.Value
	}
	return at
}

// structOf turns a value into one that the wire takes. left is what may still be used of the bound; what does not fit
// is replaced by an ellipsis. Sets become sorted lists; a number that float64 cannot hold becomes its digits.
func structOf(v ast.Value, left *int) *structpb.Value {
	if *left <= 0 {
		return structpb.NewStringValue("…")
	}
	*left -= 8
	switch v := v.(type) {
	case ast.Null:
		return structpb.NewNullValue()
	case ast.Boolean:
		return structpb.NewBoolValue(bool(v))
	case ast.Number:
		f, err := json.Number(v).Float64()
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return structOf(ast.String(v), left)
		}
		return structpb.NewNumberValue(f)
	case ast.String:
		s := cut(string(v), min(maxFactText, *left+8))
		*left -= len(s)
		return structpb.NewStringValue(s)
	case *ast.Array:
		terms := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(t *ast.Term) { terms = append(terms, t) })
		return listOf(terms, left)
	case ast.Set:
		return listOf(v.Slice(), left) // sorted
	case ast.Object:
		return objectOf(v, left)
	}
	return structpb.NewStringValue(cut(v.String(), maxFactText))
}

func listOf(terms []*ast.Term, left *int) *structpb.Value {
	list := &structpb.ListValue{}
	for _, t := range terms {
		list.Values = append(list.Values, structOf(t.Value, left))
		if *left <= 0 {
			break
		}
	}
	return structpb.NewListValue(list)
}

func objectOf(v ast.Object, left *int) *structpb.Value {
	fields := make(map[string]*structpb.Value)
	for _, k := range v.Keys() { // sorted
		name := k.String()
		if s, ok := k.Value.(ast.String); ok {
			name = string(s)
		}
		name = cut(name, maxFactText)
		*left -= len(name)
		fields[name] = structOf(v.Get(k).Value, left)
		if *left <= 0 {
			break
		}
	}
	return structpb.NewStructValue(&structpb.Struct{Fields: fields})
}

// cut shortens s to at most n bytes, at a letter's end, and makes it UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for len(s) > 0 && !utf8.ValidString(s[len(s)-1:]) && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		s += "…"
	}
	return clean(s)
}
