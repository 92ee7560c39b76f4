package contract

import (
	"bytes"
	"math"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// notFinite returns the path of the first number in m, by field number, that is NaN or infinite; "" if there is none.
func notFinite(path string, m protoreflect.Message) string {
	if allFinite(m) {
		return ""
	}
	found := ""
	fields := m.Descriptor().Fields()
	for i := 0; i < fields.Len() && found == ""; i++ {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		at, v := join(path, string(f.Name())), m.Get(f)
		switch {
		case f.IsMap():
			found = notFiniteMap(at, f, v.Map())
		case f.IsList():
			for j := 0; j < v.List().Len() && found == ""; j++ {
				found = notFiniteValue(nth(at, j), f.Kind(), v.List().Get(j))
			}
		default:
			found = notFiniteValue(at, f.Kind(), v)
		}
	}
	return found
}

func notFiniteMap(at string, f protoreflect.FieldDescriptor, m protoreflect.Map) string {
	var keys []protoreflect.MapKey
	m.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
	for _, key := range keys {
		if found := notFiniteValue(join(at, key.String()), f.MapValue().Kind(), m.Get(key)); found != "" {
			return found
		}
	}
	return ""
}

func notFiniteValue(at string, kind protoreflect.Kind, v protoreflect.Value) string {
	switch kind {
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return at
		}
	case protoreflect.MessageKind:
		return notFinite(at, v.Message())
	}
	return ""
}

// allFinite is notFinite without a path, whose making would cost more than all else where a contract is taken back.
func allFinite(m protoreflect.Message) bool {
	all := true
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			if kind := f.MapValue().Kind(); mayHoldNumbers(kind) {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					all = finiteValue(kind, v)
					return all
				})
			}
		case f.IsList():
			if mayHoldNumbers(f.Kind()) {
				for i, list := 0, v.List(); i < list.Len() && all; i++ {
					all = finiteValue(f.Kind(), list.Get(i))
				}
			}
		default:
			all = finiteValue(f.Kind(), v)
		}
		return all
	})
	return all
}

func mayHoldNumbers(kind protoreflect.Kind) bool {
	return kind == protoreflect.DoubleKind || kind == protoreflect.FloatKind || kind == protoreflect.MessageKind
}

func finiteValue(kind protoreflect.Kind, v protoreflect.Value) bool {
	switch kind {
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return v.Float()-v.Float() == 0 // NaN for all that is not finite
	case protoreflect.MessageKind:
		return allFinite(v.Message())
	}
	return true
}
