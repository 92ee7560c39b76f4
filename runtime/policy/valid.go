package policy

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// valid fails where valueOf would: on numbers that are not finite, text that is not UTF-8 and JSON that is too deep, in
// what read names. It makes no values.
func valid(req *caiov1.Request, read *paths) error {
	if read == nil {
		return nil
	}
	if err := validMessage(req.ProtoReflect(), read, 0); err != nil {
		return fmt.Errorf("prepare %s for policies: %w", req.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

func tooDeep(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	return nil
}

func validMessage(m protoreflect.Message, read *paths, depth int) error {
	if err := tooDeep(depth); err != nil {
		return err
	}
	switch known := m.Interface().(type) {
	case *structpb.Struct:
		return validStruct(known, depth)
	case *structpb.Value:
		return validJSON(known, depth)
	case *structpb.ListValue:
		return validList(known, depth)
	case *timestamppb.Timestamp:
		if err := known.CheckValid(); err != nil {
			return fmt.Errorf("time: %w", err)
		}
		return nil
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		below := read.under(string(fd.Name()))
		if below == nil || !m.Has(fd) {
			continue
		}
		if err := validField(m.Get(fd), fd, below, depth+1); err != nil {
			return fmt.Errorf("%s: %w", fd.Name(), err)
		}
	}
	return nil
}

func validField(v protoreflect.Value, fd protoreflect.FieldDescriptor, read *paths, depth int) error {
	switch {
	case fd.IsMap():
		return validMap(v.Map(), fd, read, depth)
	case fd.IsList():
		list := v.List()
		for i := range list.Len() {
			if err := validSingle(list.Get(i), fd, wholly, depth); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	}
	return validSingle(v, fd, read, depth)
}

func validMap(m protoreflect.Map, fd protoreflect.FieldDescriptor, read *paths, depth int) (err error) {
	m.Range(func(k protoreflect.MapKey, element protoreflect.Value) bool {
		key := k.String()
		below := read.under(key)
		if below == nil {
			return true
		}
		if err = validSingle(element, fd.MapValue(), below, depth); err == nil && !utf8.ValidString(key) {
			err = errNotUTF8
		}
		if err != nil {
			err = fmt.Errorf("%q: %w", key, err)
		}
		return err == nil
	})
	return err
}

func validSingle(v protoreflect.Value, fd protoreflect.FieldDescriptor, read *paths, depth int) error {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return validMessage(v.Message(), read, depth)
	case protoreflect.StringKind:
		if !utf8.ValidString(v.String()) {
			return errNotUTF8
		}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return validNumber(v.Float())
	}
	return nil
}

func validNumber(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v is not a number that can be compared", f)
	}
	return nil
}

func validStruct(s *structpb.Struct, depth int) error {
	for key, element := range s.GetFields() {
		if err := validJSON(element, depth+1); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		if !utf8.ValidString(key) {
			return errNotUTF8
		}
	}
	return nil
}

func validList(l *structpb.ListValue, depth int) error {
	for i, element := range l.GetValues() {
		if err := validJSON(element, depth+1); err != nil {
			return fmt.Errorf("%d: %w", i, err)
		}
	}
	return nil
}

func validJSON(v *structpb.Value, depth int) error {
	if err := tooDeep(depth); err != nil {
		return err
	}
	switch k := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		if !utf8.ValidString(k.StringValue) {
			return errNotUTF8
		}
	case *structpb.Value_NumberValue:
		return validNumber(k.NumberValue)
	case *structpb.Value_StructValue:
		return validStruct(k.StructValue, depth)
	case *structpb.Value_ListValue:
		return validList(k.ListValue, depth)
	}
	return nil
}
