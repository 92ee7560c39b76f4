package contract

import (
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
)

// rules holds what walk has left against the whole of #Contract, in which fields are also related to one another. One
// broken rule can hide another, so whatever broke one is removed and the rest tried again until nothing new is found.
// Each round removes a field, so it ends.
func (c *checker) rules(root *node) {
	for {
		err := c.schema.unify(root).Validate(cue.Concrete(true))
		var broken []place
		for _, e := range errors.Errors(err) {
			if remove, ok := c.rule(root, e); ok {
				broken = append(broken, remove)
			}
		}
		if len(broken) == 0 {
			return
		}
		for _, p := range broken {
			p.object.take(p.name)
		}
	}
}

// rule reports one of CUE's errors if it is a rule that is broken and not a consequence of what was reported, and says
// what must go.
func (c *checker) rule(root *node, e errors.Error) (remove place, ok bool) {
	message := cueMessage(e)
	if strings.Contains(message, "field is required but not present") {
		message = "must be given"
	}
	if !isDemand(message) {
		return place{}, false
	}
	t := c.trace(root, e.Path())
	if len(t.way) == 0 {
		return place{}, false
	}
	last := t.way[len(t.way)-1]
	name, _, _ := strings.Cut(last.name, ".")
	if c.bad[last] || c.bad[place{last.object, name}] {
		return place{}, false
	}
	c.bad[last] = true
	if t.node != nil {
		c.wrong(t.member, t.node, message)
		return last, true
	}
	path := last.object.path
	for name := range strings.SplitSeq(last.name, ".") {
		path = join(path, name)
	}
	c.report.add(last.object.pos, path, "missing: %s", message)
	// The object is as good as absent: nothing else about it is worth telling.
	if len(t.way) > 1 {
		return t.way[len(t.way)-2], true
	}
	return last, true
}

// trail is where a path of CUE's leads in the author's nodes.
type trail struct {
	way    []place // the fields passed; the last one holds node, or names what is missing
	node   *node   // nil: missing
	member *member // its shape
}

func (c *checker) trace(root *node, path []string) trail {
	if len(path) > 0 && strings.HasPrefix(path[0], "#") {
		path = path[1:]
	}
	t := trail{node: root, member: &member{shape: c.schema.shape}}
	if last := len(path) - 1; last >= 0 {
		path = slices.Clone(path)
		path[last] = strings.TrimPrefix(path[last], "_") // a rule about the field of that name
	}
	for i, name := range path {
		if unquoted, err := strconv.Unquote(name); err == nil {
			name = unquoted
		}
		switch t.node.kind {
		case kindObject:
			name = t.member.unalias(name, t.node)
			f := t.node.get(name)
			if f == nil {
				t.way, t.node = append(t.way, place{t.node, strings.Join(path[i:], ".")}), nil
				return t
			}
			t.way = append(t.way, place{t.node, name})
			t.node, t.member = f.value, t.member.child(name)
		case kindList:
			at, err := strconv.Atoi(name)
			if err != nil || at < 0 || at >= len(t.node.items) {
				return t
			}
			t.node, t.member = t.node.items[at], t.member.item
		default:
			return t
		}
		if t.member == nil {
			t.member = &member{shape: &shape{}}
		}
	}
	return t
}
