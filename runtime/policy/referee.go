package policy

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Differs judges candidates for req by x and by OPA, and tells in what x differs: "" in nothing, which is what always
// holds. It takes as long as OPA takes. It fails as Route does, and says so where only one of the two fails.
func (x *Index) Differs(ctx context.Context, req *caiov1.Request, candidates bitset.Set) (string, error) {
	x = x.of(req)
	judge := &Index{set: x.set, engine: OPA, facts: x.facts}
	want, wantErr := judge.Route(ctx, req, candidates)
	got, err := x.Route(ctx, req, candidates)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case wantErr != nil && err != nil:
		return "", wantErr
	case wantErr != nil:
		return fmt.Sprintf("OPA fails: %v", wantErr), nil
	case err != nil:
		return fmt.Sprintf("fails where OPA does not: %v", err), nil
	}
	defer want.Release()
	defer got.Release()
	for slot := range candidates.All() {
		if got.Rule.Has(slot) != want.Rule.Has(slot) || got.Security.Has(slot) != want.Security.Has(slot) {
			return fmt.Sprintf("slot %d: refused by rules %v, by security %v; OPA: %v, %v",
				slot, got.Rule.Has(slot), got.Security.Has(slot), want.Rule.Has(slot), want.Security.Has(slot)), nil
		}
		reasons, err := got.AppendReasons(nil, slot)
		if err != nil {
			return "", err
		}
		wanted, err := want.AppendReasons(nil, slot)
		if err != nil {
			return "", err
		}
		if len(reasons) != len(wanted) {
			return fmt.Sprintf("slot %d: %d reasons; OPA: %d", slot, len(reasons), len(wanted)), nil
		}
		for i := range wanted {
			if !proto.Equal(reasons[i], wanted[i]) {
				return fmt.Sprintf("slot %d: reason %d is of rule %s; OPA: %s", slot, i, reasons[i].GetRule(), wanted[i].GetRule()), nil
			}
		}
	}
	return "", nil
}

// ByOPA returns x as OPA evaluates it.
func (x *Index) ByOPA() *Index {
	n := &Index{set: x.set, engine: OPA, facts: x.facts, tenants: make(map[string]*Index, len(x.tenants))}
	for tenant, of := range x.tenants {
		n.tenants[tenant] = of.ByOPA()
	}
	return n
}
