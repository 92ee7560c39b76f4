package contract

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
)

// CUE keeps every field name it ever saw, in a table that lives as long as the process. So it gets to see only names
// that stand in the schema: what is free (parameters, settings) is judged as an empty object, guarantees of the author's
// own types under numbers instead of names, and both are put back into the normal form that CUE makes.

// unify holds root against #Contract. One context for each call: a longer lived one would keep what it built, and the
// schema's own is never written to.
func (s *Schema) unify(root *node) cue.Value {
	return s.contract.Unify(cuecontext.New().BuildExpr(s.shape.judged(root).expr()))
}

// judged returns what CUE gets to see of n; fields that the shape does not know are left out.
func (s *shape) judged(n *node) *node {
	switch {
	case n.kind == kindObject && s.kind == cue.StructKind && !s.open:
		seen := &node{kind: kindObject}
		for i, f := range n.fields {
			if m := s.child(f.name); m != nil {
				seen.add(m.judged(f.value).as(s.alias(f.name, i)))
			}
		}
		return seen
	case n.kind == kindList && s.kind == cue.ListKind && !s.vector:
		seen := &node{kind: kindList}
		for _, item := range n.items {
			seen.items = append(seen.items, s.item.judged(item))
		}
		return seen
	case n.kind == kindObject || n.kind == kindList:
		return &node{kind: n.kind}
	default:
		return n
	}
}

// weigh counts the values that CUE gets to see of n.
func (s *shape) weigh(n *node) int {
	weight := 1
	if n.kind == kindObject && s.kind == cue.StructKind && !s.open {
		for _, f := range n.fields {
			if m := s.child(f.name); m != nil {
				weight += m.weigh(f.value)
			}
		}
	}
	if n.kind == kindList && s.kind == cue.ListKind && !s.vector {
		for _, item := range n.items {
			weight += s.item.weigh(item)
		}
	}
	return weight
}

// child returns what the schema says of a field, nil if nothing.
func (s *shape) child(name string) *member {
	if m := s.fields[name]; m != nil {
		return m
	}
	return s.own
}

const aliasPrefix = "own_"

// alias is the name by which CUE knows the i-th field of an object; no type of the schema begins like an alias.
func (s *shape) alias(name string, i int) string {
	if s.fields[name] == nil {
		return aliasPrefix + strconv.Itoa(i)
	}
	return name
}

// unalias returns the author's name for one that CUE uses of a field of n.
func (s *shape) unalias(name string, n *node) string {
	if s.own == nil {
		return name
	}
	number, is := strings.CutPrefix(name, aliasPrefix)
	if i, err := strconv.Atoi(number); is && err == nil && i < len(n.fields) {
		return n.fields[i].name
	}
	return name
}

// known tells whether every field of n has a name that the schema knows or allows.
func (s *Schema) known(at *shape, n *node) bool {
	if n.kind == kindList && at.kind == cue.ListKind {
		for _, item := range n.items {
			if !s.known(at.item.shape, item) {
				return false
			}
		}
	}
	if n.kind != kindObject || at.kind != cue.StructKind || at.open {
		return true
	}
	for _, f := range n.fields {
		m := at.child(f.name)
		if m == nil || at.fields[f.name] == nil && s.ownType(f.name) != "" || !s.known(m.shape, f.value) {
			return false
		}
	}
	return true
}

// normal returns the normal form that CUE made of n, with everything back in its place.
func (s *Schema) normal(v cue.Value, n *node) ([]byte, error) {
	raw, err := v.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var made any
	if err := json.Unmarshal(raw, &made); err != nil {
		return nil, fmt.Errorf("read the normal form: %w", err)
	}
	return json.Marshal(s.shape.restore(made, n))
}

// restore undoes judged on what CUE made of it.
func (s *shape) restore(made any, n *node) any {
	switch v := made.(type) {
	case map[string]any:
		if s.open {
			return n.value()
		}
		for i, f := range n.fields {
			alias := s.alias(f.name, i)
			child := s.child(f.name).restore(v[alias], f.value)
			if alias != f.name {
				delete(v, alias)
			}
			v[f.name] = child
		}
	case []any:
		if s.vector {
			return n.value()
		}
		for i, item := range n.items {
			v[i] = s.item.restore(v[i], item)
		}
	}
	return made
}
