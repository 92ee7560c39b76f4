package contracts_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/examples/contracts"
)

func TestEveryContractSaysWhereAndWhat(t *testing.T) {
	all, err := contracts.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 6 {
		t.Errorf("%d contracts, want 6", len(all))
	}
	taken := map[string]string{}
	for _, c := range all {
		if !strings.HasPrefix(c.BaseURL, "http://127.0.0.1:741") {
			t.Errorf("%s listens at %q, not on loopback", c.File, c.BaseURL)
		}
		if other := taken[c.BaseURL]; other != "" {
			t.Errorf("%s and %s listen at the same address", c.File, other)
		}
		taken[c.BaseURL] = c.File
		if c.LatencyP95 <= 0 || c.AccuracyMin < 0 || c.AccuracyMin > 1 {
			t.Errorf("%s promises %v and %v", c.File, c.LatencyP95, c.AccuracyMin)
		}
		if promised := c.ForService().Guarantees; promised.AccuracyMin != c.AccuracyMin || promised.LatencyMax != c.LatencyP95 {
			t.Errorf("%s: the service is told %+v", c.File, promised)
		}
	}
}

func TestAContractMovesWithItsService(t *testing.T) {
	all, err := contracts.All()
	if err != nil {
		t.Fatal(err)
	}
	moved := all[0].At("http://127.0.0.1:1")
	if !bytes.Contains(moved, []byte("base_url: http://127.0.0.1:1\n")) || bytes.Contains(moved, []byte(all[0].BaseURL)) {
		t.Errorf("%s", moved)
	}
	if bytes.Equal(moved, all[0].Source) {
		t.Error("the contract itself was changed")
	}
}
