package policy

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	"github.com/smarthausgroup/caio/runtime/policy/internal/factor"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// An Engine is a way to evaluate policies. Both give the same answers; OPA is the judge of what is right.
type Engine string

const (
	// Factored asks each question once: of a request, of a service, or of both only where it must. The default.
	Factored Engine = "factored"
	// OPA evaluates the whole set anew for each candidate.
	OPA Engine = "opa"
)

// An Index is a Set prepared over services, each in a slot: a small number that is its own while it is there. Immutable;
// With shares what did not change. Safe for concurrent use.
type Index struct {
	set    *Set
	facts  []*Facts      // by slot; nil: free
	x      *factor.Index // nil: OPA judges
	engine Engine
	made   *made // shared by all that With makes of x

	tenants map[string]*Index // of those that have sets of their own
}

// NewIndex prepares set over services, by slot; nil is a free slot. The factored engine takes a few microseconds a service
// and distinct condition, and lets other goroutines run meanwhile. What like, nil or an index of the same house, has already
// found out about the same services is taken from there, and so is what the sets of tenants have in common. It fails on an
// engine that there is not.
func NewIndex(set *Set, engine Engine, services []*Facts, like *Index) (*Index, error) {
	if engine != OPA && engine != Factored {
		return nil, fmt.Errorf("engine %q: there are %q and %q", engine, Factored, OPA)
	}
	return newIndex(set, engine, slices.Clone(services), like), nil
}

// newIndex keeps services.
func newIndex(set *Set, engine Engine, services []*Facts, like *Index) *Index {
	x := &Index{set: set, facts: services, engine: engine, made: &made{}, tenants: make(map[string]*Index, len(set.tenants))}
	if engine == Factored {
		terms := make([]*ast.Term, len(services))
		for slot, f := range services {
			if f != nil {
				terms[slot] = f.service
			}
		}
		o := &oracle{set: set, ctx: context.Background()}
		defer o.close()
		var known *factor.Index
		if like != nil {
			known = like.x
		}
		x.x = factor.New(set.factored().program, terms, o, known)
	}
	for tenant, of := range set.tenants {
		x.tenants[tenant] = newIndex(of, engine, services, x)
	}
	return x
}

// With returns the index in which service stands at slot; nil: nobody does.
func (x *Index) With(slot int, service *Facts) *Index {
	all := make([]*Facts, max(len(x.facts), slot+1))
	copy(all, x.facts)
	all[slot] = service
	return x.with(slot, all)
}

// with returns the index over services, which differ from x's at slot.
func (x *Index) with(slot int, services []*Facts) *Index {
	n := &Index{set: x.set, engine: x.engine, made: x.made, facts: services, tenants: make(map[string]*Index, len(x.tenants))}
	if x.x != nil {
		var term *ast.Term
		if services[slot] != nil {
			term = services[slot].service
		}
		o := &oracle{set: x.set, ctx: context.Background()}
		defer o.close()
		n.x = x.x.With(slot, term, o)
	}
	for tenant, of := range x.tenants {
		n.tenants[tenant] = of.with(slot, services)
	}
	return n
}

// of returns the index that judges req: its tenant's, if that has one.
func (x *Index) of(req *caiov1.Request) *Index {
	if of := x.tenants[req.GetPrincipal().GetTenant()]; of != nil {
		return of
	}
	return x
}

// Set returns what x was made of.
func (x *Index) Set() *Set { return x.set }

// Engine returns which one x evaluates with.
func (x *Index) Engine() Engine { return x.engine }

// Refusals is what policies say of candidates. It belongs to one goroutine, which calls Release when it is done.
type Refusals struct {
	Rule     bitset.Set // whom a package below caio.routing refuses
	Security bitset.Set // whom one below caio.security does; a slot may be in both

	index    *Index
	oracle   oracle
	judged   *factor.Judgement // nil: OPA judged all
	verdicts map[int]Verdict   // of those that OPA judged
	key      []byte
}

