package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantilesAreTrueToAThirtySecond(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func() float64{
		"even over all octaves": func() float64 { return math.Exp2(dice.Float64()*23 - 3) },
		"most alike, few slow": func() float64 {
			if dice.IntN(20) == 0 {
				return 5000 * dice.Float64()
			}
			return 20 + dice.Float64()
		},
		"few values":            func() float64 { return float64(1 + dice.IntN(5)) },
		"on the octaves' edges": func() float64 { return math.Nextafter(math.Exp2(float64(dice.IntN(20))), float64(dice.IntN(3))*1e9) },
	}
	for name, sample := range shapes {
		for n := 1; n < 400; n += 7 {
			var l latencies
			all := make([]float64, n)
			for i := range all {
				all[i] = min(max(sample(), .125), 1<<20-1)
				l[bucket(all[i])]++
			}
			slices.Sort(all)
			for i, got := range l.quantiles(shares) {
				// Nearest rank: the smallest that at least this share does not exceed.
				want := all[int(math.Ceil(shares[i]*float64(n)))-1]
				if math.Abs(got-want) > want/32 {
					t.Fatalf("%s: quantile %v of %d is %v, want %v", name, shares[i], n, got, want)
				}
			}
		}
	}
}

func TestEveryLatencyHasABucket(t *testing.T) {
	last := len(latencies{}) - 1
	for ms, want := range map[float64]int{
		0: 0, -1: 0, math.NaN(): 0, math.Inf(-1): 0, math.SmallestNonzeroFloat64: 0, 1e-3: 0, .125: 0, .1329: 1, .25: 16, 1: 48,
		1<<20 - 1: last, 1 << 20: last, math.MaxFloat64: last, math.Inf(1): last,
	} {
		if got := bucket(ms); got != want {
			t.Errorf("%v ms in bucket %d, want %d", ms, got, want)
		}
	}
	for i := range last + 1 {
		if got := bucket(middle(i)); got != i {
			t.Errorf("the middle of bucket %d is in %d", i, got)
		}
	}
}

func TestNothingCountedHasNoQuantiles(t *testing.T) {
	if got := new(latencies).quantiles(shares); got != [3]float64{} {
		t.Errorf("quantiles %v of nothing", got)
	}
}
