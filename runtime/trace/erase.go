package trace

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// StatusErasure is the status of a trace that records the removal of others' bodies. Such a trace is never removed by
// itself.
const StatusErasure = "erasure"

// The reasons of an erasure.
const (
	ByRequest   = "request"
	ByRetention = "retention"
)

// An Erasure says which bodies are to be removed, why, and who wants it. All that is set must hold of a trace.
type Erasure struct {
	TraceID string    // this one; empty: no matter
	Tenant  string    // of this tenant; empty: every tenant's
	Subject string    // whose request this subject sent; empty: no matter
	Before  time.Time // whose request arrived before; zero: no matter
	Except  []string  // not of these tenants

	Reason    string            // ByRequest or ByRetention
	Principal *caiov1.Principal // who asked; nil: the server by itself
	Note      string            // why, as whoever asked said
}

// An Erasing is a removal as a storage does it.
type Erasing struct {
	TraceID   string       // of the trace that records it
	Sequences []uint64     // whose bodies are to be removed, ascending
	Record    func() error // writes that trace
}

// Erase removes the bodies of the traces that e selects and appends a trace that records it. It returns how many it
// removed and the id of that trace; 0 and "" if there was nothing to remove. What remains of a removed trace is its
// entry in the log, from which nothing of it can be found out. A crash leaves either everything as it was, or a removal
// that is recorded and is finished when the storage is opened again. ctx ends it only before it is recorded. ErrInvalid: e
// selects everything there is.
func (l *Log) Erase(ctx context.Context, now time.Time, rand io.Reader, e Erasure) (int, string, error) {
	if e.TraceID == "" && e.Tenant == "" && e.Subject == "" && e.Before.IsZero() {
		return 0, "", fmt.Errorf("erase traces: %w: say which", ErrInvalid)
	}
	if err := l.settle(ctx); err != nil {
		return 0, "", fmt.Errorf("erase traces: %w", err)
	}
	sequences, err := l.selected(ctx, e)
	if err != nil || len(sequences) == 0 {
		return 0, "", err
	}
	record, id, err := erasureRecord(now, rand, e, sequences, len(sequences))
	if err != nil {
		return 0, "", err
	}
	// The record is waited for whatever ctx says: one of which nobody knows whether it was written would tell of a removal
	// that was not made.
	err = l.storage.Erase(ctx, Erasing{id, sequences, func() error { return l.Append(context.WithoutCancel(ctx), record, Durable) }})
	l.watchers.forget()
	if err != nil {
		return 0, "", fmt.Errorf("erase traces: %w", err)
	}
	return len(sequences), id, nil
}

// erasureRecord returns the trace that records e.
func erasureRecord(now time.Time, rand io.Reader, e Erasure, sequences []uint64, count int) (*caiov1.Trace, string, error) {
	id, err := NewID(now, rand)
	if err != nil {
		return nil, "", err
	}
	record := &caiov1.Trace{TraceId: id, Time: timestamppb.New(now), Status: StatusErasure, Salt: make([]byte, 16), Erasure: &caiov1.Erasure{
		Reason: e.Reason, Ranges: rangesOf(sequences), Tenant: e.Tenant, Principal: e.Principal, Note: e.Note, Count: int64(count),
	}}
	if _, err := io.ReadFull(rand, record.Salt); err != nil {
		return nil, "", err
	}
	if e.Tenant != "" { // the tenant may see it
		record.Request = &caiov1.Request{Principal: &caiov1.Principal{Tenant: e.Tenant}}
	}
	return record, id, nil
}

// selected returns the positions of the traces that e selects, ascending.
func (l *Log) selected(ctx context.Context, e Erasure) (sequences []uint64, err error) {
	take := func(r *Record) error {
		if r.Status == StatusErasure || e.Tenant != "" && r.Tenant != e.Tenant || slices.Contains(e.Except, r.Tenant) ||
			!e.Before.IsZero() && !r.Time.Before(e.Before) {
			return nil
		}
		if e.Subject != "" {
			t := &caiov1.Trace{}
			if err := proto.Unmarshal(r.Raw, t); err != nil {
				return fmt.Errorf("trace %s: %w: %w", r.TraceID, ErrDamaged, err)
			}
			if t.GetRequest().GetPrincipal().GetSubject() != e.Subject {
				return nil
			}
		}
		sequences = append(sequences, r.Sequence)
		return nil
	}
	if e.TraceID != "" {
		r, err := l.storage.Get(ctx, e.TraceID)
		if err != nil {
			return nil, err
		}
		return sequences, take(r)
	}
	f := Filter{Tenant: e.Tenant, Until: e.Before, Limit: maxRead}
	for {
		records, err := l.storage.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if err := take(r); err != nil {
				return nil, err
			}
		}
		if len(records) < f.Limit {
			slices.Sort(sequences)
			return sequences, nil
		}
		last := records[len(records)-1].Position()
		f.Before = &last
	}
}

// rangesOf returns ascending positions as ranges.
func rangesOf(sequences []uint64) (ranges []*caiov1.Range) {
	for _, seq := range sequences {
		if n := len(ranges); n > 0 && ranges[n-1].Last+1 == seq {
			ranges[n-1].Last = seq
		} else {
			ranges = append(ranges, &caiov1.Range{First: seq, Last: seq})
		}
	}
	return ranges
}
