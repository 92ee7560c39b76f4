package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// kindTrace is the third part of the packages that say what traces keep. Their rules judge nobody.
const (
	kindTrace = "trace"
	keepWord  = "keep"
)

// Kept is what traces keep of payloads, beside the digests that every trace has. The zero value: nothing.
type Kept struct {
	Intent bool // the request's intent, its body included
	Result bool
}

// keeping is what a Set knows of what is kept.
type keeping struct {
	query *prepared // every keep of the set; nil: there is none, and nothing is kept
	known atomic.Pointer[map[string]Kept]
}

// maxKept bounds the tenants that are remembered; with one more all are found out anew.
const maxKept = 4096

// Keep returns what traces keep of the payloads of those whom tenant sends (empty: nobody), as the rules
//
//	keep contains "intent" if { input.tenant == "acme" }
//
// of caio.trace, and of packages below it, say: "intent", "result". It is found out once for each tenant. Where that fails
// nothing is kept: err tells why, to the one call that tried.
func (s *Set) Keep(tenant string) (k Kept, err error) {
	s = s.For(tenant)
	if s.keep.query == nil {
		return Kept{}, nil
	}
	known := s.keep.known.Load()
	if known != nil {
		if k, there := (*known)[tenant]; there {
			return k, nil
		}
	}
	k, err = s.askKeep(tenant)
	next := map[string]Kept{tenant: k}
	if known != nil && len(*known) < maxKept {
		maps.Copy(next, *known)
	}
	// Two that come at the same time may each forget the other's, which is then found out again.
	s.keep.known.Store(&next)
	return k, err
}

func (s *Set) askKeep(tenant string) (Kept, error) {
	run, err := s.begin(context.Background()) // bounded by the set's own limit
	if err != nil {
		return Kept{}, err
	}
	defer run.close()
	input := ast.NewTerm(ast.NewObject(ast.Item(ast.InternedTerm("tenant"), ast.StringTerm(tenant))))
	var words []string
	broken, err := run.eval(s.keep.query, input, func(result *ast.Term) (err error) {
		words, err = wordsOf(result)
		return err
	})
	if err == nil && len(broken) > 0 {
		err = &broken[0]
	}
	if err != nil {
		return Kept{}, fmt.Errorf("what traces keep: %w", err)
	}
	return Kept{Intent: slices.Contains(words, "intent"), Result: slices.Contains(words, "result")}, nil
}

// wordsOf returns the texts of an array of sets.
func wordsOf(result *ast.Term) (words []string, err error) {
	sets, ok := result.Value.(*ast.Array)
	if !ok {
		return nil, errors.New("policies gave no sets")
	}
	sets.Foreach(func(t *ast.Term) {
		set, ok := t.Value.(ast.Set)
		if !ok {
			err = errors.New("policies gave no sets")
			return
		}
		set.Foreach(func(e *ast.Term) {
			word, ok := e.Value.(ast.String)
			if !ok || !keepable(string(word)) {
				err = fmt.Errorf("keep holds %s, and knows \"intent\" and \"result\" only", cut(clean(e.String()), maxFactText))
			}
			words = append(words, string(word))
		})
	})
	return words, err
}

func keepable(word string) bool { return word == "intent" || word == "result" }

// newKeepQuery prepares the question what is kept; nil: no rule says.
func newKeepQuery(c *ast.Compiler) (*prepared, error) {
	var refs []*ast.Term
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		m := c.Modules[name]
		pkg := m.Package.Path.String()
		if !saysKept(m.Package) || seen[pkg] || !slices.ContainsFunc(m.Rules, func(r *ast.Rule) bool { return headName(r) == keepWord }) {
			continue
		}
		seen[pkg] = true
		refs = append(refs, ast.NewTerm(m.Package.Path.Append(ast.StringTerm(keepWord))))
	}
	if len(refs) == 0 {
		return nil, nil
	}
	return prepare(c, refs...)
}

// saysKept tells whether pkg is caio.trace or lies below it.
func saysKept(pkg *ast.Package) bool {
	p := pkg.Path
	return len(p) > 2 && p[1].Equal(ast.StringTerm("caio")) && p[2].Equal(ast.StringTerm(kindTrace))
}

// keepShape finds rules of m that go by the name of keep and are none, and words that nothing is kept by.
func keepShape(m *ast.Module) (faults Faults) {
	for _, r := range m.Rules {
		if headName(r) != keepWord {
			continue
		}
		if !judges(r, keepWord) {
			faults = append(faults, faultAt(r.Location, "keep must be a set of words: write `keep contains \"intent\" if { ... }`"))
			continue
		}
		switch word := keyLiteral(r).(type) {
		case ast.String:
			if !keepable(string(word)) {
				faults = append(faults, faultAt(r.Location, "keep knows \"intent\" and \"result\", not %q", clean(string(word))))
			}
		case ast.Number, ast.Boolean, ast.Null, *ast.Array, ast.Set, ast.Object:
			faults = append(faults, faultAt(r.Location, "keep knows \"intent\" and \"result\", not %s", article(word)))
		}
	}
	return faults
}
