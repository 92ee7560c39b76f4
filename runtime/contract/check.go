package contract

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"github.com/agnivade/levenshtein"
)

// checker finds every fault of one contract in normal form. It runs only where CUE has already refused the whole.
type checker struct {
	schema *Schema
	report *report
	bad    map[place]bool
}

// place is a field of an object that is there; the name may lead through objects that are not ("bound.min"). Places that
// were reported are remembered, because rules that speak of them would only repeat what was said.
type place struct {
	object *node
	name   string
}

// walk compares n with its shape and reports what does not fit. False: n itself must go before rules are looked at.
func (c *checker) walk(m *member, n *node) bool {
	switch {
	case n.kind == kindBroken:
		return false
	case m.kind == cue.StructKind && n.kind == kindObject:
		c.walkFields(m.shape, n)
		return true
	case m.vector && n.kind == kindList:
		return true // see vectors
	case m.kind == cue.ListKind && n.kind == kindList:
		c.walkItems(m.shape, n)
		return true
	case m.kind == cue.StructKind:
		c.wrong(m, n, "must be an object of fields")
	case m.kind == cue.ListKind:
		c.wrong(m, n, "must be a list")
	default:
		allowed := m.allowed(n)
		if allowed == "" {
			return true
		}
		c.wrong(m, n, allowed)
	}
	return false
}

// allowed asks CUE about a single value. It returns "" if it is right, else the sentence that the schema ends the
// value's alternatives with.
func (s *shape) allowed(n *node) string {
	err := s.value.Unify(cuecontext.New().BuildExpr(s.judged(n).expr())).Validate(cue.Concrete(true))
	if err == nil {
		return ""
	}
	for _, e := range errors.Errors(err) {
		if message := cueMessage(e); isDemand(message) {
			return message
		}
	}
	return fmt.Sprintf("must be of type %v", s.kind)
}

func cueMessage(e errors.Error) string {
	format, args := e.Msg()
	return fmt.Sprintf(format, args...)
}

// isDemand tells the schema's own sentences from what CUE says.
func isDemand(message string) bool { return strings.HasPrefix(message, "must ") }

func (c *checker) wrong(m *member, n *node, allowed string) {
	found := n.found()
	switch {
	case n.kind == kindNull:
		found = "no value"
	case m.sensitive:
		found = "what is written here"
	case n.kind == kindNumber && m.kind == cue.StringKind:
		found = "the number " + found
	}
	c.report.add(n.pos, n.path, "%s is not allowed: %s%s", found, allowed, m.meant(n))
}

// meant guesses what the author meant: the nearest name, or the same value with or without quotes.
func (m *member) meant(n *node) string {
	switch {
	case m.sensitive:
	case n.kind == kindText && m.enum != nil:
		return hint(n.text, m.enum)
	case n.kind == kindText && m.kind == cue.BoolKind:
		switch strings.ToLower(n.text) {
		case "true", "yes", "on":
			return "; did you mean true?"
		case "false", "no", "off":
			return "; did you mean false?"
		}
	case n.kind == kindText:
		value, err := strconv.ParseFloat(n.text, 64)
		plain := &node{kind: kindNumber, number: value, whole: value == math.Trunc(value) && math.Abs(value) < 1<<53}
		if err == nil && !math.IsInf(value, 0) && !math.IsNaN(value) && m.allowed(plain) == "" {
			return fmt.Sprintf("; did you mean %s, without quotes?", n.text)
		}
	case n.kind == kindNumber && m.kind == cue.StringKind && m.allowed(&node{kind: kindText, text: n.text}) == "":
		return fmt.Sprintf("; did you mean %q, in quotes?", n.text)
	}
	return ""
}

func (c *checker) walkFields(s *shape, n *node) {
	if s.open {
		return
	}
	var keep []*field
	for _, f := range n.fields {
		m := s.fields[f.name]
		switch {
		case m == nil && s.own != nil:
			if message := c.schema.ownType(f.name); message != "" {
				c.report.add(f.pos, join(n.path, f.name), "%s", message)
				continue
			}
			m = s.own
		case m == nil:
			// The name that was most likely meant is not missing as well.
			c.bad[place{n, Nearest(f.name, s.names)}] = true
			path := join(n.path, f.name)
			if n.path == "" {
				path = f.value.path // it may stand under `service`
			}
			c.report.add(f.pos, path, "unknown field %s: allowed are %s%s", quoteShort(f.name), strings.Join(s.names, ", "), hint(f.name, s.names))
			continue
		}
		if !c.walk(m, f.value) {
			c.bad[place{n, f.name}] = true
			continue
		}
		keep = append(keep, f)
	}
	c.missing(s, n, n, "")
	n.fields = keep
}

// ownType says what is wrong with the name of a guarantee that the schema does not know; "": nothing, it may be a type of
// the author's own.
func (s *Schema) ownType(name string) string {
	types := strings.Join(s.shape.fields["guarantees"].names, ", ")
	if near := Nearest(name, s.guaranteeNames); near != "" && levenshtein.ComputeDistance(name, near) <= 2 {
		return fmt.Sprintf("unknown guarantee %s: too near to a known one to be a type of your own; known are %s; did you mean %q?", quoteShort(name), types, near)
	}
	if allowed := s.name.allowed(&node{kind: kindText, text: name}); allowed != "" {
		return fmt.Sprintf("guarantee %s is not allowed: its name %s; known are %s%s", quoteShort(name), allowed, types, hint(name, s.guaranteeNames))
	}
	return ""
}

// missing reports what must be given and is not. An unknown neighbour that is most likely the one meant has said it
// already. n stands for an object below base that may not be there itself.
func (c *checker) missing(s *shape, n, base *node, prefix string) {
	for _, name := range s.names {
		m := s.fields[name]
		if n.get(name) != nil || m.optional {
			continue
		}
		switch {
		case c.bad[place{base, prefix + name}]:
		case m.required:
			c.bad[place{base, prefix + name}] = true
			c.report.add(n.pos, join(n.path, name), "missing: %s", m.demand())
		case m.kind == cue.StructKind && !m.open:
			// An object may be left out if nothing in it must be given.
			absent := &node{kind: kindObject, pos: n.pos, path: join(n.path, name)}
			c.missing(m.shape, absent, base, prefix+name+".")
		}
	}
}

// demand says what a missing field must be.
func (s *shape) demand() string {
	switch s.kind {
	case cue.StructKind:
		return "must be an object with " + strings.Join(s.names, ", ")
	case cue.ListKind:
		return "must be a list with at least one item"
	default:
		return s.allowed(&node{kind: kindNull})
	}
}

func (c *checker) walkItems(s *shape, n *node) {
	var keep []*node
	seen := map[string]*node{}
	for _, item := range n.items {
		if !c.walk(s.item, item) {
			continue
		}
		keep = append(keep, item)
		key := item.get(s.unique)
		if s.unique == "" || key == nil || key.value.kind != kindText {
			continue
		}
		if first := seen[key.value.text]; first != nil {
			c.report.add(key.value.pos, key.value.path, "%s %s is given twice: first on line %d", s.unique, quoteShort(key.value.text), first.pos.line)
			continue
		}
		seen[key.value.text] = key.value
	}
	if len(n.items) < s.atLeast {
		c.report.add(n.pos, n.path, "an empty list is not allowed: must hold at least one item")
	}
	n.items = keep
}