// Route judges each of candidates, slots that are not free, for req, as Set.Route does.
func (x *Index) Route(ctx context.Context, req *caiov1.Request, candidates bitset.Set) (*Refusals, error) {
	x = x.of(req)
	r := &Refusals{index: x, oracle: oracle{set: x.set, ctx: ctx, request: req}}
	if candidates.Empty() {
		return r, nil
	}
	if err := valid(req, x.set.read.under("request")); err != nil {
		return nil, err
	}
	if x.x == nil {
		return r, r.askOPA(candidates)
	}
	f := x.set.factored()
	r.judged = x.x.Judge(ctx, &asked{req.ProtoReflect(), f.places}, candidates, &r.oracle)
	if r.oracle.err != nil {
		r.Release()
		return nil, r.oracle.err
	}
	words := make(bitset.Set, 2*len(candidates))
	r.Rule, r.Security = words[:len(candidates):len(candidates)], words[len(candidates):]
	for i := range r.judged.Fired {
		fired := &r.judged.Fired[i]
		if f.rules[fired.Rule].from.rule.Kind == KindSecurity {
			fired.AddTo(r.Security)
		} else {
			fired.AddTo(r.Rule)
		}
	}
	if !r.judged.Doubt.Empty() {
		if err := r.askOPA(r.judged.Doubt); err != nil {
			r.Release()
			return nil, err
		}
	}
	return r, nil
}

// Release gives back what r holds. What Reasons returned stays.
func (r *Refusals) Release() {
	if r.judged != nil {
		r.judged.Release()
		r.judged = nil
	}
	r.oracle.close()
}

// askOPA judges slots with OPA alone.
func (r *Refusals) askOPA(slots bitset.Set) error {
	for slot := range slots.All() {
		v, err := r.verdict(slot)
		if err != nil {
			return err
		}
		set := func(s *bitset.Set, refused bool) {
			s.Remove(slot)
			if refused {
				*s = s.Add(slot)
			}
		}
		set(&r.Rule, len(v.Rule) > 0)
		set(&r.Security, len(v.Security) > 0)
	}
	return nil
}

func (r *Refusals) verdict(slot int) (Verdict, error) {
	if v, ok := r.verdicts[slot]; ok {
		return v, nil
	}
	if r.index.facts[slot] == nil {
		return Verdict{}, fmt.Errorf("route: service %d has no facts", slot)
	}
	input, err := r.oracle.input(r.index.facts[slot].service)
	if err != nil {
		return Verdict{}, err
	}
	run, err := r.oracle.session()
	if err != nil {
		return Verdict{}, err
	}
	v, err := run.verdict(input)
	if err != nil {
		return Verdict{}, err
	}
	if r.verdicts == nil {
		r.verdicts = make(map[int]Verdict)
	}
	r.verdicts[slot] = v
	return v, nil
}

// AppendReasons appends to to why the service at slot is refused: by routing rules if any does, else by security; sorted
// as a Verdict's are. The reasons are shared and must not be changed.
func (r *Refusals) AppendReasons(to []*caiov1.Reason, slot int) ([]*caiov1.Reason, error) {
	rule := r.Rule.Has(slot)
	if _, asked := r.verdicts[slot]; r.judged == nil || asked {
		return r.ofOPA(to, slot, rule)
	}
	f, from := r.index.set.factored(), len(to)
	for i := range r.judged.Fired {
		fired := &r.judged.Fired[i]
		if !fired.Has(slot) || (f.rules[fired.Rule].from.rule.Kind == KindSecurity) == rule {
			continue
		}
		reasons, known, err := r.reasonsOf(f, fired.Rule, slot)
		if err != nil {
			return nil, err
		}
		if !known {
			return r.ofOPA(to[:from], slot, rule)
		}
		to = append(to, reasons...)
	}
	return to[:from+len(ordered(to[from:]))], nil
}

func (r *Refusals) ofOPA(to []*caiov1.Reason, slot int, rule bool) ([]*caiov1.Reason, error) {
	v, err := r.verdict(slot)
	if rule {
		return append(to, v.Rule...), err
	}
	return append(to, v.Security...), err
}

