package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// FsckOptions are what Fsck is told of a store. The zero value is good for one that is not encrypted.
type FsckOptions struct {
	Key       []byte          // as in Options
	Log       tree.Verifier   // the log's public key; nil: no signature is looked at
	Witnesses []tree.Verifier // one of whom must have signed the cosigned checkpoint; nil: it does not matter who did
	Known     [][]byte        // signed checkpoints that were kept elsewhere: the log must go on from each
	Progress  func(Progress)  // called now and then, by the goroutine that called Fsck; nil: nobody is told
}

// Progress is how far a check has come.
type Progress struct {
	Done, All int64  // bytes; All is known from the beginning
	Traces    uint64 // that were gone over
}

// A Finding is one thing that is not as it should be; its Kind says what that means.
type (
	Finding = journal.Finding
	Kind    = journal.Kind
)

// The kinds.
const (
	Damage = journal.Damage // not as it was written, or missing
	Crash  = journal.Crash  // what a crash leaves; the next start mends it
	Index  = journal.Index  // of an index, which can be made again
)

// A FsckReport is what Fsck found. Whole tells whether there is nothing that a crash would not explain.
type FsckReport struct {
	journal.Report
	Days     int    `json:"days"`     // whose indexes were compared with the bodies
	Rows     uint64 `json:"rows"`     // in them
	Services int    `json:"services"` // that were read
	Policies int    `json:"policies"` // versions that were read
	Contents int    `json:"contents"` // contracts, policies and modules that have their digest
}

// Fsck checks all of the store in dir, which must not be in use: the log as journal.Check does; that each body is the
// trace that its entry commits to, and is found by what it says; that bodies are gone where a trace records their
// removal and only there; that the index of each day has the rows of its traces and no others; and the database. It needs
// no store that can be opened, goes on after whatever it finds, and changes nothing but what Badger does to an index when
// that is opened. The database is copied for a while, beside it.
//
// Errors: ErrLocked, ErrNotStore, ErrFormat, ErrSealed, ErrLowSpace where the database cannot be copied, ctx's, and the
// system's. Whatever is wrong with the store is no error, but in the report.
func Fsck(ctx context.Context, dir string, o FsckOptions) (*FsckReport, error) {
	s := &Store{dir: dir, logger: slog.New(slog.DiscardHandler), minFree: defaultMinFree, key: o.Key}
	f := &fsck{s: s, o: o, report: &FsckReport{Report: journal.Report{Counts: map[Kind]int{}, Findings: []Finding{}}}}
	err := f.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("check store %s: %w", dir, err)
	}
	return f.report, nil
}

// fsck is one run of Fsck.
type fsck struct {
	s      *Store
	o      FsckOptions
	report *FsckReport

	dropped  []journal.Dropped
	pending  *journal.Pending // nil: no erasure is under way
	erased   ranges           // whose bodies are zeros
	recorded ranges           // whose removal is on record
	day      *indexCheck      // that bodies are of now; nil: none yet

	all, log, tables int64 // bytes: of everything; of the log that were read; of tables that were read
	traces           uint64
}

