package policy

import (
	"fmt"
	"strings"
)

// condition writes one line of a body. depth bounds how deep closures lie within one another.
func (w *writer) condition(depth int) string {
	if depth > 0 {
		switch w.random.IntN(16) {
		case 0, 1:
			return w.negation(depth - 1)
		case 2:
			return w.every(depth - 1)
		case 3:
			return fmt.Sprintf("count(%s) %s %d", w.comprehension(depth-1), w.order(), w.random.IntN(3))
		case 4:
			return w.left(depth - 1)
		case 5:
			if !w.known.calm {
				return w.wrong()
			}
		}
	}
	switch w.random.IntN(14) {
	case 0, 1, 2: // what most rules begin with
		return fmt.Sprintf("%s == %s", w.requested(aText), w.constant(aText))
	case 3:
		return w.requested(aTruth)
	case 4:
		return fmt.Sprintf("%s %s %s", w.offered(aText), pick(w.random, "==", "!="), w.requested(aText))
	case 5:
		is := pick(w.random, aText, aNumber, aNumber, aTruth, anything)
		return fmt.Sprintf("%s %s %s", w.term(is, 1), w.order(), w.term(is, 1))
	case 6:
		return fmt.Sprintf("%s in %s", w.term(aText, 1), w.term(aList, 1))
	case 7:
		return fmt.Sprintf("%s, %s in %s", w.term(aText, 0), w.term(anything, 0), w.term(anObject, 1))
	case 8, 9:
		return w.loop()
	case 10:
		return w.assignment()
	case 11:
		return w.indexed()
	case 12:
		if w.known.calm {
			return fmt.Sprintf("%s(%s, %s)", pick(w.random, "startswith", "contains"), pick(w.random, "input.request.data.residency", "input.service.name"), w.constant(aText))
		}
		return fmt.Sprintf("%s(%s, %s)", pick(w.random, "startswith", "endswith", "contains", "regex.match"), w.term(aText, 1), w.constant(aText))
	}
	return w.term(pick(w.random, aTruth, aTruth, aText, anything), 1)
}

func (w *writer) order() string { return pick(w.random, "==", "!=", "<", "<=", ">", ">=") }

func (w *writer) negation(depth int) string {
	if w.oneIn(5) {
		return "not { " + strings.Join(w.within(func() []string { return w.body(3, depth) }), "; ") + " }"
	}
	return "not " + w.plainly(func() string {
		switch w.random.IntN(4) {
		case 0:
			return fmt.Sprintf("%s in {%s, %s}", w.term(aText, 1), w.constant(aText), w.constant(aText))
		case 1:
			return w.term(pick(w.random, aTruth, anything), 1)
		case 2:
			return fmt.Sprintf("%s(%s, %s)", pick(w.random, "startswith", "endswith", "regex.match"), w.term(aText, 1), w.constant(aText))
		}
		is := pick(w.random, aText, aNumber, anything)
		return fmt.Sprintf("%s %s %s", w.term(is, 1), w.order(), w.term(is, 1))
	})
}

func (w *writer) every(depth int) string {
	domain := w.term(pick(w.random, aList, aList, anObject), 1)
	var vars string
	body := w.within(func() []string {
		is := pick(w.random, aText, anything)
		if w.oneIn(3) {
			vars = w.bind(anything) + ", "
		}
		vars += w.bind(is)
		return w.body(2, depth)
	})
	return fmt.Sprintf("every %s in %s { %s }", vars, domain, strings.Join(body, "; "))
}

func (w *writer) comprehension(depth int) string {
	var head string
	body := w.within(func() []string {
		lines := []string{w.loop()}
		if w.oneIn(2) {
			lines = append(lines, w.condition(depth))
		}
		head = w.term(anything, 0)
		if w.oneIn(4) {
			head = "{" + w.term(aText, 0) + ": " + head
		} else {
			head = pick(w.random, "[", "{") + head
		}
		return lines
	})
	end := "}"
	if head[0] == '[' {
		end = "]"
	}
	return head + " | " + strings.Join(body, "; ") + end
}

// loop binds what it goes over.
func (w *writer) loop() string {
	if w.oneIn(3) {
		over := w.term(anObject, 1)
		return fmt.Sprintf("some %s, %s in %s", w.bind(aText), w.bind(anything), over)
	}
	over := w.term(aList, 1)
	return fmt.Sprintf("some %s in %s", w.bind(aText), over)
}

