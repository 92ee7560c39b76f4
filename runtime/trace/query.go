package trace

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"time"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Traces in one page of a listing.
const (
	DefaultLimit = 50
	MaxLimit     = 1000

	maxPageBytes = MaxRaw // serialized; a page is in memory several times over until it is sent
	maxRead      = 64     // traces asked of the storage at once
)

// A Query selects traces; everything that is set must hold. The zero value selects all.
type Query struct {
	Since   time.Time // requests that arrived then or later; zero: no matter
	Until   time.Time // requests that arrived before; zero: no matter
	Tenant  string    // empty: every tenant. Who may ask for that is for the caller to judge.
	Service string    // answered by, or in vain tried with, this service; empty: no matter
	Status  string    // empty: no matter
	Limit   int       // traces in the page, 1..MaxLimit; 0: DefaultLimit
	Token   string    // the token that came with the page before; empty: the first page

	RequestID     string  // the caller's own name for the request, at most MaxFound bytes matter; empty: no matter
	Rule          string  // this rule refused a candidate or found a violation, at most MaxFound bytes matter; empty: no matter
	Violations    bool    // only those in which a guarantee was broken
	MinDurationMs float64 // took at least so long, in milliseconds; 0: no matter
	MinCost       float64 // cost at least so much, in whatever currency; 0: no matter
}

// Get returns the trace with that id. Errors: ErrNotFound; ErrDamaged if it no longer has its hash. Safe for
// concurrent use, after Close too as long as the storage is open.
func (l *Log) Get(ctx context.Context, traceID string) (*caiov1.StoredTrace, error) {
	if !validID(traceID) {
		return nil, fmt.Errorf("trace %.40q: %w", traceID, ErrNotFound)
	}
	r, err := l.storage.Get(ctx, traceID)
	if errors.Is(err, ErrNotFound) {
		// It may still be queued.
		if err := l.settle(ctx); err != nil {
			return nil, err
		}
		r, err = l.storage.Get(ctx, traceID)
	}
	if err != nil {
		return nil, err
	}
	return r.stored()
}

// At returns the trace at that position of the log. Otherwise it is as Get.
func (l *Log) At(ctx context.Context, sequence uint64) (*caiov1.StoredTrace, error) {
	if sequence >= l.Head().Size {
		if err := l.settle(ctx); err != nil {
			return nil, err
		}
	}
	r, err := l.storage.At(ctx, sequence)
	if err != nil {
		return nil, err
	}
	return r.stored()
}

// List returns one page of the traces that q selects, newest first by the time their request arrived, and the token of
// the page after it, empty if there is none. A page has fewer than its limit, at least one, when its traces are large:
// together they have at most MaxRaw bytes. A trace appended meanwhile is in no later page unless its request is
// older than what was shown, so pages never repeat and never lose one that was there.
//
// A token is opaque, no secret, and belongs to the query it came with: with another one, or altered, it is ErrToken.
// It names a place in the order and nothing else, so a forged one shows its bearer nothing that the query does not.
// Other errors: ErrInvalid for a limit out of range; ErrDamaged. Safe for concurrent use.
func (l *Log) List(ctx context.Context, q Query) ([]*caiov1.StoredTrace, string, error) {
	f, err := q.filter()
	if err != nil {
		return nil, "", err
	}
	if err := l.settle(ctx); err != nil {
		return nil, "", fmt.Errorf("list traces: %w", err)
	}
	records, more, err := l.page(ctx, f)
	if err != nil {
		return nil, "", fmt.Errorf("list traces: %w", err)
	}
	next := ""
	if more {
		next = q.token(records[len(records)-1].Position())
	}
	traces, err := storedAll(records)
	if err != nil {
		return nil, "", fmt.Errorf("list traces: %w", err)
	}
	return traces, next, nil
}