func (f *fsck) run(ctx context.Context) (err error) {
	if f.s.sealer, err = newSealer(f.s.key); err != nil {
		return err
	}
	if _, err := os.Stat(f.s.dir); err != nil {
		return fmt.Errorf("%w: %w", ErrNotStore, err)
	}
	m, err := f.manifest()
	if err != nil {
		return err
	}
	lock, err := lockDir(f.s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	f.dropped, f.pending = journal.Removals(f.s.dir)
	f.all = journal.Size(f.s.dir) + f.tableBytes()
	if err := f.database(ctx, m); err != nil {
		return err
	}
	_, err = journal.Check(ctx, f.s.dir, journal.Checking{
		Log: f.o.Log, Witnesses: f.o.Witnesses, Known: f.o.Known, Body: f.body, Into: &f.report.Report,
		Progress: func(read int64, traces uint64) {
			f.log, f.traces = read, traces
			f.tell(0)
		},
	})
	if err = errors.Join(err, f.endDay()); err != nil {
		return err
	}
	if m != nil && m.State == stateNew && f.report.Traces > 0 {
		f.damage(manifestFile, "state "+stateNew, "state "+stateReady+": there are traces")
	}
	f.removals()
	f.tell(f.all) // whatever was no file any more
	return nil
}

// manifest reads what the directory is. nil: that is damaged, and in the report.
func (f *fsck) manifest() (*manifest, error) {
	m, err := readManifest(f.s.dir)
	_, missing := os.Stat(filepath.Join(f.s.dir, manifestFile))
	_, log := os.Stat(filepath.Join(f.s.dir, "log"))
	switch {
	case err == nil && m != nil:
		if m.Sealed != mark(f.s.key) {
			return nil, m.sealedError(f.s.key)
		}
		return m, nil
	case errors.Is(err, ErrFormat), missing != nil && log != nil:
		return nil, errors.Join(err, ErrNotStore)
	case missing != nil:
		f.damage(manifestFile, "no such file", "what this directory is")
	default:
		f.damage(manifestFile, err.Error(), "what this directory is")
	}
	return nil, nil
}

// body looks at one body of the log.
func (f *fsck) body(day string, b journal.Body) (found, want string) {
	if f.day == nil || f.day.name != day {
		if err := f.endDay(); err != nil {
			return err.Error(), "an index that can be closed"
		}
		f.day = f.beginDay(day, b.Sequence)
	}
	f.day.next = max(f.day.next, b.Sequence+1)
	if b.Bytes == nil {
		f.erased.add(b.Sequence, b.Sequence)
		f.day.expectErased(b)
		return "", ""
	}
	r, err := f.s.record(b.Bytes, b.Sequence)
	if err != nil {
		return err.Error(), "a trace"
	}
	is, err := trace.RecordOfRaw(r.Raw)
	if err != nil {
		is.Hash = sha256.Sum256(r.Raw)
	}
	switch {
	case is.Hash != b.Commit:
		return fmt.Sprintf("a trace whose bytes have sha256 %x", is.Hash), fmt.Sprintf("%x, to which its entry commits", b.Commit)
	case err != nil:
		return err.Error(), "a trace"
	case r.Hash != b.Commit:
		return fmt.Sprintf("sha256 %x beside the bytes", r.Hash), fmt.Sprintf("%x, to which its entry commits", b.Commit)
	}
	if what := differs(r, &is); what != "" {
		return "another " + what + " beside its bytes than in them", "what it is found by as the bytes say"
	}
	f.day.expect(r, b.Location)
	if r.Status == trace.StatusErasure {
		return f.record(r)
	}
	return "", ""
}

// differs names what of a record is not what its bytes say, "" if nothing is.
func differs(r, is *trace.Record) string {
	for _, c := range []struct {
		what string
		same bool
	}{
		{"id", r.TraceID == is.TraceID}, {"tenant", r.Tenant == is.Tenant}, {"status", r.Status == is.Status}, {"time", r.Time.Equal(is.Time)},
		{"list of services", slices.Equal(r.Services, is.Services)}, {"request id", r.RequestID == is.RequestID},
		{"list of rules", slices.Equal(r.Rules, is.Rules)}, {"word on violations", r.Violation == is.Violation},
		{"duration", sameFloat(r.DurationMs, is.DurationMs)}, {"cost", sameFloat(r.Cost, is.Cost)},
	} {
		if !c.same {
			return c.what
		}
	}
	return ""
}

// sameFloat is equality that holds for what is no number, too.
func sameFloat(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// record notes what r says was removed.
func (f *fsck) record(r *trace.Record) (found, want string) {
	t := &caiov1.Trace{}
	if err := proto.Unmarshal(r.Raw, t); err != nil {
		return "not a trace: " + err.Error(), "the record of an erasure"
	}
	for _, in := range t.GetErasure().GetRanges() {
		if in.GetLast() >= r.Sequence || in.GetFirst() > in.GetLast() {
			return fmt.Sprintf("the removal of traces %d to %d", in.GetFirst(), in.GetLast()), "one of traces before it"
		}
		f.recorded.add(in.GetFirst(), in.GetLast())
	}
	return "", ""
}

// removals holds what was removed against what is on record.
func (f *fsck) removals() {
	var dropped ranges
	for _, d := range f.dropped {
		dropped.add(d.First, d.Next-1)
	}
	// A record may lie in a day that was dropped later than what it is of.
	excused := func(seq uint64) bool {
		n := len(f.dropped)
		return n > 0 && seq < f.dropped[n-1].First
	}
	for _, left := range f.erased.without(&f.recorded) {
		if !excused(left[0]) {
			f.add(Damage, "traces", left[0], span(left)+": zeros, and no trace records that they were removed", "bodies, or a record")
		}
	}
	for _, left := range dropped.without(&f.recorded) {
		if !excused(left[0]) {
			f.add(Damage, "log/dropped", left[0], span(left)+": their day was dropped, and no trace records that", "bodies, or a record")
		}
	}
	if f.report.Counts[Damage] > 0 {
		return // bodies that cannot be read are neither there nor gone
	}
	kind := Damage
	if f.pending != nil {
		kind = Crash
	}
	var gone ranges
	for _, r := range [][][2]uint64{f.erased.list, dropped.list} {
		for _, in := range r {
			gone.add(in[0], in[1])
		}
	}
	for _, left := range f.recorded.without(&gone) {
		f.add(kind, "traces", left[0], span(left)+": bodies, which a trace records as removed", "zeros")
	}
}

func span(r [2]uint64) string {
	if r[0] == r[1] {
		return fmt.Sprint("trace ", r[0])
	}
	return fmt.Sprintf("traces %d to %d", r[0], r[1])
}

func (f *fsck) add(kind Kind, file string, sequence uint64, found, want string) {
	f.report.Add(Finding{Kind: kind, File: file, Offset: -1, Sequence: int64(sequence), Found: found, Want: want})
}

// damage adds a finding that is about no trace.
func (f *fsck) damage(file, found, want string) {
	f.report.Add(Finding{Kind: Damage, File: file, Offset: -1, Sequence: -1, Found: found, Want: want})
}

// tell tells how far the check has come; some bytes of tables are read that are not counted yet.
func (f *fsck) tell(more int64) {
	if f.o.Progress != nil {
		done := f.log + f.tables + more
		f.o.Progress(Progress{Done: min(done, f.all), All: f.all, Traces: f.traces})
	}
}
