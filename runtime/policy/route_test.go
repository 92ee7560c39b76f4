package policy

import (
	"encoding/json"
	"testing"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// route judges one contract.
func route(t testing.TB, s *Set, req *caiov1.Request, contract string) Verdict {
	t.Helper()
	verdicts, err := s.Route(t.Context(), req, []*Facts{facts(t, contract)})
	if err != nil {
		t.Fatal(err)
	}
	return verdicts[0]
}

func facts(t testing.TB, contract string) *Facts {
	t.Helper()
	f, err := NewFacts([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func jsonOf(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
