package policy

import (
	"context"
	"errors"
	"strings"
	"testing"
)

const tested = `package caio.routing.a

deny contains "cloud" if input.service.privacy.data_locality == "cloud"

deny contains sprintf("%v", [input.service.cost.per_request]) if input.request.match == "any"

deny contains "never reached" if input.request.match == "all"
`

func TestTestsTellWhichFailedAndWhere(t *testing.T) {
	report, err := Test(t.Context(), files("routing/a.rego", tested, "routing/a_test.rego", `package caio.routing.a_test

import data.caio.routing.a

test_passes if {
	"cloud" in a.deny with input as {"service": {"privacy": {"data_locality": "cloud"}}}
}

test_fails if {
	print("looking at", count(a.deny))
	"local" in a.deny with input as {"service": {"privacy": {"data_locality": "local"}}}
}

test_in_error if 1 / 0 == 1

todo_test_later if false

test_means_what_service_means if {
	count(a.deny) == 1 with input as {"request": {"match": "any"}, "service": {}}
}
`), TestOptions{Coverage: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range report.Tests {
		got = append(got, r.Name+":"+r.Outcome)
	}
	if text := strings.Join(got, " "); text != "test_passes:pass test_fails:fail test_in_error:error todo_test_later:skip test_means_what_service_means:pass" {
		t.Errorf("got %s", text)
	}
	if report.Failed() != 2 {
		t.Errorf("%d failed", report.Failed())
	}
	failed := report.Tests[1]
	if failed.FailedAt != `routing/a_test.rego:11: "local" in a.deny with input as {"service": {"privacy": {"data_locality": "local"}}}` || failed.File != "routing/a_test.rego" || failed.Line != 9 || !strings.Contains(failed.Output, "looking at") {
		t.Errorf("got %+v", failed)
	}
	if !strings.Contains(report.Tests[2].Error, "divide by zero") {
		t.Errorf("got %+v", report.Tests[2])
	}
	if c := report.Coverage; c == nil || c.Percent >= 100 || c.Percent < 50 || len(c.Files) != 1 || len(c.Missed) != 1 || c.Missed[0] != "routing/a.rego:7" {
		t.Errorf("coverage: %+v", report.Coverage)
	}
}

func TestTestsAreChosenByName(t *testing.T) {
	tree := files("a_test.rego", "package a_test\n\ntest_one if true\n\ntest_two if true\n")
	report, err := Test(t.Context(), tree, TestOptions{Run: "a_test.test_t"})
	if err != nil || len(report.Tests) != 1 || report.Tests[0].Name != "test_two" {
		t.Errorf("got %+v, %v", report, err)
	}
	if _, err := Test(t.Context(), tree, TestOptions{Run: "("}); err == nil {
		t.Error("a broken pattern was taken")
	}
}

func TestTestsThatDoNotCompileAreFaults(t *testing.T) {
	_, err := Test(t.Context(), files("routing/a.rego", tested, "a_test.rego", "package a_test\n\ntest_one if missing(1)\n\ntest_two if http.send({})\n"), TestOptions{})
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 2 || faults[0].GetFile() != "a_test.rego" || faults[0].GetLine() != 3 {
		t.Errorf("got %v", err)
	}
}

func TestTestsEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Test(ctx, files("a_test.rego", "package a_test\n\ntest_one if true\n"), TestOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFormattingIsStableAndKeepsTheMeaning(t *testing.T) {
	for name, source := range map[string]string{
		"plain":      "package caio.routing.a\ndeny contains \"x\" if{not input.service.name in {\"a\"}}",
		"v1":         "package caio.routing.a\nimport rego.v1\ndeny contains \"x\" if   not input.service.name in {\"a\"}",
		"v2":         "package caio.routing.a\nimport rego.v2\ndeny contains \"x\" if   input.a or not input.service.name in {\"a\"}",
		"not bodies": "package caio.routing.a\ndeny contains \"x\" if { not { a := input.service.name; a == \"b\" } }",
	} {
		t.Run(name, func(t *testing.T) {
			once, err := Format("a.rego", []byte(source))
			if err != nil {
				t.Fatal(err)
			}
			twice, err := Format("a.rego", once)
			if err != nil || string(twice) != string(once) {
				t.Errorf("once:\n%s\ntwice:\n%s\n%v", once, twice, err)
			}
			if v := route(t, load(t, "a.rego", string(once)), nil, `{}`); len(v.Rule) != 1 {
				t.Errorf("the formatted rule no longer refuses:\n%s", once)
			}
		})
	}
}

func TestFormatTellsWhyItCannot(t *testing.T) {
	_, err := Format("x/a.rego", []byte("package a\n\ndeny contains \"x\" {\n\ttrue\n}\n"))
	var faults Faults
	if !errors.As(err, &faults) || faults[0].GetFile() != "x/a.rego" || faults[0].GetLine() != 3 {
		t.Errorf("got %v", err)
	}
}
