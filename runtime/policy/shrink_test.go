package policy

import (
	"encoding/json"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// shrink leaves out of v whatever can be left out while it still differs, and returns what remains. It tries at most
// budget times.
func (v *invention) shrink(differs func(*invention) bool, budget int) *invention {
	s := &shrinker{at: v.clone(), differs: differs, budget: budget}
	for before := -1; before != s.taken && s.budget > 0; {
		before = s.taken
		s.inputs()
		s.clauses()
		s.try(func(v *invention) { v.data = "" })
		s.contents()
	}
	return s.at
}

type shrinker struct {
	at            *invention
	differs       func(*invention) bool
	budget, taken int
}

// try makes a change that stays if what is left still differs.
func (s *shrinker) try(change func(*invention)) bool {
	if s.budget--; s.budget < 0 {
		return false
	}
	next := s.at.clone()
	change(next)
	if !s.differs(next) {
		return false
	}
	s.at = next
	s.taken++
	return true
}

func (v *invention) clone() *invention {
	n := *v
	n.services, n.requests = slices.Clone(v.services), slices.Clone(v.requests)
	n.modules = nil
	for _, m := range v.modules {
		copied := *m
		copied.clauses = nil
		for _, c := range m.clauses {
			copied.clauses = append(copied.clauses, &clause{head: c.head, body: slices.Clone(c.body), tail: slices.Clone(c.tail)})
		}
		n.modules = append(n.modules, &copied)
	}
	return &n
}

// inputs leaves out requests and services.
func (s *shrinker) inputs() {
	for i := len(s.at.requests) - 1; i >= 0 && len(s.at.requests) > 1; i-- {
		s.try(func(v *invention) { v.requests = slices.Delete(v.requests, i, i+1) })
	}
	for i := len(s.at.services) - 1; i >= 0; i-- {
		if s.at.services[i] != "" {
			s.try(func(v *invention) { v.services[i] = "" })
		}
	}
}

// clauses leaves out rules, conditions and else branches.
func (s *shrinker) clauses() {
	for m := len(s.at.modules) - 1; m >= 0; m-- {
		s.try(func(v *invention) { v.modules[m].clauses = nil })
		for c := len(s.at.modules[m].clauses) - 1; c >= 0; c-- {
			if s.try(func(v *invention) { v.modules[m].clauses = slices.Delete(v.modules[m].clauses, c, c+1) }) {
				continue
			}
			at := func(v *invention) *clause { return v.modules[m].clauses[c] }
			for i := len(at(s.at).tail) - 1; i >= 0; i-- {
				s.try(func(v *invention) { at(v).tail = slices.Delete(at(v).tail, i, i+1) })
			}
			for i := len(at(s.at).body) - 1; i >= 0; i-- {
				s.try(func(v *invention) { at(v).body = slices.Delete(at(v).body, i, i+1) })
			}
		}
	}
}

// contents leaves out fields of contracts and of requests.
func (s *shrinker) contents() {
	for slot, contract := range s.at.services {
		if contract == "" {
			continue
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(contract), &object); err != nil {
			continue
		}
		for _, path := range keysOf(object, nil) {
			s.try(func(v *invention) { v.services[slot] = without(v.services[slot], path) })
		}
	}
	for i := range s.at.requests {
		for _, path := range fieldsOf(s.at.requests[i].ProtoReflect(), nil) {
			s.try(func(v *invention) { v.requests[i] = cleared(v.requests[i], path) })
		}
	}
}

// keysOf returns the paths of all that lies in o, outer ones first.
func keysOf(o map[string]any, at []string) [][]string {
	var paths [][]string
	for _, key := range slices.Sorted(maps.Keys(o)) {
		here := append(slices.Clone(at), key)
		paths = append(paths, here)
		if below, ok := o[key].(map[string]any); ok {
			paths = append(paths, keysOf(below, here)...)
		}
	}
	return paths
}

func without(contract string, path []string) string {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(contract), &object); err != nil {
		return contract
	}
	if below, ok := object[path[0]]; ok && len(path) > 1 {
		object[path[0]] = json.RawMessage(without(string(below), path[1:]))
	} else {
		delete(object, path[0])
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return contract
	}
	return string(raw)
}

func fieldsOf(m protoreflect.Message, at []protoreflect.FieldDescriptor) [][]protoreflect.FieldDescriptor {
	var paths [][]protoreflect.FieldDescriptor
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		here := append(slices.Clone(at), fd)
		paths = append(paths, here)
		if fd.Message() != nil && !fd.IsMap() && !fd.IsList() {
			paths = append(paths, fieldsOf(m.Get(fd).Message(), here)...)
		}
	}
	return paths
}

func cleared(req *caiov1.Request, path []protoreflect.FieldDescriptor) *caiov1.Request {
	req = proto.CloneOf(req)
	m := req.ProtoReflect()
	for _, fd := range path[:len(path)-1] {
		if !m.Has(fd) {
			return req
		}
		m = m.Mutable(fd).Message()
	}
	m.Clear(path[len(path)-1])
	return req
}
