package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/examples/requests"
	"github.com/smarthausgroup/caio/examples/services"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestEveryRequestHasItsStoryAndEveryStoryItsRequest(t *testing.T) {
	files, err := fs.Glob(requests.FS, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range told {
		names = append(names, s.name)
		request, err := load(s.name)
		if err != nil {
			t.Error(err)
			continue
		}
		if !request.GetPrincipal().GetAuthenticated() || request.GetPrincipal().GetSubject() == "" {
			t.Errorf("%s: nobody asks", s.name)
		}
		if !strings.Contains(string(readme), "`"+s.name+"`") {
			t.Errorf("%s: examples/README.md does not tell it", s.name)
		}
	}
	slices.Sort(names)
	for i, file := range files {
		files[i] = strings.TrimSuffix(file, ".json")
	}
	if !slices.Equal(names, files) {
		t.Errorf("stories %v, requests %v", names, files)
	}
}

func TestStoriesSpeakOfServicesThatThereAre(t *testing.T) {
	all, err := services.All()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"": true}
	for _, s := range all {
		known[s.ServiceID] = true
	}
	for _, s := range told {
		if (s.chosen == "") == (s.code == "") {
			t.Errorf("%s: either somebody answers or there is an error", s.name)
		}
		for _, id := range append([]string{s.chosen}, s.tried...) {
			if !known[id] {
				t.Errorf("%s: there is no service %q", s.name, id)
			}
		}
		for id := range s.fell {
			if !known[id] {
				t.Errorf("%s: there is no service %q", s.name, id)
			}
		}
	}
}

func TestAStoryThatGoesAnotherWayIsNoticed(t *testing.T) {
	s := story{name: "x", chosen: "a", tried: []string{"b"}, rule: "R-1", fell: map[string]string{"c": "budget", "d": "rule"}}
	response := &caiov1.OrchestrateResponse{
		ServiceId: "e", TraceId: "1", Attempts: []*caiov1.Attempt{{ServiceId: "e"}},
		Decision: &caiov1.Decision{Candidates: []*caiov1.Candidate{{ServiceId: "c", Outcome: "latency"}}},
	}
	r := s.answered(response)
	for _, want := range []string{`service: "e"`, `services tried before: "[]"`, `outcome of c: "latency"`, "d was not considered", "no reason names R-1"} {
		if !slices.ContainsFunc(r.wrong, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("%q is not among %q", want, r.wrong)
		}
	}
	refused := s.refused(&caiov1.Error{Code: "INTERNAL", Message: "no"})
	for _, want := range []string{`service: "", want "a"`, `code: "INTERNAL"`, "left no trace"} {
		if !slices.ContainsFunc(refused.wrong, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("%q is not among %q", want, refused.wrong)
		}
	}
	var out strings.Builder
	if err := verdict(&out, []row{{name: "x"}, r}); err == nil || !strings.Contains(err.Error(), "x: ") {
		t.Errorf("verdict: %v", err)
	}
	if err := verdict(&out, []row{{name: "x"}}); err != nil {
		t.Error(err)
	}
}

func TestAnErrorIsToldByWhatTheLastCandidatesFellOver(t *testing.T) {
	e := &caiov1.Error{Stage: "security", Message: "no service can serve", Candidates: []*caiov1.Candidate{
		{ServiceId: "a", Outcome: "guarantee", Reasons: []*caiov1.Reason{{Message: "too slow"}}},
		{ServiceId: "b", Outcome: "security", Reasons: []*caiov1.Reason{{Message: "not trusted"}}},
	}}
	if got := reasonOf(e); got != "not trusted" {
		t.Errorf("%q", got)
	}
	e.Candidates = append(e.Candidates, e.Candidates[1])
	if got := reasonOf(e); got != "not trusted (and 1 more)" {
		t.Errorf("%q", got)
	}
	if got := reasonOf(&caiov1.Error{Message: "nobody offers it"}); got != "nobody offers it" {
		t.Errorf("%q", got)
	}
}

