package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestAnAddressMayBeShort(t *testing.T) {
	for given, want := range map[string]string{
		"127.0.0.1:7400":             "http://127.0.0.1:7400",
		"https://caio.example.com/":  "https://caio.example.com",
		"http://gateway/caio":        "http://gateway/caio",
		"ftp://caio.example.com":     "",
		"http://":                    "",
		"http://caio.example.com:no": "",
	} {
		got, err := (&remote{server: given}).address()
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v, want %q", given, got, err, want)
		}
	}
}

func TestStrangersDoNotCommandTheTerminal(t *testing.T) {
	// Clears the screen, renames the window, moves up: what a contract or an answer might hold.
	hostile := "fine\x1b[2J\x1b]0;root\x07\u009b1A\rfine"
	for name, got := range map[string]string{"printable": printable(hostile), "cell": cell(hostile), "text": printableText(hostile)} {
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%s: %q holds %q", name, got, r)
			}
		}
	}
	if got := printableText("a\tb\nc"); got != "a\tb\nc" {
		t.Errorf("tabs and lines are gone: %q", got)
	}
	if got := cell("a\tb\n c"); got != "a b c" {
		t.Errorf("a cell of several lines: %q", got)
	}
}

func TestTheExitCodeTellsANoFromAFailure(t *testing.T) {
	p := &peer{address: "http://caio.test"}
	for code, want := range map[string]int{
		"RULE_VIOLATION": exitRefused, "SERVICE_NOT_FOUND": exitRefused, "INVALID_CONTRACT": exitRefused, "PERMISSION_DENIED": exitRefused,
		"EXECUTION_FAILED": exitFailed, "UNAUTHENTICATED": exitFailed, "TIMEOUT": exitFailed, "INTERNAL": exitFailed,
	} {
		wire := connect.NewError(connect.CodeUnknown, errors.New("x"))
		detail, err := connect.NewErrorDetail(&caiov1.Error{Code: code, Stage: "s", Message: "m", Hint: "h", TraceId: "t"})
		if err != nil {
			t.Fatal(err)
		}
		wire.AddDetail(detail)
		var coded *exitError
		if err := p.explain(wire); !errors.As(err, &coded) || coded.code != want {
			t.Errorf("%s: %v, want exit code %d", code, err, want)
		} else if text := err.Error(); text != "s: m ["+code+"]\n  trace: caio trace get t\n  next: h" {
			t.Errorf("%s reads %q", code, text)
		}
	}
}

func TestMomentsAreAbsoluteOrAgo(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for given, want := range map[string]string{
		"90s": "2026-11-22T11:58:30Z", "2h": "2026-11-22T10:00:00Z", "2026-01-02T03:04:05+01:00": "2026-01-02T02:04:05Z",
	} {
		got, err := moment("--since", given, now)
		if err != nil || got.AsTime().Format(time.RFC3339) != want {
			t.Errorf("%q: got %v, %v, want %s", given, got, err, want)
		}
	}
	if got, err := moment("--since", "", now); got != nil || err != nil {
		t.Errorf("nothing: got %v, %v", got, err)
	}
	if _, err := moment("--since", "yesterday", now); err == nil || !strings.Contains(err.Error(), "--since") {
		t.Errorf("yesterday: %v", err)
	}
}

func TestTheFunnelAddsUp(t *testing.T) {
	score := 0.5
	var out strings.Builder
	err := showFunnel(&out, &caiov1.Decision{
		Unlisted: 7, Ranking: []string{"a"},
		Candidates: []*caiov1.Candidate{
			{ServiceId: "a", Outcome: "selected", Score: &score},
			{ServiceId: "b", Outcome: "rule", Reasons: []*caiov1.Reason{{Rule: "X-1", Message: "no", File: "routing/x.rego", Line: 3}}},
			{ServiceId: "c", Outcome: "latency", Reasons: []*caiov1.Reason{{Message: "slow"}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"STEP LEFT SERVICE WHY", "registry 10", "capability 3", "(7 more) offer nothing of what is asked", "guarantee 3", "constraint 3",
		"rule 2", "b no (X-1, routing/x.rego:3)", "security 2", "budget 2", "latency 1", "c slow", "chosen 1 a score 0.500",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAStrangerWhoSaysNothingIsNamedByWhatHeDid(t *testing.T) {
	p := &peer{address: "http://127.0.0.1:9"}
	err := p.explain(connect.NewError(connect.CodeUnimplemented, errors.New("")))
	if err == nil || !strings.Contains(err.Error(), "as a CAIO server does: unimplemented\n") {
		t.Errorf("got %v", err)
	}
}
