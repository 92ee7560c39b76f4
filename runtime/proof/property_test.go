package proof_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A property is how proofs of it are made in a world, and what must become of them there: read from the world itself,
// not from the evidence.
type property struct {
	name string
	make func(w world) (p *caiov1.Proof, holds bool)
	only bool // no world makes it false, or true: a mutation must
}

var properties = []property{
	{name: proof.Matching, make: func(w world) (*caiov1.Proof, bool) {
		return proof.Match(w.contract, w.request), meets(w.contract, w.request)
	}},
	{name: proof.Rules, only: true, make: func(w world) (*caiov1.Proof, bool) {
		return proof.NoRefusal(w.contract.ServiceId, "p0", "r0", "c0", w.IntN(9)), true
	}},
	{name: proof.Authentication, make: secured(0, func(c *caiov1.Contract, p *caiov1.Principal, _ *caiov1.Data) bool { return p.Authenticated })},
	{name: proof.Authorization, make: secured(1, func(c *caiov1.Contract, p *caiov1.Principal, _ *caiov1.Data) bool {
		shared := len(c.RequiredPermissions) == 0
		for _, required := range c.RequiredPermissions {
			for _, held := range p.Permissions {
				shared = shared || held == required
			}
		}
		return shared
	})},
	{name: proof.Privacy, make: secured(2, func(c *caiov1.Contract, _ *caiov1.Principal, d *caiov1.Data) bool {
		class := strings.ToLower(d.Classification)
		sensitive := d.ContainsPii || d.ContainsPhi || class == "confidential" || class == "restricted"
		where := c.Privacy.DataLocality
		return !sensitive || where == "on_device" || where == "local" || c.Privacy.Encryption
	})},
	{name: proof.AccessControl, make: secured(3, func(c *caiov1.Contract, p *caiov1.Principal, _ *caiov1.Data) bool {
		return p.TrustLevel >= c.RequiredTrustLevel
	})},
	{name: proof.AccessBoundary, make: secured(4, func(c *caiov1.Contract, p *caiov1.Principal, _ *caiov1.Data) bool {
		return c.Metadata.Tenant == "" || c.Metadata.Tenant == p.Tenant
	})},
	{name: proof.Budget, make: func(w world) (*caiov1.Proof, bool) {
		price := proof.Price{Known: w.often(.8), Currency: w.pick("USD", "USD", "EUR"), InputTokens: float64(w.IntN(5)), OutputTokens: float64(w.IntN(5))}
		if price.Known {
			price.Cost = *w.perhaps1(0, .5, .75, 1, 2)
		}
		b := w.request.Budget
		return proof.Affordable(w.contract.ServiceId, price, b), b == nil || price.Known && price.Currency == b.Currency && price.Cost <= b.MaxCost
	}},
	{name: proof.Latency, make: func(w world) (*caiov1.Proof, bool) {
		promised, limit := w.contract.Guarantees["latency"].GetBound(), w.request.MaxLatencyMs
		fast := limit == nil || promised != nil && promised.Max != nil && *promised.Max <= *limit
		return proof.Fast(w.contract, limit), fast
	}},
	{name: proof.Optimization, make: ranking},
	{name: proof.Stability, make: func(w world) (*caiov1.Proof, bool) {
		d, holds := drive(w.Rand)
		return proof.Stable(w.contract.ServiceId, d), holds
	}},
	{name: proof.TraitConstraints, make: func(w world) (*caiov1.Proof, bool) {
		in, holds := limits(w.Rand), true
		for _, l := range in {
			holds = holds && l.Value <= l.Limit
		}
		return proof.Constrained(w.contract.ServiceId, in), holds
	}},
	{name: proof.Composition, make: func(w world) (*caiov1.Proof, bool) {
		given := maps.Clone(w.contract.Guarantees)
		if w.often(.5) {
			return proof.Composed(w.contract, given), true
		}
		other := atLeast("r", .7)
		if name := w.pick("accuracy", "latency", "more"); w.often(.5) || given[name] == nil {
			given[name] = other
		} else {
			delete(given, name)
		}
		return proof.Composed(w.contract, given), false
	}},
	{name: proof.Refusal, make: func(w world) (*caiov1.Proof, bool) {
		var fallen []*caiov1.Candidate
		holds := true
		for i := range w.IntN(5) {
			c := &caiov1.Candidate{ServiceId: fmt.Sprint("s", i), Outcome: w.pick("capability", "guarantee", "constraint", "rule", "security", "traits", "budget", "latency")}
			if w.often(.15) {
				c.Outcome, holds = w.pick("selected", "eligible"), false
			}
			fallen = append(fallen, c)
		}
		return proof.NobodyLeft(fallen, w.Int32N(9)), holds
	}},
}