// reasonsOf makes the reasons of one rule as seldom as they can differ: once for all, once for a service, or once for all
// requests and services that look alike to them.
func (r *Refusals) reasonsOf(f *factored, i, slot int) (reasons []*caiov1.Reason, known bool, err error) {
	rule := f.rules[i]
	switch {
	case rule.unknown:
		return nil, false, nil
	case !rule.onRequest && !rule.onService:
		if made := rule.constant.Load(); made != nil {
			return *made, true, nil
		}
		made, known, err := r.newReasons(f, i, slot) // of its own: what is pointed to is allocated on the way in
		if known {
			rule.constant.Store(&made)
		}
		return made, known, err
	case !rule.onRequest:
		row := r.index.x.Row(slot)
		if made, ok := row.Kept(i).([]*caiov1.Reason); ok {
			return made, true, nil
		}
		if reasons, known, err = r.newReasons(f, i, slot); known {
			row.Keep(i, reasons)
		}
		return reasons, known, err
	}
	look := 0
	if rule.onService {
		look = r.index.x.Look(i, slot)
	}
	r.key = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(r.key[:0], uint64(i)), uint64(look))
	signed := false
	if look >= 0 {
		r.key, signed = r.judged.Sign(i, r.key)
	}
	if signed {
		if made := r.index.made.get(r.key); made != nil {
			return made, true, nil
		}
	}
	if reasons, known, err = r.newReasons(f, i, slot); known && signed {
		r.index.made.put(r.key, reasons)
	}
	return reasons, known, err
}

func (r *Refusals) newReasons(f *factored, i, slot int) ([]*caiov1.Reason, bool, error) {
	terms, known := r.judged.Reasons(i, slot)
	if !known {
		return nil, false, nil
	}
	rule := f.rules[i]
	facts := func() *structpb.Struct {
		return show(rule.shown, r.oracle.request.ProtoReflect(), r.index.facts[slot].service)
	}
	reasons := make([]*caiov1.Reason, 0, len(terms))
	for _, t := range terms {
		reasons = append(reasons, finding{from: rule.from, reason: t.Value}.reasonWith(facts).message)
	}
	return reasons, true, nil
}

// oracle is OPA for what the factored engine leaves to it, and the request as it sees it. It begins nothing before it is
// asked.
type oracle struct {
	set     *Set
	ctx     context.Context
	request *caiov1.Request // nil: there is none yet
	term    *ast.Term       // of request
	run     *session
	err     error // what ended the evaluation
}

func (o *oracle) session() (*session, error) {
	if o.run == nil {
		run, err := o.set.begin(o.ctx)
		if err != nil {
			return nil, err
		}
		o.run = run
	}
	return o.run, nil
}

func (o *oracle) close() {
	if o.run != nil {
		o.run.close()
		o.run = nil
	}
}

// input is what policies see. service may be nil.
func (o *oracle) input(service *ast.Term) (*ast.Term, error) {
	if o.term == nil && o.request != nil {
		v, err := valueOf(o.request, o.set.read.under("request").orNothing())
		if err != nil {
			return nil, err
		}
		o.term = ast.NewTerm(v)
	}
	var items [][2]*ast.Term
	if o.term != nil {
		items = append(items, ast.Item(ast.InternedTerm("request"), o.term))
	}
	if service != nil {
		items = append(items, ast.Item(ast.InternedTerm("service"), service))
	}
	return ast.NewTerm(ast.NewObject(items...)), nil
}

// Ask evaluates one condition.
func (o *oracle) Ask(c *factor.Opaque, service *ast.Term) (holds, broken bool) {
	input, err := o.input(service)
	if err != nil {
		o.err = err
		return false, true
	}
	run, err := o.session()
	if err != nil {
		o.err = err
		return false, true
	}
	holds, broken, err = run.holds(c.Body, input)
	if err != nil && o.err == nil && run.ctx.Err() != nil {
		o.err = err
	}
	return holds, broken || err != nil
}

// asked is the request as the factored engine asks for it.
type asked struct {
	message protoreflect.Message
	spots   []spot
}

func (a *asked) Value(place int, last *ast.Term) *ast.Term {
	return a.spots[place].term(a.message, last)
}
func (a *asked) Has(place int) bool { return a.spots[place].there(a.message) }

// factored is what the factored engine needs of a Set. It is made when first asked for.
type factored struct {
	program *factor.Program
	rules   []*factoredRule
	places  []spot
}

// onceFactored makes it once.
type onceFactored struct {
	once sync.Once
	f    *factored
}
