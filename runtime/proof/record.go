package proof

import (
	"strconv"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Record is what a service's past says of it at one moment: what enters its score, and stands in the decision as
// evidence. Every number is finite and >= 0. The zero Record is that of a service that was never executed.
type Record struct {
	Requests   float64 // executions, each counted by its age
	Failures   float64 // of them, those that brought no result or one that broke a guarantee
	Violations float64 // of Failures, those that brought a result

	// Quantiles of the latency of results, in milliseconds, true to 1/32 of themselves; 0: none is remembered. A result
	// that broke a guarantee is among them only if it came no faster than P95: no violation makes a service look faster.
	P50, P95, P99 float64

	MeanCost float64 // of an execution, in Currency
	Currency string  // empty: no cost is remembered
}

// Recorded returns the record that a candidate shows as h; nil is the zero Record.
func Recorded(h *caiov1.History) Record {
	return Record{
		Requests: h.GetRequests(), Failures: h.GetFailures(), Violations: h.GetViolations(),
		P50: h.GetP50LatencyMs(), P95: h.GetP95LatencyMs(), P99: h.GetP99LatencyMs(),
		MeanCost: h.GetMeanCost(), Currency: h.GetCurrency(),
	}
}

// HistoryDigest returns what Inputs.history of a decision among these candidates must be: the sha256, in hex, over the
// lines of those that show a history, in their order.
func HistoryDigest(candidates []*caiov1.Candidate) string {
	var lines []byte
	for _, c := range candidates {
		if c.GetHistory() != nil {
			r := Recorded(c.GetHistory())
			lines = r.AppendDigested(lines, c.GetServiceId())
		}
	}
	return schema.Digest(lines)
}

// AppendDigested appends the line of service's record in what Inputs.history is the digest of: the id, executions and
// failures, and by their names whichever other values are not zero. The lines stand in the order of the candidates. So
// the digest covers every value that a decision was made by, and a value that joins later leaves the digests of
// decisions without it as they were.
func (r *Record) AppendDigested(b []byte, service string) []byte {
	b = append(b, service...)
	b = strconv.AppendFloat(append(b, ' '), r.Requests, 'g', -1, 64)
	b = strconv.AppendFloat(append(b, ' '), r.Failures, 'g', -1, 64)
	for _, v := range [...]struct {
		name  string
		value float64
	}{{"violations", r.Violations}, {"p50", r.P50}, {"p95", r.P95}, {"p99", r.P99}, {"cost", r.MeanCost}} {
		if v.value != 0 {
			b = append(append(append(b, ' '), v.name...), '=')
			b = strconv.AppendFloat(b, v.value, 'g', -1, 64)
		}
	}
	if r.Currency != "" {
		b = append(append(b, " currency="...), r.Currency...)
	}
	return append(b, '\n')
}
