package proof

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
)

// evidence is what a method reads. Its readers fail on what is missing or of another type, never guess.
type evidence map[string]*structpb.Value

func (e evidence) value(key string) (*structpb.Value, error) {
	v, ok := e[key]
	if !ok || v == nil {
		return nil, fmt.Errorf("evidence lacks %q", key)
	}
	return v, nil
}

func (e evidence) bool(key string) (bool, error) {
	v, err := e.value(key)
	if err != nil {
		return false, err
	}
	b, ok := v.GetKind().(*structpb.Value_BoolValue)
	if !ok {
		return false, fmt.Errorf("evidence %q is not a boolean", key)
	}
	return b.BoolValue, nil
}

func (e evidence) string(key string) (string, error) {
	v, err := e.value(key)
	if err != nil {
		return "", err
	}
	s, ok := v.GetKind().(*structpb.Value_StringValue)
	if !ok {
		return "", fmt.Errorf("evidence %q is not a string", key)
	}
	return s.StringValue, nil
}

func (e evidence) number(key string) (float64, error) {
	v, err := e.value(key)
	if err != nil {
		return 0, err
	}
	n, ok := v.GetKind().(*structpb.Value_NumberValue)
	if !ok || math.IsNaN(n.NumberValue) || math.IsInf(n.NumberValue, 0) {
		return 0, fmt.Errorf("evidence %q is not a finite number", key)
	}
	return n.NumberValue, nil
}

// optional returns the number at key and whether it is stated; null says that it is not.
func (e evidence) optional(key string) (float64, bool, error) {
	v, err := e.value(key)
	if err != nil {
		return 0, false, err
	}
	if _, null := v.GetKind().(*structpb.Value_NullValue); null {
		return 0, false, nil
	}
	n, err := e.number(key)
	return n, err == nil, err
}

func (e evidence) list(key string) ([]*structpb.Value, error) {
	v, err := e.value(key)
	if err != nil {
		return nil, err
	}
	l, ok := v.GetKind().(*structpb.Value_ListValue)
	if !ok {
		return nil, fmt.Errorf("evidence %q is not a list", key)
	}
	return l.ListValue.GetValues(), nil
}

func (e evidence) strings(key string) ([]string, error) {
	values, err := e.list(key)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(values))
	for i, v := range values {
		s, ok := v.GetKind().(*structpb.Value_StringValue)
		if !ok {
			return nil, fmt.Errorf("evidence %q holds something that is not a string", key)
		}
		out[i] = s.StringValue
	}
	return out, nil
}

func (e evidence) object(key string) (evidence, error) {
	v, err := e.value(key)
	if err != nil {
		return nil, err
	}
	return asObject(key, v)
}

func asObject(key string, v *structpb.Value) (evidence, error) {
	s, ok := v.GetKind().(*structpb.Value_StructValue)
	if !ok {
		return nil, fmt.Errorf("evidence %q is not an object", key)
	}
	return s.StructValue.GetFields(), nil
}

// Builders of evidence.

func text(s string) *structpb.Value    { return structpb.NewStringValue(s) }
func number(n float64) *structpb.Value { return structpb.NewNumberValue(n) }
func boolean(b bool) *structpb.Value   { return structpb.NewBoolValue(b) }
func object(f fields) *structpb.Value  { return structpb.NewStructValue(&structpb.Struct{Fields: f}) }
func list(v []*structpb.Value) *structpb.Value {
	return structpb.NewListValue(&structpb.ListValue{Values: v})
}

type fields = map[string]*structpb.Value

// optionalNumber writes a number that may not be stated.
func optionalNumber(n *float64) *structpb.Value {
	if n == nil {
		return structpb.NewNullValue()
	}
	return number(*n)
}

// A reader reads evidence into its Go type. Once something is missing or of another type, err says what, and nothing
// more is read.
type reader struct {
	from evidence
	err  error
}

// into reads one value unless an earlier one failed.
func into[T any](r *reader, to *T, key string, read func(evidence, string) (T, error)) {
	if r.err == nil {
		*to, r.err = read(r.from, key)
	}
}

func (r *reader) string(to *string, key string)    { into(r, to, key, evidence.string) }
func (r *reader) bool(to *bool, key string)        { into(r, to, key, evidence.bool) }
func (r *reader) number(to *float64, key string)   { into(r, to, key, evidence.number) }
func (r *reader) strings(to *[]string, key string) { into(r, to, key, evidence.strings) }
func (r *reader) object(to *evidence, key string)  { into(r, to, key, evidence.object) }

func (r *reader) optional(to *optional, key string) {
	if r.err == nil {
		to.number, to.stated, r.err = r.from.optional(key)
	}
}

func (r *reader) list(key string) (values []*structpb.Value) {
	into(r, &values, key, evidence.list)
	return values
}

// numbers reads a list of finite numbers.
func (r *reader) numbers(to *[]float64, key string) {
	for _, v := range r.list(key) {
		var n float64
		if n, r.err = (evidence{key: v}).number(key); r.err != nil {
			return
		}
		*to = append(*to, n)
	}
}

// An optional is a number that may not be stated; it is null then.
type optional struct {
	number float64
	stated bool
}

func stated(n float64) optional { return optional{n, true} }

// perhaps returns what n points to, not stated for nil.
func perhaps(n *float64) optional {
	if n == nil {
		return optional{}
	}
	return stated(*n)
}

func (o optional) write(w *wire.Writer, key string) {
	if o.stated {
		w.NumberEntry(key, o.number)
	} else {
		w.NullEntry(key)
	}
}
