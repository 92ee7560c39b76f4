package policy

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A spot is a path of the request, found once: the fields that lead there, and what is left below the last of them.
type spot struct {
	fields []protoreflect.FieldDescriptor
	rest   []string
	none   bool // there is no such field
}

func newSpot(path []string) spot {
	var p spot
	md := (*caiov1.Request)(nil).ProtoReflect().Descriptor()
	for i, name := range path {
		if md == nil || free(md) || md.FullName() == "google.protobuf.Timestamp" {
			p.rest = path[i:]
			return p
		}
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			return spot{none: true}
		}
		p.fields = append(p.fields, fd)
		md = nil
		if !fd.IsList() && !fd.IsMap() {
			md = fd.Message()
		}
	}
	return p
}

// value returns what stands at p in m as valueOf shows it, nil if nothing does.
func (p *spot) value(m protoreflect.Message) (ast.Value, error) {
	if p.none {
		return nil, nil
	}
	everything := &paths{all: true}
	if len(p.fields) == 0 {
		return messageValue(m, everything, 0)
	}
	last := len(p.fields) - 1
	for _, fd := range p.fields[:last] {
		if !m.Has(fd) {
			return nil, nil
		}
		m = m.Get(fd).Message()
	}
	fd := p.fields[last]
	if fd.HasPresence() && !m.Has(fd) {
		return nil, nil
	}
	v, err := fieldValue(m.Get(fd), fd, everything, len(p.fields))
	if err != nil {
		return nil, err
	}
	for _, name := range p.rest {
		object, ok := v.(ast.Object)
		if !ok {
			return nil, nil
		}
		t := object.Get(ast.StringTerm(name))
		if t == nil {
			return nil, nil
		}
		v = t.Value
	}
	return v, nil
}

// valid fails where valueOf would: on numbers that are not finite, text that is not UTF-8, JSON that is too deep, in what
// read names. It makes no values.
func valid(req *caiov1.Request, read *paths) error {
	if err := validMessage(req.ProtoReflect(), read, 0); err != nil {
		return fmt.Errorf("prepare %s for policies: %w", req.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

func validMessage(m protoreflect.Message, read *paths, depth int) error {
	if read == nil {
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch m.Interface().(type) {
	case *structpb.Struct, *structpb.Value, *structpb.ListValue:
		_, err := messageValue(m, read, depth)
		return err
	case *caiov1.Intent:
		_, err := messageValue(m, read, depth) // may be of any kind; read only by policies that look into payloads
		return err
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
		_, err := fieldValue(v, fd, read, depth)
		return err
	case fd.IsList():
		list := v.List()
		for i := range list.Len() {
			if err := validSingle(list.Get(i), fd, &paths{all: true}, depth); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	}
	return validSingle(v, fd, read, depth)
}

func validSingle(v protoreflect.Value, fd protoreflect.FieldDescriptor, read *paths, depth int) error {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if fd.Message().FullName() == "google.protobuf.Timestamp" {
			_, err := messageValue(v.Message(), read, depth)
			return err
		}
		return validMessage(v.Message(), read, depth)
	case protoreflect.StringKind:
		if !utf8.ValidString(v.String()) {
			return errNotUTF8
		}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%v is not a number that can be compared", f)
		}
	}
	return nil
}
