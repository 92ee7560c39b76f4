package engine

import (
	"strconv"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
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

// enough is how many results, counted by their age, must stand behind an observed latency for it to be believed: the 95th
// percentile of fewer is hardly more than the slowest of them.
const enough = 10

// latency returns by what latency, in milliseconds, a service that promises promised is measured: the larger of that and
// the 95th percentile of what was observed. A service gains nothing by being faster than it promises, for a promise is
// what a caller can hold it to; being slower costs it at once.
func (r *Record) latency(promised float64) float64 {
	if r.Requests-r.Failures+r.Violations < enough {
		return promised
	}
	return max(promised, r.P95)
}

// Past tells what is known of a service's executions. It is called once for each service that is scored.
type Past func(service string) Record

// NoPast knows nothing of any service.
func NoPast(string) Record { return Record{} }

// RecordedPast returns the past as d's candidates recorded it: with it, the decision can be made again long after the
// history has moved on.
func RecordedPast(d *caiov1.Decision) Past {
	records := make(map[string]Record, len(d.GetRanking()))
	for _, candidate := range d.GetCandidates() {
		if h := candidate.GetHistory(); h != nil {
			records[candidate.GetServiceId()] = recorded(h)
		}
	}
	return func(service string) Record { return records[service] }
}

// write writes r as a decision shows it, a History. What is zero is absent, but for the counts that every history has.
func (r *Record) write(w *wire.Writer) {
	if r.Currency != "" {
		w.String(8, r.Currency)
		w.PresentDouble(7, r.MeanCost)
	}
	w.Double(6, r.P99)
	w.Double(5, r.P95)
	w.Double(4, r.P50)
	w.Double(3, r.Violations)
	w.Double(2, r.Failures)
	w.Double(1, r.Requests)
}

// recorded is the inverse of write.
func recorded(h *caiov1.History) Record {
	return Record{
		Requests: h.GetRequests(), Failures: h.GetFailures(), Violations: h.GetViolations(),
		P50: h.GetP50LatencyMs(), P95: h.GetP95LatencyMs(), P99: h.GetP99LatencyMs(),
		MeanCost: h.GetMeanCost(), Currency: h.GetCurrency(),
	}
}

// appendDigested appends the line of service's record in what Inputs.history is the digest of: the id, executions and
// failures, and by their names whichever other values are not zero. The lines stand in the order of the candidates. So
// the digest covers every value that a decision was made by, and a value that joins later leaves the digests of
// decisions without it as they were.
func (r *Record) appendDigested(b []byte, service string) []byte {
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
