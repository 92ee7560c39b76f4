package policy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A tally counts what was compared, so that a comparison of nothing does not pass for agreement.
type tally struct {
	policies, thrown  int // sets that were compared, and that did not compile
	rules, apart      int // rules, and those of them of which no part is left to OPA
	opaques           int // parts that are
	pairs             int // of a service and a request
	refused, reasons  int
	doubts, endedBoth int // pairs that the factored engine left to OPA; requests that both engines fail on
}

func (t tally) String() string {
	return fmt.Sprintf("%d policies (%d did not compile), %d rules (%d wholly apart, %d parts left to OPA), %d pairs, %d refused, %d reasons, %d pairs in doubt, %d requests failed",
		t.policies, t.thrown, t.rules, t.apart, t.opaques, t.pairs, t.refused, t.reasons, t.doubts, t.endedBoth)
}

// differ judges every pair of v with both engines and returns the first difference; "": there is none. plant, if not nil,
// changes the index before it is used.
func (v *invention) differ(ctx context.Context, count *tally, plant func(*Index)) string {
	set, err := Load(v.files())
	if err != nil {
		count.thrown++
		return ""
	}
	set.limit = 2 * time.Minute // the machine may be busy, and a timeout is no difference
	services := make([]*Facts, len(v.services))
	var candidates bitset.Set
	for slot, contract := range v.services {
		if contract == "" {
			continue
		}
		if services[slot], err = NewFacts([]byte(contract)); err != nil {
			return "contract: " + err.Error()
		}
		candidates = candidates.Add(slot)
	}
	index, err := v.index(set, services)
	if err != nil {
		return err.Error()
	}
	if plant != nil {
		plant(index)
	}
	count.policies++
	program := set.factored().program
	count.opaques += len(program.Opaques())
	for i := range set.factored().rules {
		count.rules++
		if program.Parts(i).Why == "" && program.Explains(i) {
			count.apart++
		}
	}
	return difference(ctx, set, index, v.requests, services, candidates, count)
}

// index prepares set over services: at once, beside what a part of it has found out, or by a history of registrations,
// replacements and removals that ends there.
func (v *invention) index(set *Set, services []*Facts) (*Index, error) {
	random := rand.New(rand.NewPCG(v.seed, 1))
	switch random.IntN(4) {
	case 0:
		return NewIndex(set, Factored, services, nil)
	case 1:
		part := *v
		part.modules = v.modules[:random.IntN(len(v.modules)+1)]
		before, err := Load(part.files())
		if err != nil { // it uses what was left out
			return NewIndex(set, Factored, services, nil)
		}
		like, err := NewIndex(before, Factored, services, nil)
		if err != nil {
			return nil, err
		}
		return NewIndex(set, Factored, services, like)
	}
	others := slices.Clone(services[:random.IntN(len(services)+1)])
	random.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	x, err := NewIndex(set, Factored, others, nil)
	if err != nil {
		return nil, err
	}
	for _, slot := range random.Perm(len(services)) {
		if random.IntN(3) == 0 {
			x = x.With(slot, nil)
		}
		x = x.With(slot, services[slot])
	}
	return x, nil
}

// difference judges candidates for each request with both engines. Two requests are judged before the reasons of the first
// are asked for, as a server does.
func difference(ctx context.Context, set *Set, x *Index, requests []*caiov1.Request, services []*Facts, candidates bitset.Set, count *tally) string {
	var slots []int
	var judged []*Facts
	for slot := range candidates.All() {
		slots, judged = append(slots, slot), append(judged, services[slot])
	}
	if len(slots) == 0 {
		return ""
	}
	var open []*Refusals
	defer func() {
		for _, r := range open {
			r.Release()
		}
	}()
	for i, req := range requests {
		want, wantErr := set.Route(ctx, req, judged)
		got, err := x.Route(ctx, req, candidates)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			return fmt.Sprintf("request %d: factored fails with %v, OPA with %v", i, err, wantErr)
		}
		if err != nil {
			count.endedBoth++
			continue
		}
		if open = append(open, got); len(open) > 2 {
			open[0].Release()
			open = open[1:]
		}
		for j, slot := range slots {
			if text := differs(got, slot, want[j], count); text != "" {
				return fmt.Sprintf("request %d, service %d: %s", i, slot, text)
			}
		}
	}
	return ""
}

// differs compares what is said of one service.
func differs(got *Refusals, slot int, want Verdict, count *tally) string {
	count.pairs++
	if got.judged != nil && got.judged.Doubt.Has(slot) {
		count.doubts++
	}
	rule, security := got.Rule.Has(slot), got.Security.Has(slot)
	if rule != (len(want.Rule) > 0) || security != (len(want.Security) > 0) {
		return fmt.Sprintf("factored refuses by rule: %v, by security: %v; OPA says %s", rule, security, texts(want.Rule, want.Security))
	}
	reasons, err := got.AppendReasons(nil, slot)
	if err != nil {
		return "factored gives no reasons: " + err.Error()
	}
	wanted := want.Rule
	if len(wanted) == 0 {
		wanted = want.Security
	}
	if !slices.EqualFunc(reasons, wanted, func(a, b *caiov1.Reason) bool { return proto.Equal(a, b) }) {
		return fmt.Sprintf("factored says %s\nOPA says %s", texts(reasons), texts(wanted))
	}
	if rule || security {
		count.refused++
	}
	count.reasons += len(wanted)
	return ""
}

func texts(all ...[]*caiov1.Reason) string {
	var b strings.Builder
	for _, r := range slices.Concat(all...) {
		b.WriteString("\n\t" + r.String())
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}
