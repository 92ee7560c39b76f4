package engine

import (
	"github.com/smarthausgroup/caio/runtime/internal/wire"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Record is what a service's past says of it at one moment, in the terms of proof.Record: what enters its score, and
// stands in the decision as evidence. The zero Record is that of a service that was never executed.
type Record proof.Record

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
func recorded(h *caiov1.History) Record { return Record(proof.Recorded(h)) }

// appendDigested appends the line of service's record in what Inputs.history is the digest of.
func (r *Record) appendDigested(b []byte, service string) []byte {
	return (*proof.Record)(r).AppendDigested(b, service)
}
