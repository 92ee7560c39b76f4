package trace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Limits of one trace. A trace with 1,000 refused candidates is about 1 MB.
const (
	MaxRaw      = 16 << 20 // bytes, serialized
	MaxServices = 256      // distinct services that answered or were tried
	// MaxLag is how much later than its id says a request may have arrived: a workflow names the traces of its steps
	// before it begins them.
	MaxLag  = 24 * time.Hour
	maxName = 1024 // bytes of a tenant or a service id, so that index keys stay small
)

// A Record is a trace as storages keep it: the bytes, and beside them all that is searched for, so that a storage
// never decodes the bytes. A record is not changed after it was handed to a storage or returned by one.
type Record struct {
	Sequence uint64   // position in the log, from 0
	TraceID  string   // 32 lower-case hex digits
	Tenant   string   // of the principal; empty: none
	Services []string // that answered or were tried; sorted, distinct, at most MaxServices
	Status   string   // as in caiov1.Trace
	Time     time.Time
	Hash     [sha256.Size]byte // of Raw
	Raw      []byte            // the serialized caiov1.Trace

	RequestID  string   // the caller's own name for the request, at most MaxFound bytes of it; empty: none
	Rules      []string // that refused a candidate or found a violation; sorted, distinct, at most MaxRules, each at most MaxFound bytes
	Violation  bool     // a guarantee was broken, whatever the reaction was
	DurationMs float64  // as in caiov1.Trace
	Cost       float64  // of all attempts: their sum, of several currencies the largest sum; 0: unknown
}

// A Position is where a record stands in a listing: listings are ordered by time, then by sequence.
type Position struct {
	Time     time.Time
	Sequence uint64
}

// Position returns where r stands in a listing.
func (r *Record) Position() Position { return Position{r.Time, r.Sequence} }

// Compare orders positions: negative when p is older than q.
func (p Position) Compare(q Position) int {
	if c := p.Time.Compare(q.Time); c != 0 {
		return c
	}
	switch {
	case p.Sequence < q.Sequence:
		return -1
	case p.Sequence > q.Sequence:
		return 1
	}
	return 0
}

// check tells whether t can be a record, as far as that is known at once: whoever appends a queued trace waits for it.
func check(t *caiov1.Trace) error {
	if !validID(t.GetTraceId()) {
		return fmt.Errorf("%w: its id %.40q is not 32 lower-case hex digits", ErrInvalid, t.GetTraceId())
	}
	if err := t.GetTime().CheckValid(); err != nil {
		return fmt.Errorf("%w: trace %s: time: %v", ErrInvalid, t.TraceId, err)
	}
	if !validTime(t.Time.AsTime()) {
		return fmt.Errorf("%w: trace %s: time: %s lies outside 1678..2262", ErrInvalid, t.TraceId, t.Time.AsTime())
	}
	if named, lag := TimeOf(t.TraceId), t.Time.AsTime(); lag.Before(named) || lag.Sub(named) > MaxLag {
		return fmt.Errorf("%w: trace %s: its id was made for %s, its request arrived at %s", ErrInvalid, t.TraceId, named, t.Time.AsTime())
	}
	if t.GetStatus() == "" || len(t.Status) > maxName {
		return fmt.Errorf("%w: trace %s: it has no status", ErrInvalid, t.TraceId)
	}
	return nil
}

// newRecord serializes and hashes t. The sequence is the sequencer's to set.
func newRecord(t *caiov1.Trace) (Record, error) {
	if err := check(t); err != nil {
		return Record{}, err
	}
	tenant, services := tenantOf(t), servicesOf(t)
	if len(services) > MaxServices {
		return Record{}, fmt.Errorf("%w: trace %s names %d services, at most %d are allowed", ErrInvalid, t.TraceId, len(services), MaxServices)
	}
	if len(tenant) > maxName || slices.ContainsFunc(services, func(s string) bool { return len(s) > maxName }) {
		return Record{}, fmt.Errorf("%w: trace %s: tenant or service longer than %d bytes", ErrInvalid, t.TraceId, maxName)
	}
	// Deterministic makes equal traces equal bytes within one build. It is a courtesy to tests: across builds
	// protobuf promises nothing, which is why the stored bytes are what counts.
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(t)
	if err != nil {
		return Record{}, fmt.Errorf("%w: serialize trace %s: %v", ErrInvalid, t.TraceId, err)
	}
	if len(raw) > MaxRaw {
		return Record{}, fmt.Errorf("%w: trace %s has %d bytes, at most %d are allowed", ErrInvalid, t.TraceId, len(raw), MaxRaw)
	}
	r := Record{
		TraceID: t.TraceId, Tenant: tenant, Services: services, Status: t.Status,
		Time: t.Time.AsTime(), Hash: sha256.Sum256(raw), Raw: raw,
	}
	if err := r.describe(t, raw); err != nil {
		return Record{}, fmt.Errorf("%w: trace %s: read its decision: %v", ErrInvalid, t.TraceId, err)
	}
	return r, nil
}