// secured is a property of the security proofs, the one at that place.
func secured(place int, holds func(*caiov1.Contract, *caiov1.Principal, *caiov1.Data) bool) func(world) (*caiov1.Proof, bool) {
	return func(w world) (*caiov1.Proof, bool) {
		c, p, d := w.contract, w.request.Principal, w.request.Data
		return proof.Security(c, p, d)[place], holds(c, p, d)
	}
}

// ranking is of few candidates with few different scores. Half the time it is in order.
func ranking(w world) (*caiov1.Proof, bool) {
	seed := w.Uint64N(3)
	form := []proof.Form{proof.ByContract, proof.ByField}[w.IntN(2)]
	scored := make([]proof.Scored, 1+w.IntN(5))
	for i := range scored {
		terms := proof.Terms{*w.perhaps1(0, .5, 1), *w.perhaps1(.5, 1), .25, .5, *w.perhaps1(0, 1)}
		score, err := form.Score(&terms)
		if err != nil {
			panic(err)
		}
		scored[i] = proof.Scored{Service: fmt.Sprint(w.pick("a", "b"), i), Score: score, Terms: &terms, Form: form}
	}
	proof.Rank(scored, seed)
	holds := true
	switch w.IntN(4) {
	case 0:
		i := w.IntN(len(scored))
		scored[i].Score, holds = scored[i].Score+.125, false
	case 1:
		if i, j := w.IntN(len(scored)), w.IntN(len(scored)); i != j {
			scored[i], scored[j], holds = scored[j], scored[i], false
		}
	}
	return proof.Optimum(scored, seed), holds
}

// TestEveryPropertyHoldsExactlyWhereItShould makes more than a thousand proofs of each property and holds them against
// the world they were made in, and their evidence against what a third party would read in it.
func TestEveryPropertyHoldsExactlyWhereItShould(t *testing.T) {
	for _, property := range properties {
		t.Run(property.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(31, 32))
			verdicts := map[bool]int{}
			for range 1500 {
				w := newWorld(r)
				p, holds := property.make(w)
				if p.Property != property.name || p.Valid != holds {
					t.Fatalf("%s is valid: %v, want %v, in the world\n%v\n%v\n%v", p.Property, p.Valid, holds, w.contract, w.request, p)
				}
				if err := proof.Verify(p); err != nil {
					t.Fatalf("%v\n%v", err, p)
				}
				if valid, err := read(p.Property, p.Evidence.AsMap()); valid != holds || err != nil {
					t.Fatalf("the evidence says %v, %v\n%v", valid, err, p)
				}
				verdicts[holds]++
			}
			if !property.only && (verdicts[true] < 150 || verdicts[false] < 150) {
				t.Errorf("only %d valid and %d invalid proofs", verdicts[true], verdicts[false])
			}
		})
	}
}

// TestEverySingleChangeOfAProofIsFoundUnlessItChangesNothing changes one thing at a time, in the evidence of more than a
// thousand proofs of each property and in what they say of it. A changed proof must verify exactly if a third party
// reads in the changed evidence what the proof claims, about the service that it names.
func TestEverySingleChangeOfAProofIsFoundUnlessItChangesNothing(t *testing.T) {
	for _, property := range properties {
		t.Run(property.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(33, 34))
			var c changes
			for range 1100 {
				p, _ := property.make(newWorld(r))
				c.words(t, p)
				c.evidence(t, p, r)
			}
			// Where nothing was ever harmless, or never turned the verdict, the changes are poor.
			if c.harmless < 1000 && property.name != proof.Composition || c.turned < 200 || c.unread < 1000 {
				t.Errorf("of %d changes %d turned the verdict, %d left nothing to read, %d were harmless", c.turned+c.unread+c.harmless, c.turned, c.unread, c.harmless)
			}
		})
	}
}

// changes counts what became of changed proofs.
type changes struct{ turned, unread, harmless int }

// words changes what stands beside the evidence: none of it may be another.
func (c *changes) words(t *testing.T, p *caiov1.Proof) {
	t.Helper()
	for _, forge := range []func(p *caiov1.Proof){
		func(p *caiov1.Proof) { p.Valid = !p.Valid },
		func(p *caiov1.Proof) { p.Statement += " and all others" },
		func(p *caiov1.Proof) { p.Statement = "" },
		func(p *caiov1.Proof) { p.Step = "elsewhere" },
		func(p *caiov1.Proof) { p.Method = "trust me" },
	} {
		forged := &caiov1.Proof{Step: p.Step, Property: p.Property, Statement: p.Statement, Method: p.Method, Evidence: p.Evidence, Valid: p.Valid}
		forge(forged)
		if err := proof.Verify(forged); !errors.Is(err, proof.ErrForged) {
			t.Fatalf("%v of\n%v", err, forged)
		}
	}
	for _, other := range append(properties, property{name: "SEC-0009"}, property{name: ""}) {
		if other.name == p.Property {
			continue
		}
		forged := &caiov1.Proof{Step: p.Step, Property: other.name, Statement: p.Statement, Method: p.Method, Evidence: p.Evidence, Valid: p.Valid}
		if proof.Verify(forged) == nil {
			t.Fatalf("a proof of %s verifies as one of %s", p.Property, other.name)
		}
	}
}