// storedAll decodes records by all processors: it is half of what a page takes.
func storedAll(records []*Record) ([]*caiov1.StoredTrace, error) {
	traces, errs := make([]*caiov1.StoredTrace, len(records)), make([]error, len(records))
	workers := min(runtime.GOMAXPROCS(0), 1+len(records)/8)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(records); i += workers {
				traces[i], errs[i] = records[i].stored()
			}
		})
	}
	wg.Wait()
	return traces, errors.Join(errs...)
}

// page returns at most f.Limit records of maxPageBytes together, but at least one if there is one, and whether more
// follow. It asks the storage for a few at a time: a page that ends early must not have been read whole.
func (l *Log) page(ctx context.Context, f Filter) (records []*Record, more bool, err error) {
	limit, size := f.Limit, 0
	for {
		f.Limit = min(limit-len(records), maxRead) + 1 // one more tells whether there is a page after this
		read, err := l.storage.List(ctx, f)
		if err != nil {
			return nil, false, err
		}
		for _, r := range read {
			size += len(r.Raw)
			if len(records) == limit || len(records) > 0 && size > maxPageBytes {
				return records, true, nil
			}
			records = append(records, r)
		}
		if len(read) < f.Limit {
			return records, false, nil
		}
		last := records[len(records)-1].Position()
		f.Before = &last
	}
}

func (q *Query) filter() (Filter, error) {
	f := q.selection()
	f.Limit = q.Limit
	if f.Limit == 0 {
		f.Limit = DefaultLimit
	}
	if f.Limit < 1 || f.Limit > MaxLimit {
		return f, fmt.Errorf("%w: a page of %d traces, it must be 1 to %d", ErrInvalid, q.Limit, MaxLimit)
	}
	if q.Token != "" {
		p, err := q.position(q.Token)
		if err != nil {
			return f, err
		}
		f.Before = &p
	}
	return f, nil
}

// selection is what q selects, without pages.
func (q *Query) selection() Filter {
	return Filter{
		// Storages count in nanoseconds of 64 bits; every trace lies within, so clamping changes no answer.
		Since: clamp(q.Since), Until: clamp(q.Until), Tenant: q.Tenant, Service: q.Service, Status: q.Status,
		RequestID: cut(q.RequestID), Rule: cut(q.Rule), Violations: q.Violations, MinDurationMs: q.MinDurationMs, MinCost: q.MinCost,
	}
}

func clamp(t time.Time) time.Time {
	switch first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64); {
	case t.IsZero():
		return t
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}

// A token is base64url without padding of: version 1 (one byte), time in nanoseconds since 1970 and sequence (eight
// bytes each, big-endian), and the first eight bytes of the sha256 of these and the query's selection.
const (
	tokenVersion = 1
	tokenBody    = 1 + 8 + 8
	tokenSize    = tokenBody + 8
)

func (q *Query) token(p Position) string {
	b := make([]byte, 0, tokenSize)
	b = append(b, tokenVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Time.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, p.Sequence)
	b = append(b, q.check(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (q *Query) position(token string) (Position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != tokenSize || b[0] != tokenVersion || string(q.check(b[:tokenBody])) != string(b[tokenBody:]) {
		return Position{}, fmt.Errorf("list traces: %w; begin again without one", ErrToken)
	}
	return Position{
		Time:     time.Unix(0, int64(binary.BigEndian.Uint64(b[1:]))).UTC(),
		Sequence: binary.BigEndian.Uint64(b[9:]),
	}, nil
}

// check binds a token's body to what the query selects. The page's size may change from page to page.
func (q *Query) check(body []byte) []byte {
	h := sha256.New()
	h.Write(body)
	for _, s := range []string{
		stamp(q.Since), stamp(q.Until), q.Tenant, q.Service, q.Status, q.RequestID, q.Rule,
		strconv.FormatBool(q.Violations), number(q.MinDurationMs), number(q.MinCost),
	} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return h.Sum(nil)[:tokenSize-tokenBody]
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10) + "." + strconv.Itoa(t.Nanosecond())
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
