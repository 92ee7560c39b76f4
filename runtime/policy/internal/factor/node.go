package factor

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// kind is what a node does.
type kind uint8

const (
	constant kind = iota // term
	request              // the value at path in the request
	service              // the value at path in the service
	variable             // what the loop at depth slot stands at
	element              // args[0] at key args[1]
	stored               // the same where args[0] is of the data files
	call                 // a builtin over args
	equal                // args[0] is args[1]
	compare              // args[0] sign args[1], by Rego's order of all values
	member               // args[0] is an element of args[1]
	orElse               // args[0], or args[1] where that is undefined
	array                // [args...]
	object               // {args[0]: args[1], ...}
	set                  // {args...}
	present              // args[0] has a value, false included
	negation             // body does not hold
	every                // body holds for every element of args[0]
	some                 // body holds
	arrayOf              // [args[0] | body]
	setOf                // {args[0] | body}
	objectOf             // {args[0]: args[1] | body}
	document             // the value that alternatives give
	union                // the set of all keys that alternatives give
)

// dependence says what a value can change with.
type dependence uint8

const (
	onRequest dependence = 1 << iota
	onService
	onLoop // on a loop around it
)

// A node is a value, perhaps undefined, as a function of a request and a service. Nodes are immutable, and equal ones are
// one: what many rules ask is asked once.
type node struct {
	kind  kind
	term  *ast.Term   // constant
	path  []*ast.Term // request, service: the keys
	names []string    // path as text
	slot  int         // variable: which loop; loops: of their key, then value
	sign  sign        // compare
	args  []*node
	body  *body
	alts  []alternative
	fail  *ast.Term // document: the default
	fn    builtin

	id     string // of all that makes it: equal in every program that has a node like it
	fixed  *value // constant, and whatever else hangs on nothing
	deps   dependence
	errs   bool // evaluating it can go wrong, as opposed to being undefined
	text   bool // text wherever it is defined
	place  int  // request: which of Program.Places; -1: nobody asks for it
	cell   int  // where its value is kept while the request, or the service, stays the same; -1: computed anew each time
	column int  // where a service keeps its value for requests; -1: computed anew
}

// builtin is one of OPA's own functions.
type builtin struct {
	name string
	call topdown.BuiltinFunc
}

// A body is a conjunction: steps in the order of the compiled rule.
type body struct {
	steps []step
	deps  dependence
	errs  bool
}

// A step is a test, which holds where its value is there and not false, or, where over is set, a loop: the steps after it run once for each element of over.
type step struct {
	test       *node
	over       *node
	key, value int // slots that the loop sets
}

// An alternative is a rule of a document with its else branches, which are tried in order until one body holds.
type alternative []branch

type branch struct {
	body  *body
	value *node
}

// sign is a comparison.
type sign uint8

const (
	less sign = iota
	lessOrEqual
	greater
	greaterOrEqual
	unequal
)

var signs = map[string]sign{"lt": less, "lte": lessOrEqual, "gt": greater, "gte": greaterOrEqual, "neq": unequal}

// holds tells whether a and b stand to each other as s says, order being that of ast.Compare.
func (s sign) holds(order int) bool {
	switch s {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterOrEqual:
		return order >= 0
	}
	return order != 0
}

// nodes makes every node once.
type nodes struct {
	known map[string]*node // by id
	all   []*node
}

func newNodes() *nodes { return &nodes{known: map[string]*node{}} }

// the returns the node that is like n: n itself the first time.
func (ns *nodes) the(n node) *node {
	sum := sha256.Sum256([]byte(n.key()))
	n.id = string(sum[:16])
	if known := ns.known[n.id]; known != nil {
		return known
	}
	n.place, n.cell, n.column = -1, -1, -1
	made := &n
	ns.known[n.id] = made
	ns.all = append(ns.all, made)
	return made
}

// key writes what tells n from other nodes.
func (n *node) key() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(n.kind)))
	word := func(s string) { b.WriteByte(' '); b.WriteString(s) }
	switch n.kind {
	case constant:
		word(ast.ValueName(n.term.Value) + n.term.String())
	case request, service:
		for _, name := range n.names {
			word(strconv.Quote(name))
		}
	case variable:
		word(strconv.Itoa(n.slot))
	case compare:
		word(strconv.Itoa(int(n.sign)))
	case call:
		word(n.fn.name)
	}
	for _, a := range n.args {
		word(a.id)
	}
	if n.body != nil {
		n.body.key(&b)
	}
	for _, alt := range n.alts {
		for _, branch := range alt {
			b.WriteString(" <")
			branch.body.key(&b)
			word(branch.value.id)
			b.WriteByte('>')
		}
		b.WriteByte('|')
	}
	if n.fail != nil {
		word("default " + n.fail.String())
	}
	return b.String()
}

func (body *body) key(b *strings.Builder) {
	b.WriteString(" {")
	for _, s := range body.steps {
		if s.over != nil {
			b.WriteString(" over " + s.over.id + " " + strconv.Itoa(s.key) + " " + strconv.Itoa(s.value))
			continue
		}
		b.WriteString(" " + s.test.id)
	}
	b.WriteByte('}')
}
