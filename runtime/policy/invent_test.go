package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// An invention is a set of policies with contracts and requests to judge by it, made of a seed. It is kept in parts that
// can be left out one by one, so that what two engines differ over can be made small enough to read.
type invention struct {
	seed     uint64
	modules  []*invented
	data     string   // data.json; "": none
	services []string // contracts, by slot; "": the slot is free
	requests []*caiov1.Request
}

// An invented module: clauses that refer to those of modules before it, and to those before them in their own.
type invented struct {
	path, pkg string
	clauses   []*clause
}

// A clause is one rule: what stands before its braces, its conditions, and what follows, such as else branches.
type clause struct {
	head string
	body []string
	tail []otherwise
}

// An otherwise is an else branch, or a further body.
type otherwise struct {
	head string // "else := 3"; "": a further body
	body []string
}

func (c *clause) write(b *strings.Builder) {
	b.WriteString("\n" + c.head)
	if len(c.body) > 0 {
		b.WriteString(" if ")
	}
	writeBody(b, c.body)
	for _, e := range c.tail {
		b.WriteString(" " + e.head)
		if e.head != "" {
			b.WriteString(" if ")
		}
		writeBody(b, e.body)
	}
	b.WriteString("\n")
}

func writeBody(b *strings.Builder, body []string) {
	if len(body) == 0 {
		return
	}
	b.WriteString("{\n")
	for _, line := range body {
		b.WriteString("\t" + line + "\n")
	}
	b.WriteString("}")
}

func (m *invented) source() string {
	var b strings.Builder
	b.WriteString("package " + m.pkg + "\n")
	for _, c := range m.clauses {
		c.write(&b)
	}
	return b.String()
}

// clauseAt returns the index of the clause that line, from 1, belongs to.
func (m *invented) clauseAt(line int) int {
	at := 1
	for i, c := range m.clauses {
		var b strings.Builder
		c.write(&b)
		if at += strings.Count(b.String(), "\n"); line <= at {
			return i
		}
	}
	return -1
}

// mend leaves out clauses that do not compile: the grammar knows little of types. It gives up after a few rounds.
func (v *invention) mend() {
	for range 4 {
		_, err := Load(v.files())
		var faults Faults
		if !errors.As(err, &faults) {
			return
		}
		wrong := map[*clause]bool{}
		for _, f := range faults {
			for _, m := range v.modules {
				if i := m.clauseAt(int(f.GetLine())); m.path == f.GetFile() && i >= 0 {
					wrong[m.clauses[i]] = true
				}
			}
		}
		for _, m := range v.modules {
			m.clauses = slices.DeleteFunc(m.clauses, func(c *clause) bool { return wrong[c] })
		}
	}
}

// files returns the set as Load reads it.
func (v *invention) files() fstest.MapFS {
	tree := fstest.MapFS{}
	for _, m := range v.modules {
		if len(m.clauses) > 0 {
			tree[m.path] = &fstest.MapFile{Data: []byte(m.source())}
		}
	}
	if v.data != "" {
		tree["data.json"] = &fstest.MapFile{Data: []byte(v.data)}
	}
	return tree
}

// String writes v so that a person can tell what happened, and make a test of it.
func (v *invention) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", v.seed)
	for _, m := range v.modules {
		if len(m.clauses) > 0 {
			fmt.Fprintf(&b, "-- %s --\n%s", m.path, m.source())
		}
	}
	if v.data != "" {
		fmt.Fprintf(&b, "-- data.json --\n%s\n", v.data)
	}
	for slot, s := range v.services {
		if s != "" {
			fmt.Fprintf(&b, "-- service %d --\n%s\n", slot, s)
		}
	}
	for i, r := range v.requests {
		raw, err := schema.JSON(r)
		if err != nil {
			raw = []byte(err.Error() + ": " + r.String())
		}
		fmt.Fprintf(&b, "-- request %d --\n%s\n", i, raw)
	}
	return b.String()
}

// Measures of an invention. A set takes ten milliseconds to compile, so each judges many pairs.
const (
	inventedServices = 16
	inventedRequests = 10
)

// invent makes the invention of seed: always the same.
func invent(seed uint64) *invention {
	random := rand.New(rand.NewPCG(seed, 0x5eed))
	v := &invention{seed: seed}
	v.policies(random)
	v.mend()
	for range inventedServices {
		v.services = append(v.services, inventContract(random))
	}
	if random.IntN(3) == 0 {
		v.services[random.IntN(len(v.services))] = ""
	}
	for range inventedRequests {
		v.requests = append(v.requests, inventRequest(random))
	}
	// In some the last module is of the tenant alone that the first request comes from.
	last, tenant := v.modules[len(v.modules)-1], v.requests[0].GetPrincipal().GetTenant()
	if random.IntN(3) == 0 && fs.ValidPath(tenant) && !strings.ContainsAny(tenant, "/.") {
		last.path = "tenants/" + tenant + "/" + last.path
	}
	return v
}

// policies makes helpers, then packages of rules that use them and one another.
func (v *invention) policies(random *rand.Rand) {
	known := &library{calm: random.IntN(2) == 0}
	if random.IntN(3) > 0 {
		v.data = `{"listed": {"regions": ["eu", "us", 1, null], "prices": {"acme": 0.3, "umbrella": 1e400, "a": 2}, "flag": false, "rows": [{"type": "chat", "n": 1}, {"type": "a", "n": 9007199254740993}]}}`
		known.add(known.datum("data.listed.regions", aList), known.datum("data.listed.prices", anObject), known.datum("data.listed.prices.acme", aNumber),
			known.datum("data.listed.rows", aList), known.datum("data.listed.flag", aTruth), known.datum("data.listed.missing", aText))
	}
	helpers, packages := random.IntN(3), 1+random.IntN(3)
	for i := range helpers + packages {
		m := &invented{pkg: fmt.Sprintf("caio.lib.h%d", i)}
		if i >= helpers {
			m.pkg = fmt.Sprintf("caio.%s.p%d", pick(random, "routing", "routing", "security"), i)
		}
		m.path = strings.ReplaceAll(strings.TrimPrefix(m.pkg, "caio."), ".", "/") + ".rego"
		v.modules = append(v.modules, m)
		w := &writer{random: random, known: known, module: m}
		for range 1 + random.IntN(3) {
			if i < helpers || random.IntN(3) == 0 {
				w.helper()
			}
		}
		if i >= helpers {
			for range 1 + random.IntN(5) {
				w.deny()
			}
			known.add(helper{name: "data." + m.pkg + ".deny", is: aList})
		}
	}
}
