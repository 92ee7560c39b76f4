package policy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxDepth bounds the nesting of any JSON that a request or a result carries.
const maxDepth = 200

// valueOf returns m as policies see it: an object under proto names in which scalars, lists and maps are always there,
// messages and optionals only when set, Struct and Value are the JSON they hold, bytes are base64 and a Timestamp is its
// RFC 3339 text. What read does not name, and what is hidden, is left out; where that is an object's field, the object is
// there without it.
//
// It fails on numbers that are not finite, on text that is not UTF-8 and on JSON nested deeper than maxDepth.
func valueOf(m proto.Message, read *paths) (ast.Value, error) {
	v, err := messageValue(m.ProtoReflect(), read, 0)
	if err != nil {
		return nil, fmt.Errorf("prepare %s for policies: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return v, nil
}

func messageValue(m protoreflect.Message, read *paths, depth int) (ast.Value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch known := m.Interface().(type) {
	case *structpb.Struct:
		return structValue(known, depth)
	case *structpb.Value:
		return jsonValue(known, depth)
	case *structpb.ListValue:
		return listValue(known, depth)
	case *timestamppb.Timestamp:
		return timeValue(known)
	}
	fields := m.Descriptor().Fields()
	items := make([][2]*ast.Term, 0, fields.Len())
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.HasPresence() && !m.Has(fd) || hidden(fd) {
			continue
		}
		name := string(fd.Name())
		below := read.under(name)
		if below == nil {
			continue
		}
		v, err := fieldValue(m.Get(fd), fd, below, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		items = append(items, ast.Item(ast.InternedTerm(name), ast.NewTerm(v)))
	}
	return ast.NewObject(items...), nil
}

func fieldValue(v protoreflect.Value, fd protoreflect.FieldDescriptor, read *paths, depth int) (ast.Value, error) {
	switch {
	case fd.IsMap():
		var items [][2]*ast.Term
		var err error
		v.Map().Range(func(k protoreflect.MapKey, element protoreflect.Value) bool {
			key := k.String()
			below := read.under(key)
			if below == nil {
				return true
			}
			var value ast.Value
			if value, err = singleValue(element, fd.MapValue(), below, depth); err != nil {
				err = fmt.Errorf("%q: %w", key, err)
				return false
			}
			if !utf8.ValidString(key) {
				err = errNotUTF8
				return false
			}
			items = append(items, ast.Item(ast.StringTerm(key), ast.NewTerm(value)))
			return true
		})
		return ast.NewObject(items...), err
	case fd.IsList():
		list := v.List()
		terms := make([]*ast.Term, list.Len())
		for i := range list.Len() {
			// What is read of one element is read of all: a list's paths end at the list.
			value, err := singleValue(list.Get(i), fd, &paths{all: true}, depth)
			if err != nil {
				return nil, fmt.Errorf("%d: %w", i, err)
			}
			terms[i] = ast.NewTerm(value)
		}
		return ast.NewArray(terms...), nil
	}
	return singleValue(v, fd, read, depth)
}

func singleValue(v protoreflect.Value, fd protoreflect.FieldDescriptor, read *paths, depth int) (ast.Value, error) {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageValue(v.Message(), read, depth)
	case protoreflect.BoolKind:
		return ast.Boolean(v.Bool()), nil
	case protoreflect.StringKind:
		return text(v.String())
	case protoreflect.BytesKind:
		return ast.String(base64.StdEncoding.EncodeToString(v.Bytes())), nil
	case protoreflect.FloatKind:
		return float(v.Float(), 32)
	case protoreflect.DoubleKind:
		return float(v.Float(), 64)
	case protoreflect.EnumKind:
		if e := fd.Enum().Values().ByNumber(v.Enum()); e != nil {
			return ast.String(e.Name()), nil
		}
		return ast.Number(strconv.Itoa(int(v.Enum()))), nil
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return ast.Number(strconv.FormatUint(v.Uint(), 10)), nil
	default: // every signed integer
		return ast.Number(strconv.FormatInt(v.Int(), 10)), nil
	}
}

var errNotUTF8 = fmt.Errorf("text that is not UTF-8")

func text(s string) (ast.Value, error) {
	if !utf8.ValidString(s) {
		return nil, errNotUTF8
	}
	return ast.String(s), nil
}

// float writes whole numbers without an exponent, since they end up in messages that people read.
func float(f float64, bits int) (ast.Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v is not a number that can be compared", f)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return ast.Number(strconv.FormatInt(int64(f), 10)), nil
	}
	return ast.Number(json.Number(strconv.FormatFloat(f, 'g', -1, bits))), nil
}

func structValue(s *structpb.Struct, depth int) (ast.Value, error) {
	items := make([][2]*ast.Term, 0, len(s.GetFields()))
	for key, element := range s.GetFields() {
		v, err := jsonValue(element, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		if !utf8.ValidString(key) {
			return nil, errNotUTF8
		}
		items = append(items, ast.Item(ast.StringTerm(key), ast.NewTerm(v)))
	}
	return ast.NewObject(items...), nil
}

func listValue(l *structpb.ListValue, depth int) (ast.Value, error) {
	terms := make([]*ast.Term, len(l.GetValues()))
	for i, element := range l.GetValues() {
		v, err := jsonValue(element, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		terms[i] = ast.NewTerm(v)
	}
	return ast.NewArray(terms...), nil
}

func jsonValue(v *structpb.Value, depth int) (ast.Value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch k := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return text(k.StringValue)
	case *structpb.Value_NumberValue:
		return float(k.NumberValue, 64)
	case *structpb.Value_BoolValue:
		return ast.Boolean(k.BoolValue), nil
	case *structpb.Value_StructValue:
		return structValue(k.StructValue, depth)
	case *structpb.Value_ListValue:
		return listValue(k.ListValue, depth)
	default: // null, and a Value in which nothing is set
		return ast.NullValue, nil
	}
}

func timeValue(t *timestamppb.Timestamp) (ast.Value, error) {
	if err := t.CheckValid(); err != nil {
		return nil, fmt.Errorf("time: %w", err)
	}
	// With 0, 3, 6 or 9 digits of a second's fraction, as protobuf's JSON has it.
	s := t.AsTime().Format("2006-01-02T15:04:05.000000000")
	s = strings.TrimSuffix(s, "000")
	s = strings.TrimSuffix(s, "000")
	return ast.String(strings.TrimSuffix(s, ".000") + "Z"), nil
}
