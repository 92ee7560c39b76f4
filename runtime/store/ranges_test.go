package store_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
)

// TestRangesAreSets holds sets of ranges against the plain definition.
func TestRangesAreSets(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var lists [2][][2]uint64
		var members [2][64]bool
		for set := range lists {
			for range rng.IntN(12) {
				first := rng.Uint64N(50)
				last := first + rng.Uint64N(14)
				if rng.IntN(10) == 0 {
					last = first - min(first, 3) // none, or one
				}
				lists[set] = append(lists[set], [2]uint64{first, last})
				for seq := first; seq <= last; seq++ {
					members[set][seq] = true
				}
			}
			if rng.IntN(2) == 0 {
				slices.SortFunc(lists[set], func(a, b [2]uint64) int { return int(a[0]) - int(b[0]) })
			}
		}
		var want [64]bool
		for seq := range want {
			want[seq] = members[0][seq] && !members[1][seq]
		}
		var got [64]bool
		left := store.Without(lists[0], lists[1])
		for i, r := range left {
			if r[0] > r[1] || i > 0 && r[0] <= left[i-1][1] {
				t.Fatalf("%v without %v is %v", lists[0], lists[1], left)
			}
			for seq := r[0]; seq <= r[1]; seq++ {
				got[seq] = true
			}
		}
		if got != want {
			t.Fatalf("%v without %v is %v", lists[0], lists[1], left)
		}
	}
}
