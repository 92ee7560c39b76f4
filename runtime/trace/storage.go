package trace

import (
	"context"
	"slices"
	"time"
)

// Storage keeps records. Implementations: [Memory], and the Badger store's. Package tracetest holds the test that every
// implementation must pass.
//
// It has four methods instead of the usual three because the writer's side needs two: where to go on, and the write.
type Storage interface {
	// Next returns the sequence that the next record must have: 0 for an empty storage.
	Next(ctx context.Context) (uint64, error)

	// Append writes the group whole or not at all and returns once it is durable. Sequences ascend by one and begin
	// at Next. Records are not changed afterwards and may be kept.
	//
	// An error must be ErrTooLarge, ErrExists (a trace id is stored already, or twice in the group) or ErrRefused, by
	// errors.Is, if and only if it is certain that nothing was written. After any other error the log stops. The
	// log never calls it twice at the same time.
	Append(ctx context.Context, group []Record) error

	// Get returns the record with that trace id, or ErrNotFound. Safe for concurrent use, also with Append.
	Get(ctx context.Context, traceID string) (*Record, error)

	// List returns the records that f selects, newest position first, at most f.Limit of them. Safe for concurrent
	// use, also with Append; a record is seen by List when it is seen by Get.
	List(ctx context.Context, f Filter) ([]*Record, error)
}

// A Filter selects records; everything that is set must hold. It is what a storage sees of a [Query].
type Filter struct {
	Since   time.Time // not before; zero: no matter
	Until   time.Time // before; zero: no matter
	Tenant  string    // empty: every tenant
	Service string    // one of Record.Services; empty: no matter
	Status  string    // empty: no matter
	Before  *Position // older than this; nil: no matter
	Limit   int       // at least 1
}

// Selects tells whether f selects r; Limit has no part in it.
func (f *Filter) Selects(r *Record) bool {
	return (f.Since.IsZero() || !r.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Time.Before(f.Until)) &&
		(f.Tenant == "" || r.Tenant == f.Tenant) &&
		(f.Service == "" || slices.Contains(r.Services, f.Service)) &&
		(f.Status == "" || r.Status == f.Status) &&
		(f.Before == nil || r.Position().Compare(*f.Before) < 0)
}
