package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A shape is what a term roughly is. Nothing holds it to that: contracts and requests may hold anything anywhere.
type form int

const (
	aText form = iota
	aNumber
	aTruth
	aList    // array, or set
	anObject // of anything
	anything
)

// A helper is a rule that others may refer to.
type helper struct {
	name string // such as data.caio.lib.h0.r1
	args int    // 0: a document
	is   form
}

// A library is the helpers that were written so far.
type library struct {
	all  []helper
	calm bool // nothing is written that goes wrong easily: what goes wrong is left to OPA, and compares little
}

func (l *library) add(h ...helper) { l.all = append(l.all, h...) }

func (l *library) datum(name string, is form) helper { return helper{name: name, is: is} }

// A writer writes the rules of one module.
type writer struct {
	random *rand.Rand
	known  *library
	module *invented
	vars   []variable // that may be used where the writer is
	plain  bool       // `_` would not be safe there
	fresh  int        // variables and rules are numbered within the module
}

// A variable is one that is bound where it may be used.
type variable struct {
	name string
	is   form
	used bool
}

func (w *writer) oneIn(n int) bool { return w.random.IntN(n) == 0 }

func (w *writer) name(prefix string) string {
	w.fresh++
	return fmt.Sprintf("%s%d", prefix, w.fresh)
}

// bind makes a variable that may be used from now on.
func (w *writer) bind(is form) string {
	name := w.name("v")
	if w.oneIn(8) && len(w.vars) == 0 {
		name = "data_" // a name that is nearly one of the roots
	}
	if w.oneIn(6) && !slices.ContainsFunc(w.vars, func(v variable) bool { return v.name == "x" }) {
		name = "x" // the same name in many rules, functions and closures
	}
	w.vars = append(w.vars, variable{name: name, is: is})
	return name
}

// within runs what writes a closure: what is bound there ends there. It returns the closure's conditions.
func (w *writer) within(write func() []string) []string {
	outer := len(w.vars)
	lines := write()
	for _, v := range w.vars[outer:] {
		if !v.used { // the compiler refuses variables that nobody uses
			lines = append(lines, v.name+` != "unused"`)
		}
	}
	w.vars = w.vars[:outer]
	return lines
}

// plainly runs what writes a term, or a condition, in which `_` would not be safe.
func (w *writer) plainly(write func() string) string {
	before := w.plain
	w.plain = true
	defer func() { w.plain = before }()
	return write()
}

// body writes up to n conditions.
func (w *writer) body(n, depth int) []string {
	var lines []string
	for range 1 + w.random.IntN(n) {
		lines = append(lines, w.condition(depth))
	}
	return lines
}

// deny writes a body of a judgement, now and then two.
func (w *writer) deny() {
	c := &clause{}
	c.body = w.within(func() []string {
		var lines []string
		if !w.oneIn(20) {
			lines = w.body(4, 2)
		}
		reason := w.plainly(w.reason)
		if len(lines) > 0 && w.oneIn(3) {
			lines = append(lines, "msg := "+reason)
			reason = "msg"
		}
		c.head = "deny contains " + reason
		return lines
	})
	for len(c.body) > 0 && w.oneIn(6) { // a further body of the same reason, which may not use the variables of the first
		c.tail = append(c.tail, otherwise{body: w.within(func() []string { return w.body(3, 1) })})
	}
	w.module.clauses = append(w.module.clauses, c)
}

