package policy

import (
	"testing"

	"github.com/smarthausgroup/caio/policies"
)

func TestDefaultPoliciesPassTheirTests(t *testing.T) {
	report, err := Test(t.Context(), policies.FS(), TestOptions{Coverage: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Tests {
		if r.Outcome != "pass" {
			t.Errorf("%s:%d: %s.%s: %s %s %s %s", r.File, r.Line, r.Package, r.Name, r.Outcome, r.FailedAt, r.Error, r.Output)
		}
	}
	if len(report.Tests) < 50 {
		t.Errorf("%d tests; the defaults have more", len(report.Tests))
	}
	if report.Coverage.Percent < 95 {
		t.Errorf("tests reach %.1f %% of the default policies: %v", report.Coverage.Percent, report.Coverage.Missed)
	}
	t.Logf("%.1f %%, missed %v", report.Coverage.Percent, report.Coverage.Missed)
}

func TestDefaultPoliciesAreFormattedAndWithoutWarnings(t *testing.T) {
	set, err := Load(policies.FS())
	if err != nil {
		t.Fatal(err)
	}
	if w := set.Warnings(); len(w) > 0 {
		t.Errorf("warnings:\n%v", Faults(w))
	}
	if missing := set.Uncovered(); len(missing) > 0 {
		t.Errorf("the default policies do not cover %v", missing)
	}
	for _, r := range set.Rules() {
		if r.Title == "" {
			t.Errorf("%s:%d has no title", r.File, r.Line)
		}
	}
	tree, err := readTree(policies.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(tree.modules, tree.tests...) {
		formatted, err := Format(f.path, f.content)
		if err != nil {
			t.Error(err)
		} else if string(formatted) != string(f.content) {
			t.Errorf("%s is not formatted", f.path)
		}
	}
}
