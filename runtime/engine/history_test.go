package engine

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// An attempt is one that a history remembers: with a result that was kept, or with one that broke a guarantee.
func kept(ms float64) *caiov1.Attempt {
	return &caiov1.Attempt{Outcome: "ok", Observed: &caiov1.Observed{LatencyMs: ms}}
}

func broken(ms float64) *caiov1.Attempt {
	return &caiov1.Attempt{Outcome: "violation", Observed: &caiov1.Observed{LatencyMs: ms}, Violations: []*caiov1.Violation{{}}}
}

func crashed() *caiov1.Attempt { return &caiov1.Attempt{Outcome: "failed"} }

// remembering is a history in which "one" is registered, and a way to add to it.
func remembering(halfLife time.Duration) (*History, func(time.Time, *caiov1.Attempt)) {
	h := NewHistory(halfLife)
	h.begin("one")
	return h, func(now time.Time, a *caiov1.Attempt) {
		h.remember(h.find("one"), now, a, fail("EXECUTION_FAILED", "execute", "out of order", nil))
	}
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestAnExecutionCountsHalfAfterEachHalfLife(t *testing.T) {
	h, add := remembering(time.Hour)
	add(noon, kept(100))
	add(noon, broken(200))
	add(noon, crashed())
	for halves := range 8 {
		got := h.At(noon.Add(time.Duration(halves) * time.Hour))("one")
		share := math.Exp2(-float64(halves))
		want := Record{Requests: 3 * share, Failures: 2 * share, Violations: share, P50: got.P50, P95: got.P95, P99: got.P99}
		if got != want || math.Abs(got.P50-100) > 100./32 || math.Abs(got.P95-200) > 200./32 {
			t.Errorf("after %d half-lives %+v, want %+v", halves, got, want)
		}
	}
	if got := h.At(noon.Add(12 * time.Hour))("one"); got != (Record{}) {
		t.Errorf("what is long ago still counts: %+v", got)
	}
}

// TestEachExecutionCountsByItsAge adds executions at random times and holds what is read against a sum over all of them.
func TestEachExecutionCountsByItsAge(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	const halfLife = 10 * time.Minute
	const tick = halfLife / ticksPerHalfLife
	for range 300 {
		h, add := remembering(halfLife)
		type execution struct {
			at         time.Duration
			bad, cruel bool
			cost       float64
		}
		var all []execution
		var at time.Duration
		for range 1 + dice.IntN(60) {
			at += time.Duration(dice.ExpFloat64() * float64(time.Minute))
			x := execution{at: at, bad: dice.IntN(3) == 0, cost: dice.Float64()}
			x.cruel = x.bad && dice.IntN(2) == 0
			a := kept(10)
			if x.cruel {
				a = broken(10)
			} else if x.bad {
				a = crashed()
			}
			if a.Observed == nil {
				a.Observed = &caiov1.Observed{}
			}
			a.Observed.Cost, a.Observed.Currency = &x.cost, "USD"
			add(noon.Add(at), a)
			all = append(all, x)
		}
		now := at + time.Duration(dice.ExpFloat64()*float64(halfLife))
		var want Record
		var costs float64
		for _, x := range all {
			ticks := func(d time.Duration) float64 { return float64((d - all[0].at) / tick) }
			weight := math.Pow(.5, (ticks(now)-ticks(x.at))/ticksPerHalfLife)
			want.Requests += weight
			if x.bad {
				want.Failures += weight
			}
			if x.cruel {
				want.Violations += weight
			}
			costs += weight * x.cost
		}
		got := h.At(noon.Add(now))("one")
		for name, pair := range map[string][2]float64{
			"requests": {got.Requests, want.Requests}, "failures": {got.Failures, want.Failures},
			"violations": {got.Violations, want.Violations}, "mean cost": {got.MeanCost, costs / want.Requests},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-9*(1+pair[1]) {
				t.Fatalf("%s %v, want %v", name, pair[0], pair[1])
			}
		}
	}
}

func TestWithinATickEveryDecisionSeesTheSameValues(t *testing.T) {
	h, add := remembering(time.Hour)
	add(noon, kept(3))
	add(noon, crashed())
	first := h.At(noon)("one")
	for _, after := range []time.Duration{1, time.Second, 10*time.Second - 1} {
		if got := h.At(noon.Add(after))("one"); got != first {
			t.Errorf("after %v %+v, at first %+v", after, got, first)
		}
	}
	if got := h.At(noon.Add(10 * time.Second))("one"); got.Requests >= first.Requests {
		t.Error("nothing decays")
	}
}

func TestAClockThatIsSetBackNeitherRevivesNorFreezesTheHistory(t *testing.T) {
	h, add := remembering(time.Hour)
	add(noon, kept(5))
	add(noon.Add(-24*time.Hour), crashed())
	for _, now := range []time.Time{noon.Add(-48 * time.Hour), noon.Add(-24 * time.Hour)} {
		if got := h.At(now)("one"); got.Requests != 2 || got.Failures != 1 {
			t.Errorf("at %v %+v", now, got)
		}
	}
	if got := h.At(noon.Add(-23 * time.Hour))("one"); got.Requests != 1 {
		t.Errorf("an hour later by the new clock %+v", got)
	}
}

// TestAViolationNeverMakesAServiceScoreBetter: also not by being fast.
func TestAViolationNeverMakesAServiceScoreBetter(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	reliability := func(r Record) float64 { return (r.Requests - r.Failures + 1) / (r.Requests + 1) }
	latency := func() float64 { return math.Exp2(dice.Float64()*6 + 3) }
	for range 2000 {
		h, add := remembering(time.Hour)
		now := noon
		for range dice.IntN(50) {
			switch dice.IntN(6) {
			case 0:
				add(now, broken(latency()))
			case 1:
				add(now, crashed())
			default:
				add(now, kept(latency()))
			}
			now = now.Add(time.Duration(dice.IntN(30)) * time.Second)
		}
		// The decay of the same moment in both, which is no doing of the violation.
		past := h.find("one")
		h.age(&past.sums, now.UnixNano())
		past.publish()
		before := h.At(now)("one")
		add(now, broken(latency()))
		after := h.At(now)("one")
		if reliability(after) >= reliability(before) {
			t.Fatalf("reliability %v after %v", reliability(after), reliability(before))
		}
		for _, promised := range []float64{1, 50, 1000} {
			if after.latency(promised) < before.latency(promised) {
				t.Fatalf("measured by %v ms, before by %v: %+v, %+v", after.latency(promised), before.latency(promised), before, after)
			}
		}
	}
}

func TestObservedLatencyIsBelievedOnceTenResultsStandBehindIt(t *testing.T) {
	h, add := remembering(time.Hour)
	for n := range 20 {
		r := h.At(noon)("one")
		if got, want := r.latency(50), map[bool]float64{false: 50, true: r.P95}[n >= 10]; got != want {
			t.Errorf("after %d results of 100 ms, 50 promised: measured by %v, want %v", n, got, want)
		}
		if got := r.latency(400); got != 400 {
			t.Errorf("400 promised, measured by %v", got)
		}
		add(noon, kept(100))
	}
	for range 100 {
		add(noon, crashed())
	}
	if r := h.At(noon.Add(2 * time.Hour))("one"); r.latency(50) != 50 {
		t.Errorf("a quarter of twenty results is believed, or failures count as such: %+v", r)
	}
}

func TestCostsOfAnotherCurrencyBeginAnew(t *testing.T) {
	h, add := remembering(time.Hour)
	pay := func(cost float64, currency string) {
		a := kept(1)
		a.Observed.Cost, a.Observed.Currency = &cost, currency
		add(noon, a)
	}
	pay(math.MaxFloat64, "USD")
	pay(math.MaxFloat64, "USD")
	if got := h.At(noon)("one"); got.MeanCost != math.MaxFloat64 || got.Currency != "USD" {
		t.Errorf("mean %v %s", got.MeanCost, got.Currency)
	}
	pay(2, "EUR")
	pay(4, "EUR")
	add(noon, kept(1)) // of unknown cost
	if got := h.At(noon)("one"); got.MeanCost != 3 || got.Currency != "EUR" {
		t.Errorf("mean %v %s", got.MeanCost, got.Currency)
	}
}

func TestWritersAndReadersTogetherLoseNothing(t *testing.T) {
	h, add := remembering(time.Hour)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				add(noon, []*caiov1.Attempt{kept(10), broken(20), crashed()}[i%3])
				r := h.At(noon)("one")
				if !(r.Violations <= r.Failures && r.Failures < r.Requests) {
					t.Errorf("torn: %+v", r)
				}
			}
		})
	}
	all.Wait()
	if got := h.At(noon)("one"); got.Requests != 4000 || got.Failures != 8*333 || got.Violations != 8*167 {
		t.Errorf("%+v", got)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	h, add := remembering(time.Hour)
	add(noon, kept(10))
	past := h.At(noon.Add(time.Minute))
	var r Record
	if n := testing.AllocsPerRun(100, func() { r = past("one") }); n != 0 || r.Requests == 0 {
		t.Errorf("%v allocations for %+v", n, r)
	}
}

