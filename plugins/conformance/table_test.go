package conformance

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/providers.md anew")

// tableFile is where the table stands.
const tableFile = "../../docs/providers.md"

// A table tells of every provider what was tried.
type table []*report

// A report is a provider's part of it.
type report struct {
	provider Provider
	there    int             // exchanges
	tried    int             // of them; fewer where go test was told to run only some
	rows     map[string]*row // by kind of exchange
	broken   broken
}

// A row counts what became of a kind of exchanges.
type row struct {
	exchanges int
	valid     int // requests that the specification allows
	sent      int // requests that were made, with no specification to hold them against
	refused   int // requests that the adapter refused to make, as the provider did
	results   int // answers read right, streams among them
	streams   int
	frames    int
	errors    int // errors classified right
	skips     map[string]int
}

func newReport(p Provider) *report { return &report{provider: p, rows: map[string]*row{}} }

func (r *report) row(kind string) *row {
	if r.rows[kind] == nil {
		r.rows[kind] = &row{skips: map[string]int{}}
	}
	return r.rows[kind]
}

func (r *row) skip(why string) { r.skips[why]++ }

// hold compares the table with the one in the documentation, or writes it there: of each provider that was tried as a whole its
// section, and of all together that there are no others.
func (t table) hold(test *testing.T) {
	test.Helper()
	written := sections(test)
	now := map[string]string{}
	for _, p := range All() {
		now[p.Name] = written[p.Name]
	}
	for _, r := range t {
		if r.tried == r.there {
			now[r.provider.Name] = r.markdown()
		}
	}
	text := preamble
	for _, name := range slices.Sorted(maps.Keys(now)) {
		text += now[name]
	}
	if *update {
		if err := os.WriteFile(tableFile, []byte(text), 0o644); err != nil {
			test.Fatal(err)
		}
		return
	}
	if raw, err := os.ReadFile(tableFile); err != nil || string(raw) != text {
		test.Errorf("docs/providers.md is not current: run 'go test -run TestProviders -update .' in plugins/conformance and commit it (%v)", err)
	}
}

// sections returns what is written of each provider.
func sections(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(tableFile)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i, text := range strings.Split(string(raw), sectionMark) {
		if name, _, _ := strings.Cut(text, "\n"); i > 0 {
			all[name] = sectionMark + text
		}
	}
	return all
}

// sectionMark is what a provider's section begins with.
const sectionMark = "\n## "

const preamble = `# Providers: what was checked against what

Written by the tests of plugins/conformance; do not edit. They play every recorded exchange of a provider to its adapter, as
the host would, and compare what comes out with values that a second reader takes from the recording.

- **requests**: recorded requests, asked again as an intent in the normal form. "valid": what the adapter then sends is allowed by the
  specification named in the heading. "made": there is no specification to hold it against.
- **answers**: text, tool calls, thoughts, usage, finish reason, vectors, and so on are those of the recording.
- **streams**: of the answers, those in frames: played whole, in pieces of 1 and of 7 bytes, and cut short after every frame.
- **errors**: answers that must fail, and do, with the reason that the provider meant.

No provider is called conformant here: where its specification is derived, third-party or absent, valid means no more than that.
`

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n\nAdapter `%s`, contract `%s`, held against: %s.\n", sectionMark, r.provider.Name, r.provider.Adapter.Info().Name, r.provider.Contract, r.provider.Evidence)
	if r.there == 0 {
		b.WriteString("No exchange is recorded.\n")
		return b.String()
	}
	if n := r.broken.tried; n > 0 {
		fmt.Fprintf(&b, "Of %d valid requests broken on purpose, the specification refuses %d with a field removed, and %d with a field of another type.\n", n, r.broken.removed, r.broken.mistyped)
	}
	b.WriteString("\n| capability | exchanges | requests | answers | streams (frames) | errors | not tried |\n|---|--:|--:|--:|--:|--:|---|\n")
	for _, kind := range slices.Sorted(maps.Keys(r.rows)) {
		row := r.rows[kind]
		fmt.Fprintf(&b, "| %s | %d | %s | %d | %s | %d | %s |\n", kind, row.exchanges, row.requests(), row.results, row.framed(), row.errors, row.skipped())
	}
	return b.String()
}

func (r *row) requests() string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{r.valid, "valid"}, {r.sent, "made"}, {r.refused, "refused, as the provider did"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *row) framed() string {
	if r.streams == 0 {
		return ""
	}
	return fmt.Sprintf("%d (%d)", r.streams, r.frames)
}

func (r *row) skipped() string {
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(r.skips)) {
		parts = append(parts, fmt.Sprintf("%d: %s", r.skips[why], why))
	}
	return strings.Join(parts, "; ")
}
