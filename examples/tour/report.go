package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// widest is how much of a reason a row shows; the trace has it all.
const widest = 88

func table(w io.Writer, rows []row) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "REQUEST\tSERVICE\tWHY\tLATENCY\tTRACE")
	for _, r := range rows {
		latency := "-" // nothing was executed
		if r.latencyMS > 0 {
			latency = fmt.Sprintf("%.1f ms", r.latencyMS)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", r.name, r.chosen, shorten(r.why), latency, r.traceID)
	}
	return tw.Flush()
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= widest {
		return s
	}
	return string([]rune(s)[:widest-1]) + "…"
}

// verdict says whether every story went as it should. The error lists those that did not.
func verdict(w io.Writer, rows []row) error {
	var wrong []string
	for _, r := range rows {
		for _, line := range r.wrong {
			wrong = append(wrong, fmt.Sprintf("%s: %s (trace %s)", r.name, line, r.traceID))
		}
	}
	if len(wrong) > 0 {
		return errors.New("not every story went as examples/README.md tells it:\n  " + strings.Join(wrong, "\n  "))
	}
	fmt.Fprintf(w, "\nAll %d went as examples/README.md tells them.\n", len(rows))
	return nil
}

// nextSteps prints commands that work as they stand, in another terminal, in the repository's root.
func nextSteps(w io.Writer, o options, h *house, rows []row) {
	trace := rows[0].traceID
	for _, r := range rows {
		if r.name == "second-opinion" {
			trace = r.traceID
		}
	}
	fmt.Fprintf(w, "\nTry, in another terminal:\n\n")
	if h.url != "http://"+defaultAddr {
		fmt.Fprintf(w, "  export CAIO_SERVER=%s\n", h.url)
	}
	for _, command := range []string{
		"export CAIO_TOKEN=$(cat " + h.tokenFile() + ")",
		o.caio + " trace get " + trace,
		o.caio + " trace list",
		o.caio + " service list",
		o.caio + " workflow decide --file " + workflowsDir + "/opinions.yaml",
		o.caio + " decide --contracts examples/contracts --request examples/requests/batch.json --policy-overlay " + o.policies,
		"curl -s " + h.url + `/caio.v1.OrchestratorService/Orchestrate -H "Authorization: Bearer $CAIO_TOKEN" \` + "\n" +
			`    -H 'Content-Type: application/json' -d '{"request": {"capabilities": ["language_detection"],` + "\n" +
			`    "intent": {"payload": {"text": "Hol van az állomás?"}}}}'`,
	} {
		fmt.Fprintln(w, "  "+command)
	}
	fmt.Fprintf(w, "\nEverything stays up until Ctrl-C.\n")
}
