package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// among returns the contract of a service with vectors of dimension 4. "" leaves one out.
func among(id, capability, model, calm string) string {
	extra := "privacy: {data_locality: local}\ncost: {per_request: 0.5}\nguarantees: {p95_latency_ms: 50}\nfield:\n"
	if capability != "" {
		extra += "  capability: {re: [" + capability + "]}\n"
	}
	if model != "" {
		extra += "  model: {re: [" + model + "]}\n"
	}
	if calm != "" {
		extra += "  traits: [{name: calm, re: [" + calm + "]}]\n"
	}
	if capability+model+calm == "" {
		extra += "  {}\n"
	}
	return service(id, extra)
}

func real4(re ...float64) *caiov1.Field { return &caiov1.Field{Re: re} }

func TestServicesAreRankedByHowTheyAgreeWithTheIntent(t *testing.T) {
	// Of dimension 4, [1 0 -1 0] lies in the frequencies 1/4 and 3/4 alone, [1 -1 1 -1] in 1/2, [1 1 1 1] in 0.
	h := newHouse(t, defaults(nil),
		among("along", "2, 0, -2, 0", "1, 0, 0, 0", ""), among("against", "-1, 0, 1, 0", "", ""),
		among("aside", "0, 1, 0, -1", "1, 0, -1, 0", ""), among("silent", "", "", ""), among("other", "1, 0, -1", "", ""))
	r := request(func(r *caiov1.Request) {
		r.Budget, r.MaxLatencyMs = &caiov1.Budget{MaxCost: 1}, proto.Float64(100)
		r.Field = &caiov1.FieldState{
			Intent: real4(3, 0, -3, 0), Memory: real4(-1, 0, 1, 0), Cutoff: proto.Float64(.2),
			Control: &caiov1.FieldControl{MaxEnergy: proto.Float64(27), Modes: []*caiov1.Field{real4(1, 0, -1, 0), real4(0, 1, 0, 1)}},
		}
	})
	d := decision(t, h, r, 0)
	// Of equal cost, risk and latency; the model counts for aside, and what is silent stands before what is against.
	if d.Objective != "field" || !slices.Equal(d.Ranking[:2], []string{"along", "aside"}) || d.Ranking[4] != "against" {
		t.Fatalf("%s: %v", d.Objective, d.Ranking)
	}
	for id, want := range map[string]map[string]float64{
		"along":   {"intent": 1, "capability": 1, "model": math.Sqrt2 / 2, "memory": -1, "cost": .5, "risk": .25, "latency": .5},
		"against": {"intent": 1, "capability": -1, "model": 0, "memory": -1, "cost": .5, "risk": .25, "latency": .5},
		"aside":   {"intent": 1, "capability": 0, "model": 1, "memory": -1, "cost": .5, "risk": .25, "latency": .5},
		"silent":  {"intent": 1, "capability": 0, "model": 0, "memory": -1, "cost": .5, "risk": .25, "latency": .5},
		"other":   {"intent": 1, "capability": 0, "model": 0, "memory": -1, "cost": .5, "risk": .25, "latency": .5},
	} {
		c := candidateOf(t, d, id)
		if !maps.EqualFunc(c.Terms, want, near) {
			t.Errorf("%s: terms %v, want %v", id, c.Terms, want)
		}
		if want := map[string]float64{"budget": -.5, "latency": -50, "policy": 0, "safety": 0}; !maps.EqualFunc(c.FieldConstraints, want, near) {
			t.Errorf("%s: constraints %v, want %v", id, c.FieldConstraints, want)
		}
	}
	f := d.Field
	if f.GetDimension() != 4 || f.GetCutoff() != .2 || f.GetIntensity() != "projection" || f.GetResonance() != "correlation" ||
		!near(f.GetIntentEnergy(), 18) || !near(f.GetHighEnergy(), 18) || !near(f.GetConductivity(), 1) || !near(f.GetW(), -1) {
		t.Errorf("reading %v", f)
	}
	// The response is [-1 0 1 0]: its peak is three times the mean of the rest. The sum of both has 8 of the energy 18 + 2.
	if m := f.GetMetrics(); !near(m.GetQualityDb(), 20*math.Log10(3)) || !near(m.GetRecall(), .4) || !near(m.GetUtilization(), 18./27) ||
		!slices.Equal(m.GetBelow(), []string{"recall"}) {
		t.Errorf("metrics %v", m)
	}
	// Of the energy 9 that is left, all goes to the first mode: ||u (1 0 -1 0)||^2 = 2 u^2.
	if u := f.GetControl(); !near(u.GetSignal()[0], math.Sqrt(4.5)) || !near(u.GetSignal()[1], 0) || !near(u.GetEnergy(), 9) || u.GetEnergy() > u.GetRoom() || u.GetRoom() != 9 {
		t.Errorf("control %v", u)
	}
	var steps []string
	for _, p := range d.Proofs {
		if p.Property == proof.Stability || p.Property == proof.TraitConstraints || p.Property == proof.Optimization {
			steps = append(steps, p.Step)
		}
	}
	if !slices.Equal(steps, []string{"traits", "optimization", "control"}) {
		t.Errorf("proofs of the steps %v", steps)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func candidateOf(t *testing.T, d *caiov1.Decision, id string) *caiov1.Candidate {
	t.Helper()
	for _, c := range d.Candidates {
		if c.ServiceId == id {
			return c
		}
	}
	t.Fatalf("no candidate %s", id)
	return nil
}

func TestServicesThatAreMindedOtherwiseFallAtTheirTraits(t *testing.T) {
	h := newHouse(t, defaults(nil), among("like", "", "", "1, 1, 1, 1"), among("half", "", "", "1, 0, 1, 0"),
		among("unlike", "", "", "-1, -1, -1, -1"), among("silent", "", "", ""))
	for _, test := range []struct {
		name    string
		demands map[string]float64
		want    map[string]string // outcome by service
		g       map[string]float64
	}{
		// Only the low frequencies of the traits count: [1 1 1 1] of [2 0 2 0].
		{"nothing demanded", nil, map[string]string{"like": "", "half": "", "unlike": "traits", "silent": ""},
			map[string]float64{"like": -1, "half": -math.Sqrt2 / 2, "unlike": 1, "silent": 0}},
		{"a half", map[string]float64{"calm": .5}, map[string]string{"like": "", "half": "", "unlike": "traits", "silent": "traits"},
			map[string]float64{"like": -.5, "half": .5 - math.Sqrt2/2, "unlike": 1.5, "silent": 1.5}},
		{"all of it", map[string]float64{"calm": .9}, map[string]string{"like": "", "half": "traits", "unlike": "traits", "silent": "traits"}, nil},
		{"nothing at all", map[string]float64{"calm": -1}, map[string]string{"like": "", "half": "", "unlike": "", "silent": ""}, nil},
		{"another trait", map[string]float64{"calm": 0, "bold": .1}, map[string]string{"like": "traits", "half": "traits", "unlike": "traits", "silent": "traits"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := decision(t, h, request(func(r *caiov1.Request) {
				r.Field = &caiov1.FieldState{Traits: real4(2, 0, 2, 0), TraitDemands: test.demands}
			}), 0)
			if d.Objective != "contract" || d.Field.GetControl() != nil || !near(d.Field.GetLowEnergy(), 4) {
				t.Errorf("%s, %v: traits alone are no intent", d.Objective, d.Field)
			}
			for id, want := range test.want {
				c := candidateOf(t, d, id)
				if fell := c.Outcome == "traits"; fell != (want == "traits") || fell != (len(c.Reasons) > 0) {
					t.Errorf("%s: %s, %v, want %q", id, c.Outcome, c.Reasons, want)
				}
				if g, ok := c.FieldConstraints["traits"]; !ok || (g > 0) != (want == "traits") || test.g != nil && !near(g, test.g[id]) {
					t.Errorf("%s: G_traits is %v", id, c.FieldConstraints)
				}
			}
			if e := d.Error; (e != nil) != !slices.Contains(slices.Collect(maps.Values(test.want)), "") || e != nil && e.Stage != "traits" {
				t.Errorf("error %v", e)
			}
		})
	}
}

func TestFieldsThatAreNoneAreRefusedWithTheirPlace(t *testing.T) {
	h := newHouse(t, defaults(nil), among("one", "", "", ""))
	nan := math.NaN()
	for want, s := range map[string]*caiov1.FieldState{
		"field.intent[3]: NaN":                                     {Intent: real4(1, 2, 3, nan)},
		"field.intent: 1 real but 2 imaginary parts":               {Intent: &caiov1.Field{Re: []float64{1}, Im: []float64{1, 2}}},
		"field.intent[0]: +Inf":                                    {Intent: &caiov1.Field{Re: []float64{1}, Im: []float64{math.Inf(1)}}},
		"field.intent: dimension 0":                                {Intent: &caiov1.Field{}},
		"field.intent: its energy":                                 {Intent: real4(1e200)},
		"field.traits: dimension 2, but that of field.intent is 1": {Intent: real4(1), Traits: real4(1, 2)},
		"field.memory: dimension 1, but that of field.traits is 2": {Traits: real4(1, 2), Memory: real4(1)},
		"field.control.modes[1]: dimension 2":                      {Intent: real4(1), Control: &caiov1.FieldControl{Modes: []*caiov1.Field{real4(1), real4(1, 2)}}},
		"field.control.desired[0]: NaN":                            {Intent: real4(1), Control: &caiov1.FieldControl{Desired: []float64{nan}}},
		"field.control.desired: 2 numbers for 1 modes":             {Intent: real4(1), Control: &caiov1.FieldControl{Desired: []float64{1, 2}}},
		"field.control.max_energy: 3 is not":                       {Intent: real4(2), Control: &caiov1.FieldControl{MaxEnergy: proto.Float64(3)}},
		"field.control.max_energy: NaN":                            {Intent: real4(2), Control: &caiov1.FieldControl{MaxEnergy: &nan}},
		"field.intent: must be given, as field.control is":         {Control: &caiov1.FieldControl{}},
		"field.traits: must be given, as field.trait_demands are":  {Intent: real4(1), TraitDemands: map[string]float64{"calm": 0}},
		"field.trait_demands.calm: NaN is not in":                  {Traits: real4(1), TraitDemands: map[string]float64{"calm": nan}},
		"field.cutoff: 0.7 is not in":                              {Intent: real4(1), Cutoff: proto.Float64(.7)},
	} {
		_, err := engine.Decide(t.Context(), h.Snapshot(), engine.NoPast, request(func(r *caiov1.Request) { r.Field = s }), 0, true)
		var said *engine.Error
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &said) || said.Detail.GetCode() != "INVALID_REQUEST" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// wave draws a field of dimension d.
func wave(r *rand.Rand, d int) *caiov1.Field {
	f := &caiov1.Field{Re: make([]float64, d)}
	for i := range f.Re {
		f.Re[i] = r.NormFloat64()
	}
	if r.IntN(2) == 0 {
		f.Im = make([]float64, d)
		for i := range f.Im {
			f.Im[i] = r.NormFloat64()
		}
	}
	return f
}

func numbersOf(f *caiov1.Field) []complex128 {
	out := make([]complex128, len(f.GetRe()))
	for i, re := range f.GetRe() {
		out[i] = complex(re, 0)
		if f.Im != nil {
			out[i] = complex(re, f.Im[i])
		}
	}
	return out
}

// part returns what v has below or above the cutoff, by the sums that define the transform.
func part(v []complex128, cutoff float64, high bool) []complex128 {
	d := len(v)
	out := make([]complex128, d)
	for k := range d {
		if (math.Min(float64(k), float64(d-k))/float64(d) > cutoff) != high {
			continue
		}
		var c complex128
		for j := range d {
			c += v[j] * cmplx.Rect(1/float64(d), -2*math.Pi*float64(j*k)/float64(d))
		}
		for j := range d {
			out[j] += c * cmplx.Rect(1, 2*math.Pi*float64(j*k)/float64(d))
		}
	}
	return out
}

func inner(a, b []complex128) (sum complex128) {
	for i := range a {
		sum += cmplx.Conj(a[i]) * b[i]
	}
	return sum
}

func agreement(a, b []complex128) float64 {
	if len(a) != len(b) {
		return 0
	}
	return real(inner(a, b)) / math.Sqrt(real(inner(a, a))*real(inner(b, b)))
}

// What decides is computed a second time here, by sums instead of transforms, for 1,000 generated requests.
func TestFieldsDecideAsTheirDefinitionsSay(t *testing.T) {
	const d = 7
	r := rand.New(rand.NewPCG(31, 32))
	type stated struct{ capability, model, calm []complex128 }
	services := map[string]stated{}
	var contracts []string
	for i := range 6 {
		id := fmt.Sprintf("s%d", i)
		c, m, calm := wave(r, d), wave(r, d-i%2), wave(r, d) // some models are of another dimension
		text := "privacy: {data_locality: local}\nfield:\n  capability: {" + vector(c) + "}\n  traits: [{name: calm, " + vector(calm) + "}]\n"
		if len(m.Re) == d {
			text += "  model: {" + vector(m) + "}\n"
		}
		contracts = append(contracts, service(id, text))
		services[id] = stated{numbersOf(c), numbersOf(m), numbersOf(calm)}
	}
	h := newHouse(t, defaults(nil), contracts...)
	fell := 0
	for i := range 1000 {
		state := &caiov1.FieldState{Intent: wave(r, d), Traits: wave(r, d), Memory: wave(r, d), Cutoff: proto.Float64(r.Float64() / 2),
			Intensity: []string{"", "projection", "matched_filter"}[r.IntN(3)],
			Control:   &caiov1.FieldControl{Modes: []*caiov1.Field{wave(r, d), wave(r, d)}}}
		if r.IntN(2) == 0 {
			state.TraitDemands = map[string]float64{"calm": r.Float64() - .5}
		}
		if r.IntN(2) == 0 {
			state.Control.Desired = []float64{r.NormFloat64(), r.NormFloat64()}
		}
		psi := numbersOf(state.Intent)
		whole := real(inner(psi, psi))
		state.Control.MaxEnergy = proto.Float64(whole + r.ExpFloat64())
		req := request(func(r *caiov1.Request) { r.Field = state })
		got := decision(t, h, req, uint64(i))
		high, low := part(psi, *state.Cutoff, true), part(numbersOf(state.Traits), *state.Cutoff, false)
		for id, s := range services {
			c := candidateOf(t, got, id)
			calm := agreement(low, s.calm)
			if out := state.TraitDemands["calm"] - calm; math.Abs(out) > 1e-9 && (out > 0) != (c.Outcome == "traits") ||
				!near(c.FieldConstraints["traits"], out) {
				t.Fatalf("%d: %s fell at %q, G_traits %v, want %v", i, id, c.Outcome, c.FieldConstraints, out)
			}
			if c.Outcome == "traits" {
				fell++
				continue
			}
			want := map[string]float64{"intent": real(inner(high, high)) / whole, "capability": agreement(psi, s.capability),
				"model": agreement(psi, s.model), "memory": agreement(psi, numbersOf(state.Memory))}
			if state.Intensity == "matched_filter" {
				want["intent"] = math.Pow(cmplx.Abs(inner(s.capability, psi)), 2) / real(inner(s.capability, s.capability)) / whole
			}
			for term, n := range want {
				if !near(c.Terms[term], n) {
					t.Fatalf("%d: %s: %s is %v, want %v", i, id, term, c.Terms[term], n)
				}
			}
		}
		driven := make([]complex128, d)
		for j, mode := range state.Control.Modes {
			for at, n := range numbersOf(mode) {
				driven[at] += n * complex(got.Field.Control.Signal[j], 0)
			}
		}
		room := *state.Control.MaxEnergy - whole
		excited := len(state.Control.Desired) == 0 && real(inner(high, high)) > 1e-9
		if spent := real(inner(driven, driven)); spent > room*(1+1e-9) || excited && !near(spent, room) {
			t.Fatalf("%d: the signal takes %v of %v", i, spent, room)
		}
		if i%100 == 0 {
			again, err := h.Snapshot().Decide(t.Context(), engine.NoPast, req, uint64(i), true)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(got)
			if err != nil || !bytes.Equal(raw, again.Raw()) {
				t.Fatalf("%d: not the same bytes, %v", i, err)
			}
		}
	}
	if fell < 1000 || fell > 5000 {
		t.Errorf("%d of 6000 fell", fell)
	}
}

// vector writes f as YAML.
func vector(f *caiov1.Field) string {
	list := func(n []float64) string { return strings.ReplaceAll(fmt.Sprint(n), " ", ", ") }
	return "re: " + list(f.Re) + ", im: " + list(f.Im)
}
