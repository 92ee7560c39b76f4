package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
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
