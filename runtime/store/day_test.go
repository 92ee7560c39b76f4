package store_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// ofDays fills a store with n traces on each of some days. Their requests overlap from day to day.
func ofDays(t *testing.T, s *store.Store, days, n int) []trace.Record {
	t.Helper()
	for d := range days {
		store.SetDay(s, fmt.Sprint(20261101+d))
		if err := appendTraces(t, s, uint64(d*n), n); err != nil {
			t.Fatal(err)
		}
	}
	return tracetest.Records(0, days*n)
}

// wantListed holds listings with several filters against the plain definition.
func wantListed(t *testing.T, s *store.Store, all []trace.Record) {
	t.Helper()
	middle := all[len(all)/2]
	before := middle.Position()
	for _, f := range []trace.Filter{
		{Limit: 1}, {Limit: 1000}, {Tenant: "acme", Limit: 1000}, {Service: "gamma", Status: "refused", Limit: 7},
		{Since: middle.Time, Limit: 1000}, {Until: middle.Time, Limit: 1000}, {Before: &before, Limit: 33},
		{Since: all[len(all)/3].Time, Until: middle.Time, Tenant: "globex", Limit: 1000}, {Tenant: "nobody", Limit: 10},
	} {
		var want []uint64
		sorted := slices.Clone(all)
		slices.SortFunc(sorted, func(a, b trace.Record) int { return b.Position().Compare(a.Position()) })
		for i := range sorted {
			if f.Selects(&sorted[i]) && len(want) < f.Limit {
				want = append(want, sorted[i].Sequence)
			}
		}
		found, err := s.Traces().List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, r := range found {
			got = append(got, r.Sequence)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", f, got, want)
		}
	}
}