// unserializable returns the trace that takes the place of t, which check found good and newRecord did not: it was
// promised that there is one, and that it says what happened.
func unserializable(t *caiov1.Trace, why error) (Record, error) {
	tenant := tenantOf(t)
	tenant = strings.ToValidUTF8(tenant[:min(len(tenant), maxName)], "")
	return newRecord(&caiov1.Trace{
		TraceId: t.TraceId, Time: t.Time, DurationMs: t.DurationMs, Status: "failed",
		Request: &caiov1.Request{Principal: &caiov1.Principal{Tenant: tenant}},
		Error:   &caiov1.Error{Code: "INTERNAL", Stage: "trace", Message: strings.ToValidUTF8("this trace could not be written: "+why.Error(), "?")},
	})
}

// servicesOf returns the services that answered or were tried, sorted and distinct.
func servicesOf(t *caiov1.Trace) []string {
	services := make([]string, 0, 1+len(t.GetAttempts()))
	if t.GetServiceId() != "" {
		services = append(services, t.ServiceId)
	}
	for _, a := range t.GetAttempts() {
		if a.GetServiceId() != "" {
			services = append(services, a.ServiceId)
		}
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// stored decodes r and holds its bytes against its hash.
func (r *Record) stored() (*caiov1.StoredTrace, error) {
	if sha256.Sum256(r.Raw) != r.Hash {
		return nil, fmt.Errorf("trace %s (sequence %d): %w: its bytes do not have its hash", r.TraceID, r.Sequence, ErrDamaged)
	}
	t := &caiov1.Trace{}
	if err := proto.Unmarshal(r.Raw, t); err != nil {
		return nil, fmt.Errorf("trace %s (sequence %d): %w: %v", r.TraceID, r.Sequence, ErrDamaged, err)
	}
	return &caiov1.StoredTrace{Sequence: r.Sequence, Hash: hex.EncodeToString(r.Hash[:]), Raw: r.Raw, Trace: t}, nil
}

// NewID returns a new trace id for a request that arrived at that time: 32 lower-case hex digits of 48 bits of
// milliseconds since 1970 and ten bytes of rand (crypto/rand.Reader outside tests). So ids sort as their times do, and
// a storage knows where to look. Safe for concurrent use if rand is.
func NewID(at time.Time, rand io.Reader) (string, error) {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(at.UnixMilli())<<16)
	if _, err := io.ReadFull(rand, b[6:]); err != nil {
		return "", fmt.Errorf("make a trace id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// TimeOf returns the time that NewID put into id, to the millisecond. Of an id that was made otherwise it is any time.
func TimeOf(id string) time.Time {
	ms, err := strconv.ParseInt(id[:min(len(id), 12)], 16, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func validID(id string) bool {
	if len(id) != 32 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// validTime tells whether t fits into nanoseconds since 1970 in 64 bits, the form in which storages order times.
func validTime(t time.Time) bool {
	return !t.Before(time.Unix(0, math.MinInt64)) && !t.After(time.Unix(0, math.MaxInt64))
}

// Errors of the log. Test with errors.Is.
var (
	// ErrNotFound: there is no such trace.
	ErrNotFound = errors.New("no such trace")
	// ErrInvalid: the trace or the query is not one that can be stored or answered. Nothing was written.
	ErrInvalid = errors.New("invalid")
	// ErrToken: a page token is not one that this query was given.
	ErrToken = errors.New("page token does not belong to this query")
	// ErrErased: the trace's body was removed; its entry is in the log for ever.
	ErrErased = errors.New("the body of this trace was removed")
	// ErrFull: the queue stayed full. Nothing was begun.
	ErrFull = errors.New("the queue of traces is full")
	// ErrKey: the log was signed with another key.
	ErrKey = errors.New("log of another key")
	// ErrDamaged: what was stored is no longer what was written.
	ErrDamaged = errors.New("stored bytes are damaged")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("trace log is closed")
	// ErrStopped: an earlier write failed in a way that leaves open what was written; the log takes no more traces
	// until it is opened again.
	ErrStopped = errors.New("trace log stopped")
	// ErrUnwaited: the context ended while the trace was on its way. It is still written, or fails; nobody waited to
	// see which.
	ErrUnwaited = errors.New("trace queued, its write not waited for")

	// ErrRefused is for storages: nothing at all was written, so the log may go on. Why is wrapped beside it.
	ErrRefused = errors.New("write refused")
	// ErrTooLarge is for storages: the group does not fit into one atomic write. Nothing was written. The log tries
	// again with half of it.
	ErrTooLarge = errors.New("group too large for one write")
	// ErrExists: a trace of this id is there. Nothing was written.
	ErrExists = errors.New("trace exists")
)