// indexed goes over a collection by its keys.
func (w *writer) indexed() string {
	at := pick(w.random, w.offered(aList), w.offered(anObject), w.requested(aList), w.requested(anObject))
	switch w.random.IntN(7) {
	case 0:
		return fmt.Sprintf("%s[_] %s %s", at, w.order(), w.term(aText, 0))
	case 1:
		return fmt.Sprintf("%s[_].%s", at, pick(w.random, "property", "bound.min", "type", "min"))
	case 2:
		return fmt.Sprintf("%s[%s]", at, w.term(pick(w.random, aText, aNumber), 0))
	case 3: // one key into two collections
		other, key := pick(w.random, w.offered(aList), w.offered(anObject), w.requested(anObject)), w.bind(aText)
		return fmt.Sprintf("some %s; %s[%s] %s %s[%s]", key, at, key, w.order(), other, key)
	case 4: // an element that is a key
		key := w.bind(aText)
		return fmt.Sprintf("some %s; %s == %s[%s]", key, key, at, w.term(pick(w.random, aText, aNumber), 0))
	case 5:
		i, j := w.bind(aText), w.bind(aNumber)
		return fmt.Sprintf("some %s, %s; %s[%s][%s] %s %s", i, j, at, i, j, w.order(), w.term(aText, 0))
	}
	key := w.bind(aText)
	return fmt.Sprintf("some %s; %s[%s] %s %s", key, at, key, w.order(), w.term(aText, 0))
}

func (w *writer) assignment() string {
	is := pick(w.random, aText, aNumber, aList, anObject, anything)
	t := w.term(is, 1)
	return fmt.Sprintf("%s := %s", w.bind(is), t)
}

// left writes what no engine but OPA understands, or what is near to that.
func (w *writer) left(depth int) string {
	switch w.random.IntN(9) {
	case 0:
		return fmt.Sprintf("%s with %s as %s", w.term(aTruth, 1), pick(w.random, "input.request.match", "input.service.privacy", "input.service.name", "input"), w.constant(aText))
	case 1:
		t := pick(w.random, w.offered(aList), w.requested(aList), fmt.Sprintf(`split(%s, "-")`, w.term(aText, 0)))
		return fmt.Sprintf("[%s, %s] = %s", w.bind(aText), w.bind(aText), t)
	case 2:
		t := pick(w.random, w.offered(anObject), w.requested(anObject))
		return fmt.Sprintf(`{%s: %s} = %s`, w.constant(aText), w.bind(anything), t)
	case 3:
		at := pick(w.random, "input.service.privacy", "input.service.guarantees", "input.request.intent", "input.service.adapter")
		return fmt.Sprintf("walk(%s, [_, %s])", at, w.bind(anything))
	case 4:
		return fmt.Sprintf("input[%s].match == %s", w.term(aText, 0), w.constant(aText))
	case 5:
		a, b := w.term(anything, 1), w.term(anything, 1)
		return fmt.Sprintf("[%s, %s] == [%s, %s]", a, w.constant(aText), b, w.term(aText, 0))
	case 6:
		t := fmt.Sprintf("[%s, [%s]]", w.term(anything, 1), w.term(anything, 0))
		return fmt.Sprintf("[%s, [%s]] := %s", w.bind(anything), w.bind(anything), t)
	case 7:
		t := w.term(anything, 1)
		return fmt.Sprintf("%s = %s", w.term(anything, 1), t)
	}
	return fmt.Sprintf("lower(%s) == %s with lower as upper", w.term(aText, 0), w.constant(aText))
}

// wrong writes what goes wrong for some inputs.
func (w *writer) wrong() string {
	switch w.random.IntN(9) {
	case 0:
		return fmt.Sprintf("1 / %s %s %s", w.term(aNumber, 0), w.order(), w.constant(aNumber))
	case 1:
		return fmt.Sprintf("to_number(%s) %s %s", w.term(aText, 0), w.order(), w.constant(aNumber))
	case 2:
		return fmt.Sprintf("regex.match(%s, %s)", w.term(aText, 0), w.term(aText, 0))
	case 3:
		return fmt.Sprintf("glob.match(%s, [], %s)", w.term(aText, 0), w.term(aText, 0))
	case 4:
		return fmt.Sprintf("json.unmarshal(%s) == %s", w.term(aText, 0), w.term(anything, 0))
	case 5:
		return fmt.Sprintf("units.parse(%s) > %s", w.term(aText, 0), w.constant(aNumber))
	case 6:
		return fmt.Sprintf("time.parse_rfc3339_ns(%s) > %s", pick(w.random, "input.request.context.time", w.term(aText, 0)), w.constant(aNumber))
	case 7:
		return fmt.Sprintf("%s(%s) %s %s", pick(w.random, "max", "min", "sum", "product"), w.term(aList, 0), w.order(), w.constant(aNumber))
	}
	return fmt.Sprintf("{%s: 1, %s: 2} != {}", w.term(aText, 0), w.term(aText, 0))
}