func TestRowsStandInColumns(t *testing.T) {
	var out strings.Builder
	err := table(&out, []row{
		{name: "fast", chosen: "detect-fast", why: "the only one left", latencyMS: 1.25, traceID: "aa"},
		{name: "unauthorized", chosen: "-", why: strings.Repeat("ä", 100) + "\nend", traceID: "bb"},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "1.2 ms") || !strings.HasSuffix(lines[2], "  -        bb") {
		t.Errorf("%s", out.String())
	}
	column := func(line, word string) int { return len([]rune(line[:strings.Index(line, word)])) }
	if column(lines[0], "TRACE") != column(lines[1], "aa") || column(lines[0], "TRACE") != column(lines[2], "bb") {
		t.Errorf("traces do not stand below one another:\n%s", out.String())
	}
}

func TestAKeyGoesToItsOwnServerAndNeverInTheClear(t *testing.T) {
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	for name, test := range map[string]struct {
		env      map[string]string
		environ  []string
		contains []string
		err      string
	}{
		"nothing": {},
		"key alone": {map[string]string{"OPENAI_API_KEY": "k"},
			[]string{"CAIO_SECRET_OPENAI=k", "CAIO_SECRET_OPENAI_HOSTS=api.openai.com"},
			[]string{`base_url: "https://api.openai.com/v1"`, "auth: {scheme: bearer, secret: openai}", "data_locality: cloud"}, ""},
		"on this machine, no key": {map[string]string{"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1/", "OPENAI_MODEL": "tiny"},
			nil, []string{`base_url: "http://127.0.0.1:11434/v1"`, "data_locality: local", `model: "tiny"`}, ""},
		"on this machine, key": {map[string]string{"OPENAI_BASE_URL": "http://localhost:1/v1", "OPENAI_API_KEY": "k"},
			[]string{"CAIO_SECRET_OPENAI=k", "CAIO_SECRET_OPENAI_HOSTS=localhost:1"}, []string{"secret: openai"}, ""},
		"key in the clear": {map[string]string{"OPENAI_BASE_URL": "http://example.com/v1", "OPENAI_API_KEY": "k"}, nil, nil, "in the clear"},
		"no address":       {map[string]string{"OPENAI_BASE_URL": "example.com"}, nil, nil, "is not the address"},
	} {
		t.Run(name, func(t *testing.T) {
			chat, err := chatFromEnv(env(test.env))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want ...%s...", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := chat.environ(); !slices.Equal(got, test.environ) {
				t.Errorf("environment %v, want %v", got, test.environ)
			}
			if (chat == nil) != (len(test.env) == 0) {
				t.Fatalf("%+v", chat)
			}
			if chat == nil {
				return
			}
			contract := string(chat.contract())
			for _, want := range test.contains {
				if !strings.Contains(contract, want) {
					t.Errorf("the contract lacks %q:\n%s", want, contract)
				}
			}
			if strings.Contains(contract, "secret: openai") != (test.env["OPENAI_API_KEY"] != "") {
				t.Errorf("the contract and the key disagree:\n%s", contract)
			}
		})
	}
}

func TestEveryWorkflowHasItsStoryAndEveryStoryItsWorkflow(t *testing.T) {
	files, err := filepath.Glob("../workflows/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range chains {
		names = append(names, "../workflows/"+c.name+".yaml")
		if !strings.Contains(string(readme), "`"+c.name+"`") {
			t.Errorf("%s: examples/README.md does not tell it", c.name)
		}
	}
	if slices.Sort(names); !slices.Equal(names, files) {
		t.Errorf("stories %v, workflows %v", names, files)
	}
}

func TestAWorkflowThatGoesAnotherWayIsNoticed(t *testing.T) {
	c := chain{"x", []string{"a=one"}, "a", "eng"}
	r := c.ran(&caiov1.WorkflowServiceRunResponse{Status: "failed", Steps: []*caiov1.StepResult{{Id: "a", ServiceId: "two"}}})
	for _, want := range []string{`status: "failed"`, `services: "[a=two]", want "[a=one]"`, `language: ""`} {
		if !slices.ContainsFunc(r.wrong, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("%q is not among %q", want, r.wrong)
		}
	}
}
