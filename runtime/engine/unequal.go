package engine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxShown bounds a value that a Mismatch shows, in bytes.
const maxShown = 120

// differing says where two messages of one type differ, in the order of their fields, at most maxChanges places. Elements
// of a list are told by what names them, where something does, so that one more does not make all that follow it differ.
func differing(recorded, found proto.Message) []Mismatch {
	c := &comparison{}
	c.messages("", recorded.ProtoReflect(), found.ProtoReflect())
	if len(c.out) == 0 {
		c.add("bytes", "the same message", "written otherwise")
	}
	return c.out
}

// A comparison is one call of differing.
type comparison struct{ out []Mismatch }

func (c *comparison) add(name, recorded, found string) {
	if len(c.out) < maxChanges {
		c.out = append(c.out, Mismatch{name, shorten(recorded), shorten(found)})
	}
}

func shorten(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "..."
	}
	return s
}

func (c *comparison) messages(at string, a, b protoreflect.Message) {
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := string(fd.Name())
		if at != "" {
			name = at + "." + name
		}
		switch {
		case !a.Has(fd) && !b.Has(fd):
		case fd.IsMap():
			c.lists(name, entries(fd, a.Get(fd).Map()), entries(fd, b.Get(fd).Map()))
		case fd.IsList():
			c.lists(name, elements(fd, a.Get(fd).List()), elements(fd, b.Get(fd).List()))
		case fd.Message() != nil && a.Has(fd) && b.Has(fd):
			c.messages(name, a.Get(fd).Message(), b.Get(fd).Message())
		default:
			c.values(name, fd, a.Get(fd), b.Get(fd), a.Has(fd), b.Has(fd))
		}
	}
	if !bytes.Equal(a.GetUnknown(), b.GetUnknown()) {
		c.add(strings.TrimSpace(at+" (fields that are not known here)"), fmt.Sprintf("%x", a.GetUnknown()), fmt.Sprintf("%x", b.GetUnknown()))
	}
}

// An element is one of a list or a map, under what names it.
type element struct {
	name  string
	fd    protoreflect.FieldDescriptor // of its value
	value protoreflect.Value
}

func elements(fd protoreflect.FieldDescriptor, l protoreflect.List) []element {
	var out []element
	seen := map[string]int{}
	for i := range l.Len() {
		name := nameOf(fd, l.Get(i))
		if name == "" {
			name = strconv.Itoa(i)
		}
		if seen[name]++; seen[name] > 1 {
			name += "#" + strconv.Itoa(seen[name])
		}
		out = append(out, element{name, fd, l.Get(i)})
	}
	return out
}

func entries(fd protoreflect.FieldDescriptor, m protoreflect.Map) []element {
	all := map[string]element{}
	m.Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
		all[key.String()] = element{key.String(), fd.MapValue(), v}
		return true
	})
	var out []element
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[key])
	}
	return out
}

// nameOf returns what names an element of a list among the others; empty: nothing does.
func nameOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if fd.Message() == nil {
		return ""
	}
	for _, name := range []protoreflect.Name{"service_id", "property", "rule"} {
		if by := fd.Message().Fields().ByName(name); by != nil && by.Kind() == protoreflect.StringKind && !by.IsList() {
			return v.Message().Get(by).String()
		}
	}
	return ""
}

func (c *comparison) lists(at string, a, b []element) {
	there := map[string]element{}
	for _, e := range b {
		there[e.name] = e
	}
	for _, e := range a {
		name, other := at+"["+e.name+"]", there[e.name]
		switch {
		case other.fd == nil:
			c.add(name, "there", "absent")
		case e.fd.Message() != nil:
			c.messages(name, e.value.Message(), other.value.Message())
		default:
			c.values(name, e.fd, e.value, other.value, true, true)
		}
		delete(there, e.name)
	}
	for _, e := range b {
		if there[e.name].fd != nil {
			c.add(at+"["+e.name+"]", "absent", "there")
		}
	}
	order := func(in []element) (names []string) {
		for _, e := range in {
			names = append(names, e.name)
		}
		return names
	}
	if before, after := order(a), order(b); len(a) == len(b) && !slices.Equal(before, after) {
		c.add(at+" (order)", fmt.Sprint(before), fmt.Sprint(after))
	}
}

func (c *comparison) values(at string, fd protoreflect.FieldDescriptor, a, b protoreflect.Value, hasA, hasB bool) {
	show := func(v protoreflect.Value, there bool) string {
		switch {
		case !there && fd.HasPresence():
			return "absent"
		case fd.Message() != nil:
			return "there"
		case fd.Kind() == protoreflect.StringKind:
			return strconv.Quote(v.String())
		case fd.Kind() == protoreflect.BytesKind:
			return fmt.Sprintf("%x", v.Bytes())
		}
		return fmt.Sprint(v.Interface())
	}
	if hasA != hasB || !a.Equal(b) {
		c.add(at, show(a, hasA), show(b, hasB))
	}
}
