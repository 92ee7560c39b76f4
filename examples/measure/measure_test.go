package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/examples/services"
)

// Latency is left to `measure -check`: it depends on the machine, accuracy does not.
func TestEveryContractPromisesWhatIsMeasured(t *testing.T) {
	all, err := services.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		result := judged(t, s)
		for _, untrue := range result.untrue() {
			t.Error(untrue)
		}
		if s.AccuracyMin == 0 {
			continue
		}
		// A promise far below is true and useless: nobody would find the service.
		if result.Accuracy-s.AccuracyMin > 0.02 {
			t.Errorf("%s promises %.2f and keeps %.4f: promise more", s.ServiceID, s.AccuracyMin, result.Accuracy)
		}
		if stated := fmt.Sprintf("measured: %.3f", result.Accuracy); !strings.Contains(string(s.Source), stated) {
			t.Errorf("the comment in %s should say %q", s.File, stated)
		}
	}
}

func judged(t *testing.T, s services.Service) Result {
	t.Helper()
	result := Result{Service: s.ServiceID, Promised: Promise{Accuracy: s.AccuracyMin}}
	if err := result.judge(t.Context(), s.New()); err != nil {
		t.Fatal(err)
	}
	return result
}

func TestAnUntruePromiseIsNamed(t *testing.T) {
	latency := Latency{P50: 1, P95: 2, P99: 3}
	boaster := Result{Service: "boaster", Accuracy: 0.9, Sentences: latency, Pages: Latency{P95: 20}, Promised: Promise{Accuracy: 0.99, P95: 10}}
	modest := Result{Service: "modest", Accuracy: 0.9, Sentences: latency, Pages: latency, Promised: Promise{Accuracy: 0.9, P95: 2}}
	silent := Result{Service: "silent", Sentences: latency, Pages: latency}

	var out strings.Builder
	err := verdict(&out, []Result{modest, boaster, silent}, false)
	if err == nil {
		t.Fatal("nothing was found untrue")
	}
	for _, want := range []string{"boaster promises an accuracy of 0.9900, measured are 0.9000", "boaster promises a p95 latency of 10 ms, measured are 20.00 ms"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "modest") || strings.Contains(err.Error(), "silent") {
		t.Errorf("%q blames those who keep their word", err)
	}
	if err := verdict(&out, []Result{modest, silent}, false); err != nil || !strings.Contains(out.String(), "all 2 contracts") {
		t.Errorf("%v %s", err, &out)
	}
}

func TestTheWeakestLanguagesAreNamedFirst(t *testing.T) {
	got := strings.Join(weak(map[string]int{"eng": 30, "dan": 17, "srp": 0, "nob": 24, "afr": 0}, 30), ", ")
	if want := "afr 0 %, srp 0 %, dan 56 %"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
