package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/smarthausgroup/caio/policies"
)

func TestWhatTracesKeepIsSaidByTenant(t *testing.T) {
	set, err := Load(policies.Overlay(policies.FS(), fstest.MapFS{
		"trace/data.json":               {Data: []byte(`{"keep": {"acme": ["intent", "result"]}}`)},
		"trace/more.rego":               {Data: []byte("package caio.trace.more\n\nimport rego.v1\n\nkeep contains \"result\" if startswith(input.tenant, \"test-\")\n")},
		"tenants/umbrella/trace/u.rego": {Data: []byte("package caio.trace.own\n\nimport rego.v1\n\nkeep contains \"intent\" if true\n")},
		"trace/bad.rego":                {Data: []byte("package caio.trace.bad\n\nimport rego.v1\n\nkeep contains word if {\n\tinput.tenant == \"odd\"\n\tword := concat(\"\", [\"pay\", \"load\"])\n}\n")},
	}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is known
		for tenant, want := range map[string]Kept{
			"acme": {true, true}, "test-1": {false, true}, "umbrella": {true, false}, "other": {}, "": {},
		} {
			if got, err := set.Keep(tenant); err != nil || got != want {
				t.Errorf("%q: %+v, %v", tenant, got, err)
			}
		}
	}
	if got, err := set.Keep("odd"); err == nil || got != (Kept{}) || !strings.Contains(err.Error(), "payload") {
		t.Errorf("a word that is none: %+v, %v", got, err)
	}
	if got, err := set.Keep("odd"); err != nil || got != (Kept{}) {
		t.Errorf("asked again: %+v, %v", got, err)
	}
	for i := range maxKept + 10 {
		if got, err := set.Keep(fmt.Sprint("test-", i)); err != nil || !got.Result {
			t.Fatalf("tenant %d: %+v, %v", i, got, err)
		}
	}
	if n := len(*set.keep.known.Load()); n > maxKept {
		t.Errorf("%d tenants are remembered", n)
	}
	if len(set.Warnings()) > 0 {
		t.Errorf("warnings: %v", set.Warnings())
	}
	if got, err := load(t).Keep("acme"); err != nil || got != (Kept{}) {
		t.Errorf("without policies: %+v, %v", got, err)
	}
}

func TestRulesAboutWhatIsKeptAreHeldToTheirForm(t *testing.T) {
	for body, want := range map[string]string{
		`keep := {"intent"}`:                                                 "must be a set of words",
		`keep contains "payload" if input.tenant == "a"`:                     `not "payload"`,
		`keep contains 5 if input.tenant == "a"`:                             "not a number",
		`keep contains "intent" if input.request.principal.tenant == "acme"`: "input.tenant and nothing else",
	} {
		set, err := Load(files("trace/a.rego", "package caio.trace\n\nimport rego.v1\n\n"+body+"\n"))
		var faults Faults
		if !errors.As(err, &faults) && err == nil {
			faults = set.Warnings()
		}
		if len(faults) != 1 || !strings.Contains(faults[0].GetMessage(), want) {
			t.Errorf("%s: %v", body, faults)
		}
	}
	set := load(t, "routing/a.rego", "package caio.routing.a\n\nimport rego.v1\n\ndeny contains \"x\" if input.tenant == \"acme\"\n")
	if w := set.Warnings(); len(w) != 1 || !strings.Contains(w[0].GetMessage(), "principal.tenant") {
		t.Errorf("%v", w)
	}
}
