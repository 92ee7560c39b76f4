package policy

import (
	"testing"
)

// inventedPolicies is how many are compared in CI: more than 20,000 pairs.
const inventedPolicies = 140

// Whatever the policies, the contracts and the requests are, both engines refuse the same services for the same reasons
// in the same order, and fail alike. `make differential` compares a million pairs.
func TestEnginesAgreeOnWhateverIsInvented(t *testing.T) {
	var count tally
	for seed := range uint64(inventedPolicies) {
		agreeOn(t, seed, &count)
	}
	t.Log(count)
	for what, share := range map[string][2]int{
		"pairs":                     {count.pairs, 20000},
		"refused pairs":             {count.refused, count.pairs / 5},
		"pairs that are let go":     {count.pairs - count.refused, count.pairs / 10},
		"reasons":                   {count.reasons, count.pairs / 2},
		"pairs in doubt":            {count.doubts, count.pairs / 50},
		"pairs without doubt":       {count.pairs - count.doubts, count.pairs / 3},
		"parts left to OPA":         {count.opaques, count.rules / 50},
		"rules that are apart":      {count.apart, count.rules / 2},
		"requests that both refuse": {count.endedBoth, 10},
		"policies that compile":     {count.policies, 2 * count.thrown},
	} {
		if share[0] < share[1] {
			t.Errorf("%s: %d; fewer than %d compare little", what, share[0], share[1])
		}
	}
}

// agreeOn judges the invention of seed. A difference is told in the smallest form that still shows it.
func agreeOn(t testing.TB, seed uint64, count *tally) {
	t.Helper()
	v := invent(seed)
	text := v.differ(t.Context(), count, nil)
	if text == "" {
		return
	}
	small := v.shrink(func(v *invention) bool { return v.differ(t.Context(), &tally{}, nil) != "" }, 2000)
	t.Fatalf("%s\n%s\n(before it was made smaller: %s)", small.differ(t.Context(), &tally{}, nil), small, text)
}

// FuzzEnginesAgree looks for a seed over whose invention the engines differ.
func FuzzEnginesAgree(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { agreeOn(t, seed, &tally{}) })
}