// evidence changes each value of p's evidence, at any depth: takes it out, or makes it something else. Of evidence that
// says much only some changes are tried, others each time.
func (c *changes) evidence(t *testing.T, p *caiov1.Proof, r *rand.Rand) {
	t.Helper()
	share := 100 / float64(proto.Size(p.Evidence))
	judge := func(path string, to *structpb.Value) {
		if r.Float64() < share {
			c.judge(t, p, path, to)
		}
	}
	var walk func(path string, v *structpb.Value)
	object := func(path string, fields map[string]*structpb.Value) {
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			v := fields[key]
			delete(fields, key)
			judge(path+"."+key, nil)
			fields[key] = v
			walk(path+"."+key, v)
		}
	}
	walk = func(path string, v *structpb.Value) {
		kind := v.Kind
		for _, other := range others(v, r) {
			v.Kind = other.Kind
			judge(path, other)
		}
		v.Kind = kind
		switch kind := kind.(type) {
		case *structpb.Value_StructValue:
			object(path, kind.StructValue.Fields)
		case *structpb.Value_ListValue:
			for i, element := range kind.ListValue.Values {
				walk(fmt.Sprintf("%s[%d]", path, i), element)
			}
		}
	}
	object("", p.Evidence.Fields)
}

// others returns what may stand in the place of v: values of every type, and of its own those that are near, far, or
// mean something to some method.
func others(v *structpb.Value, r *rand.Rand) []*structpb.Value {
	list := func(values ...*structpb.Value) *structpb.Value {
		return structpb.NewListValue(&structpb.ListValue{Values: values})
	}
	out := []*structpb.Value{structpb.NewNullValue(), structpb.NewBoolValue(true), structpb.NewBoolValue(false), structpb.NewNumberValue(1),
		structpb.NewStringValue("1"), list(), list(structpb.NewNumberValue(1)), structpb.NewStructValue(&structpb.Struct{})}
	switch kind := v.Kind.(type) {
	case *structpb.Value_NumberValue:
		n := kind.NumberValue
		for _, other := range []float64{math.Nextafter(n, math.Inf(1)), math.Nextafter(n, math.Inf(-1)), n + 1, n - 1, -n, 0, .5, 1e9, math.NaN(), math.Inf(1)} {
			out = append(out, structpb.NewNumberValue(other))
		}
	case *structpb.Value_StringValue:
		words := []string{"", "local", "cloud", "USD", "EUR", "acme", "all", "contains_any", "contains_all", ">=", "<=", "=", "eligible", "rule",
			"safety", "contract", "field", "7", kind.StringValue + " ", strings.ToUpper(kind.StringValue)}
		for range 6 {
			out = append(out, structpb.NewStringValue(words[r.IntN(len(words))]))
		}
	case *structpb.Value_ListValue:
		values := kind.ListValue.Values
		for i := range values {
			out = append(out, list(slices.Delete(slices.Clone(values), i, i+1)...), list(append(slices.Clone(values), values[i])...))
		}
		out = append(out, list(append(slices.Clone(values), structpb.NewStringValue("read"))...))
		turned := slices.Clone(values)
		slices.Reverse(turned)
		out = append(out, list(turned...))
	case *structpb.Value_StructValue:
		more := maps.Clone(kind.StructValue.Fields)
		if more == nil {
			more = map[string]*structpb.Value{}
		}
		more["more"] = structpb.NewStringValue("rule")
		out = append(out, structpb.NewStructValue(&structpb.Struct{Fields: more}))
	}
	return out
}

// judge holds Verify of p, in which to now stands at path, nil: nothing, against what a third party reads in its evidence.
func (c *changes) judge(t *testing.T, p *caiov1.Proof, path string, to *structpb.Value) {
	t.Helper()
	evidence := p.Evidence.AsMap()
	valid, unread := read(p.Property, evidence)
	service, _ := evidence["service_id"].(string)
	step, statement := wording(p.Property, service)
	err := proof.Verify(p)
	switch {
	case unread != nil:
		c.unread++
		if err == nil {
			t.Fatalf("%s is %v: verifies where nothing can be read\n%v", path, to, p)
		}
	case valid != p.Valid || p.Statement != statement || p.Step != step:
		c.turned++
		if !errors.Is(err, proof.ErrForged) {
			t.Fatalf("%s is %v: %v, want it forged: holds is %v, the statement %q\n%v", path, to, err, valid, statement, p)
		}
	default:
		c.harmless++
		if err != nil {
			t.Fatalf("%s is %v, which changes nothing, but: %v\n%v", path, to, err, p)
		}
	}
}