// reason writes what a judgement says.
func (w *writer) reason() string {
	id := w.name("R")
	switch w.random.IntN(12) {
	case 0, 1, 2:
		return fmt.Sprintf("%q", "says "+id)
	case 3, 4:
		return fmt.Sprintf(`sprintf("%s: %%v, %%v", [%s, %s])`, id, w.term(anything, 1), w.term(anything, 1))
	case 5:
		return fmt.Sprintf(`{"rule": %q, "message": "m"}`, id)
	case 6, 7:
		return fmt.Sprintf(`{"rule": %q, "message": sprintf("%%v", [%s]), "facts": {"a": %s, "b": [%s]}}`, id, w.term(anything, 1), w.term(anything, 1), w.term(anything, 1))
	case 8:
		return fmt.Sprintf(`{"message": %q, "facts": {%s: %s}}`, id, w.term(aText, 1), w.term(anything, 1))
	case 9:
		return fmt.Sprintf(`concat(", ", [%q, %s])`, id, w.term(aText, 1))
	case 10:
		return w.term(anything, 2)
	}
	return pick(w.random, "5", "false", "[1, 2]", `{"message": 3}`, `{"rule": 4, "message": "five"}`, w.term(aText, 2), `$"costs {input.service.cost.per_request}"`)
}

// helper writes a document or a function, of one to three bodies.
func (w *writer) helper() {
	h := helper{name: w.name("r")}
	is := pick(w.random, aText, aNumber, aTruth, aList, anObject)
	h.is = is
	bodies, which := 1+w.random.IntN(3), w.random.IntN(8)
	complete := which != 0 && which != 3 && which != 4
	var clauses []*clause
	write := func(head func() string) {
		for range bodies {
			c := &clause{}
			var arguments []variable
			c.body = w.within(func() []string {
				args := head()
				arguments = slices.Clone(w.vars)
				var lines []string
				if w.oneIn(8) {
					lines = []string{"true"}
				} else {
					lines = w.body(2, 1)
				}
				c.head = strings.ReplaceAll(args, "VALUE", w.plainly(func() string { return w.value(is) }))
				return lines
			})
			if complete {
				w.others(c, arguments, is)
			}
			clauses = append(clauses, c)
		}
	}
	switch which {
	case 0: // a flag
		h.is = aTruth
		write(func() string { return h.name })
	case 1, 2: // a complete document
		write(func() string { return h.name + " := VALUE" })
		if w.oneIn(2) {
			clauses = append(clauses, &clause{head: "default " + h.name + " := " + w.constant(is)})
		}
	case 3: // a set
		h.is = aList
		write(func() string { return h.name + " contains VALUE" })
	case 4: // an object
		h.is = anObject
		write(func() string {
			if w.oneIn(4) {
				return h.name + pick(w.random, ".a", ".b", ".eu") + " := VALUE"
			}
			return h.name + "[" + w.plainly(func() string { return w.term(aText, 1) }) + "] := VALUE"
		})
	default: // a function
		h.args = 1 + w.random.IntN(2)
		write(func() string {
			var args []string
			for range h.args {
				if w.oneIn(5) {
					args = append(args, w.constant(aText))
				} else {
					args = append(args, w.bind(anything))
				}
			}
			return h.name + "(" + strings.Join(args, ", ") + ") := VALUE"
		})
		if w.oneIn(6) {
			clauses = append(clauses, &clause{head: "default " + h.name + "(" + strings.Join([]string{"_", "_"}[:h.args], ", ") + ") := " + w.constant(is)})
		}
	}
	w.module.clauses = append(w.module.clauses, clauses...)
	h.name = "data." + w.module.pkg + "." + h.name
	w.known.add(h)
}

// others adds else branches, which see arguments and nothing else of what was bound before.
func (w *writer) others(c *clause, arguments []variable, is form) {
	for w.oneIn(2) {
		e := otherwise{}
		e.body = w.within(func() []string {
			w.vars = append(w.vars, arguments...)
			lines := w.body(2, 1)
			e.head = "else := " + w.plainly(func() string { return w.value(is) })
			return lines
		})
		c.tail = append(c.tail, e)
	}
}

// value writes what a helper gives: often few different ones, so that bodies agree as well as contradict each other.
func (w *writer) value(is form) string {
	if w.oneIn(2) {
		return w.constant(is)
	}
	return w.term(is, 1)
}