func BenchmarkHistoryRead(b *testing.B) {
	h, add := remembering(time.Hour)
	add(noon, kept(10))
	past := h.At(noon.Add(time.Minute))
	for b.Loop() {
		past("one")
	}
}

func BenchmarkHistoryWrite(b *testing.B) {
	_, add := remembering(time.Hour)
	a := kept(10)
	for b.Loop() {
		add(noon, a)
	}
}

func TestADecisionsRecordComesBackAsItWas(t *testing.T) {
	for _, r := range []Record{{}, {Requests: 3, Failures: 2, Violations: 1, P50: 1, P95: 2, P99: 3, MeanCost: 4, Currency: "USD"},
		{Requests: .3, Currency: "EUR"}} {
		raw, err := proto.Marshal(r.history())
		if err != nil {
			t.Fatal(err)
		}
		var h caiov1.History
		if err := proto.Unmarshal(raw, &h); err != nil {
			t.Fatal(err)
		}
		if got := recorded(&h); got != r {
			t.Errorf("%+v comes back as %+v", r, got)
		}
	}
}

func TestTheDigestCoversEveryValue(t *testing.T) {
	seen := map[string]Record{}
	for _, r := range []Record{{}, {Requests: 1}, {Failures: 1}, {Violations: 1}, {P50: 1}, {P95: 1}, {P99: 1}, {MeanCost: 1}, {Currency: "X"}} {
		line := string(r.appendDigested(nil, "one"))
		if other, twice := seen[line]; twice {
			t.Errorf("%+v and %+v are both %q", r, other, line)
		}
		seen[line] = r
	}
}
