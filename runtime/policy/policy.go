// Package policy hides OPA: it loads Rego policies, judges candidates before a service is chosen (Set.Route) and
// results after it has answered (Set.Check), and tells for each refusal which rule it was, where that rule stands and
// which facts it read. No other package sees Rego's syntax tree. An Index is a Set prepared over many services; Index.Route
// gives the same answers as Set.Route, a hundred times as fast.
//
// # What authors write
//
// Every package below caio.routing and caio.security may define
//
//	deny contains reason if { ... }
//
// over input.request and input.service (the contract's normal form), and every package below caio.guarantee
//
//	violation contains reason if { ... }
//
// over input.request, input.service, input.result and input.observed. A reason is a string or an object
//
//	{"rule": "id", "message": "for people", "facts": {"name": value}}
//
// of which rule and facts may be left out; a violation's may hold "reaction": "fail" (the default), "fallback" or
// "accept". Packages caio.trace and below may define
//
//	keep contains word if { ... }
//
// over input.tenant, where word is "intent" or "result": what traces keep of payloads. A rule may have any number of bodies, lie in any number of files, and use helpers of any package. The
// files data.json, data.yaml and data.yml are read too and appear below data at the path of their directory. Below
// tenants/NAME lies what is laid over all of it for those whom that tenant sends.
//
// # What is guaranteed
//
//   - Doubt refuses. In every module `not` has the meaning that `import rego.v2` gives it, imported or not: `not x in s`
//     holds when x is missing. A rule that holds but whose reason cannot be made, a reason of the wrong kind, an error
//     in a builtin and a conflict between rules refuse the candidate. Evaluation that does not end in time is an error.
//     A positive comparison with a missing value stays undefined, as Rego has it; Set.Warnings names such places.
//   - The same inputs give the same answer: builtins that read the network, the clock, random numbers or the
//     environment do not exist. The time is input.request.context.time.
//   - A Set never changes and may be used by any number of goroutines. This package starts none.
//
// A use, start to end:
//
//	set, err := policy.Load(os.DirFS("policies"))
//	facts, err := policy.NewFacts(contract.JSON())
//	verdicts, err := set.Route(ctx, request, []*policy.Facts{facts})
//	if len(verdicts[0].Rule)+len(verdicts[0].Security) == 0 { /* the candidate may serve */ }
package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// defaultLimit bounds one call of Route or Check. Stock evaluation of 1,000 rules over 1,000 candidates takes about a
// tenth of it, so whoever reaches it runs away.
const defaultLimit = 2 * time.Second

// The kinds of rules.
const (
	KindRouting   = "routing"
	KindSecurity  = "security"
	KindGuarantee = "guarantee"
)

// A Set is a compiled, immutable collection of policies. Load makes one; the zero value is of no use. Safe for
// concurrent use.
type Set struct {
	digest   string
	files    Bundle          // that decide; nil in the sets of tenants
	tenant   string          // whose set it is; empty: everybody's who has none
	tenants  map[string]*Set // those that have sets of their own; in these: none
	rules    []Rule
	own      int // of rules, a tenant's own
	warnings Faults

	compiler *ast.Compiler
	store    storage.Store
	patterns cache.InterQueryValueCache // compiled regular expressions and globs; has its own lock

	read  *paths // what of input the rules read
	index bool   // OPA's rule index may be used
	where []*origin

	apart onceFactored
	route judgement
	check judgement
	keep  keeping
	limit time.Duration
}

// A Rule is one body of a deny or violation rule.
type Rule struct {
	ID        string `json:"rule"`                // the id its reasons carry, as far as it can be told without evaluation
	Package   string `json:"package"`             // such as "caio.routing.privacy"
	Name      string `json:"name"`                // "deny" or "violation"
	Title     string `json:"title,omitempty"`     // from METADATA, of the rule or of the document; empty: none
	File      string `json:"file"`                // relative to the set's root, with slashes
	Line      int    `json:"line"`                // from 1
	Kind      string `json:"kind"`                // KindRouting, KindSecurity, KindGuarantee
	Tenant    string `json:"tenant,omitempty"`    // whose rule it is; empty: everybody's
	Invariant string `json:"invariant,omitempty"` // METADATA's custom.invariant, nearest scope first, such as "SEC-0002"
}

// Digest names the set's content: sha256 in hex over, for each file that was read in order of its path, the path, a zero
// byte, the content's length in decimal, a zero byte and the content. Tests are no part of it.
func (s *Set) Digest() string { return s.digest }

// Rules returns every rule of the set, those of tenants included, sorted by file and line. The caller owns the slice.
func (s *Set) Rules() []Rule {
	rules := slices.Clone(s.rules)
	for _, of := range s.tenants {
		for _, r := range of.rules {
			if r.Tenant != "" { // the others are listed already
				rules = append(rules, r)
			}
		}
	}
	slices.SortStableFunc(rules, func(a, b Rule) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
	return rules
}

// Len returns the number of rules of the set, those of tenants included.
func (s *Set) Len() int {
	n := len(s.rules)
	for _, of := range s.tenants {
		n += of.own
	}
	return n
}

// Judging returns how many rules judge those whom tenant sends.
func (s *Set) Judging(tenant string) int { return len(s.For(tenant).rules) }

// Invariants returns the ids of the invariants that the set's security rules stand for, sorted, each once. Who must not
// run without certain ones compares this with what it requires.
func (s *Set) Invariants() []string {
	var ids []string
	for _, r := range s.rules {
		if r.Kind == KindSecurity && r.Invariant != "" {
			ids = append(ids, r.Invariant)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Uncovered returns those of SEC-0001 to SEC-0004 that no security rule of the set stands for, sorted, and after them
// those that the set of a tenant lacks, each with "for" and the tenant. nil: none; whoever serves in production refuses a
// set for which it is not.
func (s *Set) Uncovered() []string {
	missing := s.uncovered()
	for _, name := range slices.Sorted(maps.Keys(s.tenants)) {
		for _, id := range s.tenants[name].uncovered() {
			if !slices.Contains(missing, id) {
				missing = append(missing, id+" for "+name)
			}
		}
	}
	return missing
}

func (s *Set) uncovered() []string {
	covered := s.Invariants()
	var missing []string
	for _, id := range []string{"SEC-0001", "SEC-0002", "SEC-0003", "SEC-0004"} {
		if !slices.Contains(covered, id) {
			missing = append(missing, id)
		}
	}
	return missing
}

// Warnings returns what is allowed but probably not meant, such as a field that no contract has, sorted by place. The
// caller owns the slice, not what it points to.
func (s *Set) Warnings() []*caiov1.Fault {
	warnings := slices.Clone(s.warnings)
	for _, of := range s.tenants {
		for _, w := range of.warnings {
			if tenant, _, err := ofTenant(w.GetFile()); err == nil && tenant != "" {
				warnings = append(warnings, w)
			}
		}
	}
	return warnings.sorted()
}
