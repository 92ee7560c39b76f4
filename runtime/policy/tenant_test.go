package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// house is a set in which acme adds a rule, replaces one, and has prices of its own; umbrella switches one off.
var house = []string{
	"data.json", `{"most": 10}`,
	"lib/price.rego", "package caio.lib.price\n\nlimit := data.most\n",
	"routing/cost.rego", `package caio.routing.cost

deny contains sprintf("costs more than %v", [data.caio.lib.price.limit]) if input.service.cost.per_request > data.caio.lib.price.limit
`,
	"routing/place.rego", `package caio.routing.place

deny contains "not here" if input.service.privacy.region != "eu"
`,
	"tenants/acme/data.json", `{"most": 5}`,
	"tenants/acme/routing/place.rego", `package caio.routing.place

deny contains "not there" if input.service.privacy.region == "eu"
`,
	"tenants/acme/routing/night.rego", `package caio.routing.night

deny contains "not at night" if input.request.context.priority == "low"
`,
	"tenants/umbrella/routing/place.rego", "# anywhere\n",
}

func askedBy(t *testing.T, tenant string) *caiov1.Request {
	return request(t, fmt.Sprintf(`{"principal": {"tenant": %q}, "context": {"priority": "low"}}`, tenant))
}

var wares = []string{
	`{"cost": {"per_request": 7}, "privacy": {"region": "eu"}}`,
	`{"cost": {"per_request": 3}, "privacy": {"region": "us"}}`,
	`{"cost": {"per_request": 30}, "privacy": {"region": "us"}}`,
}

func TestATenantIsJudgedByItsFilesOverEverybodys(t *testing.T) {
	set := load(t, house...)
	var services []*Facts
	for _, w := range wares {
		services = append(services, facts(t, w))
	}
	for tenant, want := range map[string]string{
		"":         "|not here|costs more than 10,not here",
		"stranger": "|not here|costs more than 10,not here",
		"acme":     "costs more than 5,not at night,not there|not at night|costs more than 5,not at night",
		"umbrella": "||costs more than 10",
	} {
		verdicts, err := set.Route(t.Context(), askedBy(t, tenant), services)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range verdicts {
			var said []string
			for _, r := range v.Rule {
				said = append(said, r.Message)
			}
			slices.Sort(said)
			got = append(got, strings.Join(said, ","))
		}
		if text := strings.Join(got, "|"); text != want {
			t.Errorf("%q: %s, want %s", tenant, text, want)
		}
		for _, engine := range []Engine{Factored, OPA} {
			x, err := NewIndex(set, engine, services[:1], nil)
			if err != nil {
				t.Fatal(err)
			}
			x = x.With(1, services[1]).With(2, services[0]).With(2, services[2])
			sameRefusals(t, set, x, askedBy(t, tenant), services)
			sameRefusals(t, set, x.ByOPA(), askedBy(t, tenant), services)
			if text, err := x.Differs(t.Context(), askedBy(t, tenant), bitset.Full(3)); text != "" || err != nil {
				t.Errorf("%q: %s, %v", tenant, text, err)
			}
		}
	}
}

func TestRulesOfTenantsAreListedBesideEverybodys(t *testing.T) {
	set := load(t, house...)
	var got []string
	for _, r := range set.Rules() {
		got = append(got, r.Tenant+" "+r.File)
	}
	want := []string{" routing/cost.rego", " routing/place.rego", "acme tenants/acme/routing/night.rego", "acme tenants/acme/routing/place.rego"}
	if !slices.Equal(got, want) || set.Len() != 4 || len(set.Plan()) != 4 {
		t.Errorf("%d rules, %d planned: %q", set.Len(), len(set.Plan()), got)
	}
	for tenant, n := range map[string]int{"": 2, "acme": 3, "umbrella": 1, "stranger": 2} {
		if set.Judging(tenant) != n {
			t.Errorf("%d rules judge %q, want %d", set.Judging(tenant), tenant, n)
		}
	}
	verdicts, err := set.Route(t.Context(), askedBy(t, "acme"), []*Facts{facts(t, wares[0])})
	if err != nil || !slices.ContainsFunc(verdicts[0].Rule, func(r *caiov1.Reason) bool { return r.File == "tenants/acme/routing/place.rego" && r.Line == 3 }) {
		t.Errorf("%v, %v", verdicts, err)
	}
	e, err := set.Explain(t.Context(), askedBy(t, "acme"), facts(t, wares[0]), nil)
	if err != nil || len(e.Rules) != 3 {
		t.Errorf("%v, %v", e, err)
	}
	other := load(t, slices.Concat(house, []string{"tenants/umbrella/data.json", `{}`})...)
	if set.Digest() == other.Digest() || set.For("acme").Digest() != set.Digest() {
		t.Error("the digest does not name what tenants have")
	}
}

