package trace

import (
	"context"
	"slices"
	"time"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// Storage keeps records and the tree over them. Implementations: [Memory], and the one on disk, the store's. Package
// tracetest holds the test that every implementation must pass.
//
// It is wider than an interface should be because a log is written in one piece: a record, its entry and the hashes above
// it are there together or not at all.
type Storage interface {
	// Head returns how far the log is. Safe for concurrent use.
	Head(ctx context.Context) (Head, error)

	// Ready returns nil if a group would be taken now, else why not, without having to write. It leaves room for what
	// is queued: Append goes on a while after Ready has begun to refuse. Safe for concurrent use.
	Ready() error

	// Append writes the group whole or not at all and returns once it is durable. Sequences ascend by one and begin
	// at Head's size. Records are not changed afterwards and may be kept.
	//
	// An error must be ErrTooLarge, ErrExists (a trace id is stored already, or twice in the group) or ErrRefused, by
	// errors.Is, if and only if it is certain that nothing was written. After any other error the log stops. The
	// log never calls it twice at the same time.
	Append(ctx context.Context, g *Group) error

	// Get returns the record with that trace id, which NewID made of its time; ErrNotFound, or ErrErased if its body was removed. Safe for concurrent
	// use, also with Append.
	Get(ctx context.Context, traceID string) (*Record, error)

	// At returns the record at that position of the log. Otherwise it is as Get.
	At(ctx context.Context, sequence uint64) (*Record, error)

	// List returns the records that f selects, newest position first, at most f.Limit of them; those whose bodies were
	// removed are not among them. Safe for concurrent use, also with Append; a record is seen by List when it is seen by
	// Get.
	List(ctx context.Context, f Filter) ([]*Record, error)

	// ReadTile reads hashes of the tree, as tree.Tiles has it.
	tree.Tiles

	// ReadEntries returns the entries from the position from on, count of them, tree.EntrySize bytes each. Safe for
	// concurrent use; ErrNotFound if there are not so many.
	ReadEntries(from uint64, count int) ([]byte, error)

	// KeepCosigned keeps a cosigned checkpoint in place of the one before, durably; Cosigned returns it, nil: none was.
	KeepCosigned(signed []byte) error
	Cosigned() ([]byte, error)
}

// A Head is how far a log is.
type Head struct {
	Size       uint64 // traces
	Checkpoint []byte // signed, of the tree of that size; nil: none was written yet
}

// A Group is what is written at once.
type Group struct {
	Records    []Record
	Hashes     [][]byte // by level of tiles: what the group adds there, hashes of 32 bytes one after the other
	Checkpoint []byte   // signed, of the tree with the group
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

	RequestID     string  // at most MaxFound bytes; empty: no matter
	Rule          string  // one of Record.Rules, at most MaxFound bytes; empty: no matter
	Violations    bool    // only records with a violation
	MinDurationMs float64 // not less; 0: no matter
	MinCost       float64 // not less; 0: no matter
}

// Selects tells whether f selects r; Limit has no part in it.
func (f *Filter) Selects(r *Record) bool {
	return (f.Since.IsZero() || !r.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Time.Before(f.Until)) &&
		(f.Tenant == "" || r.Tenant == f.Tenant) &&
		(f.Service == "" || slices.Contains(r.Services, f.Service)) &&
		(f.Status == "" || r.Status == f.Status) &&
		(f.Before == nil || r.Position().Compare(*f.Before) < 0) &&
		(f.RequestID == "" || r.RequestID == f.RequestID) &&
		(f.Rule == "" || slices.Contains(r.Rules, f.Rule)) &&
		(!f.Violations || r.Violation) &&
		(f.MinDurationMs == 0 || r.DurationMs >= f.MinDurationMs) &&
		(f.MinCost == 0 || r.Cost >= f.MinCost)
}
