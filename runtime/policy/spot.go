package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/reflect/protoreflect"

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

// wholly reads all there is.
var wholly = &paths{all: true}

// term returns what stands at p in m as valueOf shows it, nil if nothing does. It returns last, what another request had
// there, where that is the same: most requests resemble one another. m was found valid.
func (p *spot) term(m protoreflect.Message, last *ast.Term) *ast.Term {
	if p.none {
		return nil
	}
	if len(p.fields) == 0 {
		v, err := messageValue(m, wholly, 0)
		return termOf(v, err)
	}
	m, fd := p.find(m)
	if fd == nil {
		return nil
	}
	if len(p.rest) > 0 {
		v, err := fieldValue(m.Get(fd), fd, wholly, len(p.fields))
		for _, name := range p.rest {
			object, ok := v.(ast.Object)
			if err != nil || !ok {
				return nil
			}
			t := object.Get(ast.StringTerm(name))
			if t == nil {
				return nil
			}
			v = t.Value
		}
		return termOf(v, err)
	}
	if last != nil && same(m.Get(fd), fd, last.Value) {
		return last
	}
	v, err := fieldValue(m.Get(fd), fd, wholly, len(p.fields))
	return termOf(v, err)
}

// find returns the last of p's fields and the message it is in; nil: there is no value.
func (p *spot) find(m protoreflect.Message) (protoreflect.Message, protoreflect.FieldDescriptor) {
	end := len(p.fields) - 1
	for _, fd := range p.fields[:end] {
		if !m.Has(fd) {
			return nil, nil
		}
		m = m.Get(fd).Message()
	}
	fd := p.fields[end]
	if fd.HasPresence() && !m.Has(fd) {
		return nil, nil
	}
	return m, fd
}

// there tells whether anything stands at p in m.
func (p *spot) there(m protoreflect.Message) bool {
	switch {
	case p.none:
		return false
	case len(p.rest) > 0:
		return p.term(m, nil) != nil
	case len(p.fields) == 0:
		return true
	}
	_, fd := p.find(m)
	return fd != nil
}

func termOf(v ast.Value, err error) *ast.Term {
	if err != nil || v == nil {
		return nil
	}
	if b, ok := v.(ast.Boolean); ok {
		return ast.InternedTerm(bool(b))
	}
	return ast.NewTerm(v)
}

// same tells, where it can do so at once, whether v is what last shows.
func same(v protoreflect.Value, fd protoreflect.FieldDescriptor, last ast.Value) bool {
	switch {
	case fd.IsMap():
		o, ok := last.(ast.Object)
		return ok && o.Len() == 0 && v.Map().Len() == 0
	case fd.IsList():
		a, ok := last.(*ast.Array)
		list := v.List()
		if !ok || a.Len() != list.Len() || fd.Kind() != protoreflect.StringKind && a.Len() > 0 {
			return false
		}
		for i := range a.Len() {
			if s, ok := a.Elem(i).Value.(ast.String); !ok || string(s) != list.Get(i).String() {
				return false
			}
		}
		return true
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		b, ok := last.(ast.Boolean)
		return ok && bool(b) == v.Bool()
	case protoreflect.StringKind:
		s, ok := last.(ast.String)
		return ok && string(s) == v.String()
	case protoreflect.Int32Kind:
		n, ok := last.(ast.Number)
		i, whole := n.Int64()
		return ok && whole && i == v.Int()
	}
	return false
}
