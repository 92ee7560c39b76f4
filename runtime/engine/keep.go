package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
)

// LoadHistory returns the history as st keeps it, decaying by halfLife as in NewHistory. What is damaged or was written
// by a later release is left out and named in rejected; err tells that the store cannot be read. A past that claims to
// be later than now is taken to be of now.
func LoadHistory(ctx context.Context, st *store.Store, halfLife time.Duration, now time.Time) (h *History, rejected []error, err error) {
	records, rejected, err := st.History(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("load the history: %w", err)
	}
	h = NewHistory(halfLife)
	for i := range records {
		r := &records[i]
		p := &past{sums: sums{
			at: min(r.Time.UnixNano(), now.UnixNano()), requests: r.Requests, failures: r.Failures, violations: r.Violations,
			priced: r.Priced, meanCost: r.MeanCost, currency: r.Currency,
		}}
		if len(r.Latencies) > 0 {
			p.sums.latencies = new(latencies)
		}
		for _, c := range r.Latencies {
			// A later release may know more buckets: the last is as far as this one sees.
			p.sums.latencies[min(int(c.Bucket), len(latencies{})-1)] += c.N
		}
		p.publish()
		h.services.Store(r.ID, p)
	}
	return h, rejected, nil
}

// saveEvery is how much of the history a crash may cost.
const saveEvery = time.Minute

// Keep saves h in st every minute, until ctx ends, and then once more. A save that fails is logged and made up for by
// the next.
func (h *History) Keep(ctx context.Context, st *store.Store, log *slog.Logger) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			running = false
		}
		if err := h.Save(context.WithoutCancel(ctx), st); err != nil {
			log.WarnContext(ctx, "history not saved", "error", err)
		}
	}
}

// Save writes what changed since the last Save. What was not written when it fails is written by the next. One Save
// runs at a time.
func (h *History) Save(ctx context.Context, st *store.Store) error {
	var changed []string
	h.services.Range(func(service, p any) bool {
		if p.(*past).isChanged() {
			changed = append(changed, service.(string))
		}
		return true
	})
	const most = 100 // in one transaction
	for group := range slices.Chunk(changed, most) {
		if err := h.saveGroup(ctx, st, group); err != nil {
			return err
		}
	}
	return nil
}

// saveGroup writes the pasts of a few services. While it runs no past ends: what is written here is of a service that
// is stored, or is not written at all, and a service that takes the name of a removed one finds nothing of it.
func (h *History) saveGroup(ctx context.Context, st *store.Store, services []string) error {
	h.saving.Lock()
	defer h.saving.Unlock()
	records := make([]store.HistoryRecord, 0, len(services))
	for _, service := range services {
		if p := h.find(service); p != nil {
			records = append(records, p.record(service))
		}
	}
	err := st.SaveHistory(ctx, records)
	if err != nil {
		for _, r := range records {
			h.find(r.ID).setChanged()
		}
	}
	return err
}

// record returns p as it is stored, and takes it for saved.
func (p *past) record(service string) store.HistoryRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = false
	s := &p.sums
	r := store.HistoryRecord{
		ID: service, Time: time.Unix(0, s.at), Requests: s.requests, Failures: s.failures, Violations: s.violations,
		Priced: s.priced, MeanCost: s.meanCost, Currency: s.currency,
	}
	if s.latencies != nil {
		for i, n := range s.latencies {
			if n >= negligible {
				r.Latencies = append(r.Latencies, store.Count{Bucket: uint32(i), N: n})
			}
		}
	}
	return r
}

func (p *past) isChanged() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *past) setChanged() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
}