func TestWhatIsWrongInATenantsFilesIsToldThere(t *testing.T) {
	for name, c := range map[string]struct {
		pairs []string
		want  string
	}{
		"its own":             {[]string{"tenants/a/routing/x.rego", "package caio.routing.x\n\ndeny contains \"x\" if nothing\n"}, "tenants/a/routing/x.rego:3:"},
		"everybody's with it": {[]string{"tenants/a/lib/price.rego", "package caio.lib\n\nprice := 1\n"}, "routing/cost.rego:3:"},
		"of no tenant":        {[]string{"tenants/x.rego", "package x\n"}, "tenants/x.rego: lies in no tenant's directory"},
		"both":                {[]string{"routing/y.rego", "package", "tenants/a/routing/x.rego", "package"}, "routing/y.rego:1:7: unexpected eof token\ntenants/a/routing/x.rego:1:7: unexpected eof token"},
	} {
		_, err := Load(files(slices.Concat(house, c.pairs)...))
		var faults Faults
		if !errors.As(err, &faults) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if beside := strings.Contains(fmt.Sprint(err), "(beside the files of tenants/a)"); beside != (name == "everybody's with it") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATenantWithoutSecurityIsUncovered(t *testing.T) {
	pairs := []string{"tenants/acme/security/a.rego", "# nothing\n"}
	for i := range 4 {
		pairs = append(pairs, fmt.Sprintf("security/%c.rego", 'a'+i), fmt.Sprintf(`# METADATA
# custom: {invariant: SEC-000%d}
package caio.security.s%d

deny contains "no" if input.service.name == "no"
`, i+1, i))
	}
	if got := load(t, pairs...).Uncovered(); !slices.Equal(got, []string{"SEC-0001 for acme"}) {
		t.Errorf("%q", got)
	}
}

func TestTestsOfATenantRunOverItsSet(t *testing.T) {
	report, err := Test(t.Context(), files(slices.Concat(house, []string{
		"routing/place_test.rego", "package t\n\ntest_here if count(data.caio.routing.place.deny) == 0 with input as {\"service\": {\"privacy\": {\"region\": \"eu\"}}}\n",
		"tenants/acme/routing/place_test.rego", "package t\n\ntest_there if count(data.caio.routing.place.deny) == 1 with input as {\"service\": {\"privacy\": {\"region\": \"eu\"}}}\n",
	})...), TestOptions{Coverage: true})
	if err != nil || len(report.Tests) != 2 || report.Failed() != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	for file, covered := range map[string]float64{"routing/place.rego": 100, "tenants/acme/routing/place.rego": 100, "tenants/acme/routing/night.rego": 0} {
		if got, ok := report.Coverage.Files[file]; !ok || got != covered {
			t.Errorf("tests reach %v %% of %s: %v", got, file, report.Coverage)
		}
	}
}

// TestSetsShareWhatTheyHaveInCommon: what a tenant's set asks of services that everybody's asks too is not asked again,
// nor kept twice; nor is what the set that is activated has in common with the one before.
func TestSetsShareWhatTheyHaveInCommon(t *testing.T) {
	set := load(t, house...)
	services := make([]*Facts, 100)
	for i := range services {
		services[i] = facts(t, wares[i%3])
	}
	x, err := NewIndex(set, Factored, services, nil)
	if err != nil {
		t.Fatal(err)
	}
	next, err := NewIndex(load(t, slices.Concat(house, []string{"routing/more.rego", "package caio.routing.more\n\ndeny contains \"x\" if input.service.name == \"x\"\n"})...), Factored, services, x)
	if err != nil {
		t.Fatal(err)
	}
	sets := func(x *Index) map[*uint64]bool {
		all := map[*uint64]bool{}
		for _, s := range *inside[[]bitset.Set](reflect.ValueOf(x.x).Elem(), "truth") {
			all[unsafe.SliceData(s)] = true
		}
		return all
	}
	common := func(x, y *Index) (n int) {
		for s := range sets(x) {
			if sets(y)[s] {
				n++
			}
		}
		return n
	}
	if n, all := common(x, x.tenants["umbrella"]), len(sets(x.tenants["umbrella"])); n != all || all != 2 {
		t.Errorf("umbrella shares %d of its %d sets with everybody", n, all)
	}
	if n, all := common(x, next), len(sets(next)); n != 4 || all != 5 {
		t.Errorf("the next set shares %d of its %d", n, all)
	}
}
