package policy

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// sameRefusals holds what the factored engine says of every candidate against OPA's verdicts: refusals, reasons and order.
// It returns how many reasons were compared.
func sameRefusals(t testing.TB, s *Set, x *Index, req *caiov1.Request, services []*Facts) int {
	t.Helper()
	want, wantErr := s.Route(t.Context(), req, services)
	got, err := x.Route(t.Context(), req, bitset.Full(len(services)))
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("factored: %v, OPA: %v", err, wantErr)
	}
	if err != nil {
		return 0
	}
	defer got.Release()
	n := 0
	for slot, v := range want {
		if got.Rule.Has(slot) != (len(v.Rule) > 0) || got.Security.Has(slot) != (len(v.Security) > 0) {
			t.Fatalf("service %s\nrequest %s\nfactored refuses: %v by rule, %v by security\nOPA: %v\n%v", services[slot].service, req, got.Rule.Has(slot), got.Security.Has(slot), v.Rule, v.Security)
		}
		reasons, err := got.AppendReasons(nil, slot)
		if err != nil {
			t.Fatal(err)
		}
		wanted := v.Rule
		if len(wanted) == 0 {
			wanted = v.Security
		}
		n += len(wanted)
		for i := range max(len(reasons), len(wanted)) {
			if i >= len(reasons) || i >= len(wanted) || !proto.Equal(reasons[i], wanted[i]) {
				t.Fatalf("service %s\nrequest %s\nfactored says %v\nOPA says %v", services[slot].service, req, reasons, wanted)
			}
		}
	}
	return n
}

func TestEnginesAgreeOnTheDefaults(t *testing.T) {
	agree(t, defaults(t), 40)
}

func TestEnginesAgreeOnRulesAsPeopleWriteThem(t *testing.T) {
	agree(t, load(t, rulesOf(60)...), 40)
}

func agree(t *testing.T, s *Set, rounds int) {
	random := rand.New(rand.NewPCG(3, 4))
	reasons := 0
	for range rounds {
		services := make([]*Facts, 20)
		for i := range services {
			services[i] = facts(t, change(t, randomContract(t, random), "service_id", fmt.Sprint("s", i)))
		}
		x, err := NewIndex(s, Factored, services, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			req := randomRequest(random)
			req.Context.Priority = pick(random, "", "high", "p3", "p13")
			req.Principal.Roles = []string{pick(random, "role5", "role15", "x")}
			req.Capabilities = []string{pick(random, "forbidden6_x", "chat")}
			reasons += sameRefusals(t, s, x, req, services)
		}
	}
	if reasons < 100 {
		t.Errorf("only %d reasons: this compares little", reasons)
	}
}
