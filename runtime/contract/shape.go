package contract

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue"
)

// shape is what CUE's #ContractShape says of one place in a contract: which fields there are, which must be given, what
// a value may be. It is read out of the compiled schema once. Faults are found by walking it beside the author's nodes,
// because CUE itself stops at the first level at which something is wrong and hides the rest.
type shape struct {
	value cue.Value // what a value here must unify with; for structs and lists only their kind matters
	kind  cue.Kind
	enum  []string // the texts that are allowed, where nothing else is

	// Structs.
	names  []string // in the order of the schema
	fields map[string]*member
	open   bool    // any field is allowed and none is judged
	own    *member // guarantees: what types of the author's own must be

	// Lists.
	item    *member
	atLeast int
	unique  string // items must differ in this field
	vector  bool   // numbers, maybe thousands: judged here and not by CUE
}

type member struct {
	*shape
	required  bool // must be given: there is no default
	optional  bool // may be missing in the normal form, too
	sensitive bool // its value never stands in a message
}

func newShape(v cue.Value) (*shape, error) {
	s := &shape{value: v, kind: v.IncompleteKind()}
	switch s.kind {
	case cue.StructKind:
		return s, s.readFields()
	case cue.ListKind:
		return s, s.readItems()
	default:
		s.enum = texts(v)
		return s, nil
	}
}

func (s *shape) readFields() error {
	fields, err := s.value.Fields(cue.Optional(true))
	if err != nil {
		return fmt.Errorf("read the schema at %s: %w", s.value.Path(), err)
	}
	s.fields = map[string]*member{}
	for fields.Next() {
		child, err := newShape(fields.Value())
		if err != nil {
			return err
		}
		constraint := fields.Selector().ConstraintType()
		m := &member{shape: child, optional: constraint == cue.OptionalConstraint}
		_, hasDefault := fields.Value().Default()
		m.required = constraint == cue.RequiredConstraint ||
			constraint == 0 && child.kind != cue.StructKind && child.kind != cue.ListKind && !hasDefault && !fields.Value().IsConcrete()
		for _, attribute := range fields.Value().Attributes(cue.FieldAttr) {
			switch attribute.Name() {
			case "sensitive":
				m.sensitive = true
			case "computed":
				m.required = false
			case "unique":
				child.unique = attribute.Contents()
			case "vector":
				child.vector = true
			}
		}
		name := fields.Selector().Unquoted()
		s.names = append(s.names, name)
		s.fields[name] = m
	}
	s.open = len(s.names) == 0
	return nil
}

func (s *shape) readItems() error {
	item, err := newShape(s.value.LookupPath(cue.MakePath(cue.AnyIndex)))
	if err != nil {
		return err
	}
	s.item = &member{shape: item}
	for s.value.LookupPath(cue.MakePath(cue.Index(s.atLeast))).Exists() && s.atLeast < 8 {
		s.atLeast++
	}
	return nil
}

// texts returns the alternatives of a disjunction of texts, each once; nil if v may be anything else, too.
func texts(v cue.Value) []string {
	switch op, parts := v.Expr(); op {
	case cue.OrOp:
		var all []string
		for _, part := range parts {
			// error("must be ...") stands last among the alternatives.
			if part.IncompleteKind() == cue.BottomKind {
				continue
			}
			some := texts(part)
			if some == nil {
				return nil
			}
			for _, s := range some {
				if !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
		return all
	case cue.AndOp:
		for _, part := range parts {
			if some := texts(part); some != nil {
				return some
			}
		}
		return nil
	case cue.SelectorOp:
		if target := cue.Dereference(v); target.Path().String() != v.Path().String() {
			return texts(target)
		}
		return nil
	case cue.NoOp:
		if s, err := v.String(); err == nil {
			return []string{s}
		}
	}
	return nil
}

// guaranteeType is what the short forms need to know of a known type, read out of its shape.
type guaranteeType struct {
	name       string
	properties []string
	number     string // the bound's own number: "min", "max", "deviation", ...
	boundType  string // "min", "max", "equality", ...
	defaulted  bool   // the bound has a default, so `true` is a promise
}

// numberOf maps a bound's type to its number, which is not always called like it.
func numberOf(boundType string) string {
	switch boundType {
	case "equality":
		return "deviation"
	case "relative_max":
		return "ratio"
	case "min_multiple":
		return "multiple"
	default:
		return boundType
	}
}

func newGuaranteeTypes(guarantees *shape) []guaranteeType {
	var types []guaranteeType
	for _, name := range guarantees.names {
		s := guarantees.fields[name]
		bound := s.fields["bound"]
		t := guaranteeType{name: name, properties: s.fields["property"].enum, boundType: bound.fields["type"].enum[0]}
		t.number = numberOf(t.boundType)
		t.defaulted = !bound.fields[t.number].required
		types = append(types, t)
	}
	return types
}