func TestDaysAreJoined(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	all := ofDays(t, s, 9, 40)
	wantListed(t, s, all)
	for i := range all {
		if _, err := s.Traces().Get(t.Context(), all[i].TraceID); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Traces().At(t.Context(), all[i].Sequence); err != nil || r.TraceID != all[i].TraceID {
			t.Fatal(r, err)
		}
	}
	s.Close()
	// A day whose bounds are lost is opened to learn them.
	if err := os.Remove(filepath.Join(dir, "traces/20261104/bounds.json")); err != nil {
		t.Fatal(err)
	}
	// An index that is gone is made again.
	if err := os.RemoveAll(filepath.Join(dir, "traces/20261106/index")); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, store.Options{})
	wantListed(t, s, all)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := i; n < len(all); n += 4 {
				if _, err := s.Traces().Get(t.Context(), all[n].TraceID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// The clock was set back: the log goes on in its last day.
	store.SetDay(s, "20261031")
	if err := appendTraces(t, s, uint64(len(all)), 3); err != nil {
		t.Fatal(err)
	}
	wantListed(t, s, tracetest.Records(0, len(all)+3))
}

func TestATraceIsFoundByTheTimeInItsID(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	ofDays(t, s, 3, 5)
	store.SetDay(s, "20261120")
	at := time.Date(2026, 11, 20, 10, 0, 0, 1e6, time.UTC)
	records := tracetest.Records(15, 1)
	id, err := trace.NewID(at, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	records[0].TraceID, records[0].Time = id, at
	if err := s.Traces().Append(t.Context(), tracetest.Group(t, s.Traces(), records)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Traces().Get(t.Context(), id); err != nil || r.Sequence != 15 {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := s.Traces().Get(t.Context(), "ffffffffffff00000000000000000000"); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("an id of the far future: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestErasedTracesAreGoneAndTheLogIsWhole(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	l, err := trace.Open(s.Traces(), trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var ids []string
	for i := range 60 { // five days, two tenants, three subjects
		at := start.Add(time.Duration(i) * 2 * time.Hour)
		store.SetDay(s, at.Format("20060102"))
		m := workTrace()
		if m.TraceId, err = trace.NewID(at, rand.Reader); err != nil {
			t.Fatal(err)
		}
		m.Time = timestamppb.New(at)
		m.Request.Principal = &caiov1.Principal{Tenant: []string{"acme", "globex"}[i%2], Subject: fmt.Sprint("s", i%3)}
		ids = append(ids, m.TraceId)
		if err := l.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	now := start.Add(5 * 24 * time.Hour)
	count, record, err := l.Erase(t.Context(), now, rand.Reader, trace.Erasure{Tenant: "acme", Subject: "s2", Reason: trace.ByRequest, Note: "asked to be forgotten"})
	if err != nil || count != 10 {
		t.Fatalf("%d erased, %v; want 10", count, err)
	}
	gone := func(i int) bool { return i%2 == 0 && i%3 == 2 }
	want := func(l *trace.Log, more int) {
		t.Helper()
		kept := 0
		for i, id := range ids {
			_, err := l.Get(t.Context(), id)
			if gone(i) != errors.Is(err, trace.ErrErased) || !gone(i) && err != nil {
				t.Errorf("trace %d: %v", i, err)
			}
			if !gone(i) {
				kept++
			}
			if _, err := l.Prove(t.Context(), uint64(i), 1); err != nil {
				t.Errorf("trace %d is not proven: %v", i, err)
			}
		}
		if page, _, err := l.List(t.Context(), trace.Query{Limit: 1000}); err != nil || len(page) != kept+more {
			t.Errorf("%d listed, %v; want %d", len(page), err, kept+more)
		}
	}
	want(l, 1)
	if stored, err := l.Get(t.Context(), record); err != nil || stored.Trace.Erasure.Count != 10 || stored.Trace.Erasure.Note != "asked to be forgotten" {
		t.Errorf("the record is %v, %v", stored, err)
	}
	// Everybody's are kept three days, globex's two: the first days go whole only when nothing in them is to be kept.
	removed, err := l.Retain(t.Context(), now, rand.Reader, trace.Retention{Default: 72 * time.Hour, Tenants: map[string]time.Duration{"globex": 48 * time.Hour}})
	if err != nil || removed != 2*12+6 {
		t.Errorf("%d removed, %v; want the first two days and globex's of the third", removed, err)
	}
	gone = func(i int) bool { return i < 24 || i%2 == 1 && i < 36 || i%2 == 0 && i%3 == 2 }
	dropped := gone
	gone = func(i int) bool { return dropped(i) && i >= 24 }
	for _, id := range ids[:24] {
		if _, err := l.Get(t.Context(), id); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("a trace of a dropped day: %v", err)
		}
	}
	if _, err := l.At(t.Context(), 3); !errors.Is(err, trace.ErrErased) {
		t.Errorf("At a dropped day: %v", err)
	}
	l.Close()
	s.Close()
	// It is all the same after a restart.
	s = open(t, dir, store.Options{})
	if l, err = trace.Open(s.Traces(), trace.Options{}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Get(t.Context(), ids[35]); !errors.Is(err, trace.ErrErased) {
		t.Errorf("an erased trace after a restart: %v", err)
	}
	if _, err := l.Prove(t.Context(), 3, 1); err != nil {
		t.Errorf("a trace of a dropped day is not proven: %v", err)
	}
	page, _, err := l.List(t.Context(), trace.Query{Status: trace.StatusErasure})
	if err != nil || len(page) != 4 {
		t.Errorf("%d erasures are on record, %v; want 4", len(page), err)
	}
}

// TestAnInterruptedErasureIsFinishedOrDropped stops an erasure where a crash could.
func TestAnInterruptedErasureIsFinishedOrDropped(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	if err := appendTraces(t, s, 0, 20); err != nil {
		t.Fatal(err)
	}
	record := tracetest.ID(20)
	for _, recorded := range []bool{false, true} {
		pending := fmt.Sprintf(`{"trace_id":%q,"ranges":[[3,5],[7,7]]}`+"\n", record)
		pending += fmt.Sprintf("crc32c %08x\n", crc32.Checksum([]byte(pending), crc32.MakeTable(crc32.Castagnoli)))
		if recorded {
			if err := appendTraces(t, s, 20, 1); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		if err := os.WriteFile(filepath.Join(dir, "log/erasing"), []byte(pending), 0o600); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, store.Options{})
		for seq := range uint64(20) {
			_, err := s.Traces().At(t.Context(), seq)
			if gone := recorded && (seq >= 3 && seq <= 5 || seq == 7); gone != errors.Is(err, trace.ErrErased) || !gone && err != nil {
				t.Errorf("recorded %v, trace %d: %v", recorded, seq, err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "log/erasing")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is still under way: %v", err)
		}
	}
}
