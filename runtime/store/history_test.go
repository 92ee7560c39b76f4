package store_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

func history(id string) store.HistoryRecord {
	return store.HistoryRecord{
		ID: id, Time: time.Date(2026, 5, 4, 12, 0, 0, 123, time.UTC), Requests: 7.25, Failures: 3, Violations: 1, Priced: 2,
		MeanCost: .001, Currency: "USD", Latencies: []store.Count{{Bucket: 0, N: 1}, {Bucket: 7, N: .5}, {Bucket: 367, N: 5.75}},
	}
}

func wantHistory(t *testing.T, s *store.Store, rejected int, want ...store.HistoryRecord) []error {
	t.Helper()
	got, why, err := s.History(t.Context())
	if err != nil || len(why) != rejected || !reflect.DeepEqual(got, want) {
		t.Fatalf("history %+v, rejected %v, %v; want %+v, %d rejected", got, why, err, want, rejected)
	}
	return why
}

func TestAHistoryLivesAsLongAsItsService(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	save(t, s, service("a", 1), service("b", 2))
	if err := s.SaveHistory(t.Context(), []store.HistoryRecord{history("b"), history("a"), history("nobody")}); err != nil {
		t.Fatal(err)
	}
	wantHistory(t, s, 0, history("a"), history("b"))
	changed := history("b")
	changed.Requests, changed.Latencies = 100, nil
	if err := s.SaveHistory(t.Context(), []store.HistoryRecord{changed}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, store.Options{})
	wantHistory(t, s, 0, history("a"), changed)
	if err := s.DeleteService(t.Context(), "b", 3, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveHistory(t.Context(), []store.HistoryRecord{changed}); err != nil {
		t.Fatal(err)
	}
	save(t, s, service("b", 4))
	wantHistory(t, s, 0, history("a"))
}

func TestAHistoryThatCannotBeReadIsLeftOutAndNamed(t *testing.T) {
	s := open(t, "", store.Options{InMemory: true})
	save(t, s, service("good", 1), service("bad", 2), service("later", 3))
	good, later := history("good"), store.EncodeHistory(&store.HistoryRecord{})
	if err := s.SaveHistory(t.Context(), []store.HistoryRecord{good}); err != nil {
		t.Fatal(err)
	}
	later[0]++
	if err := errors.Join(store.PutHistory(s, "bad", []byte{1, 2, 3}), store.PutHistory(s, "later", later)); err != nil {
		t.Fatal(err)
	}
	why := wantHistory(t, s, 2, good)
	if !strings.Contains(why[0].Error(), "bad") || !strings.Contains(why[1].Error(), "version 2") {
		t.Errorf("rejected %v", why)
	}
}

func TestAHundredHistoriesFitIntoATransaction(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	var largest []store.HistoryRecord
	for i := range 100 {
		r := history(fmt.Sprintf("%0128d", i))
		r.Currency, r.Latencies = strings.Repeat("x", 128), nil
		for bucket := range uint32(400) {
			r.Latencies = append(r.Latencies, store.Count{Bucket: bucket, N: 1})
		}
		save(t, s, service(r.ID, uint64(i+1)))
		largest = append(largest, r)
	}
	if err := s.SaveHistory(t.Context(), largest); err != nil {
		t.Fatal(err)
	}
	wantHistory(t, s, 0, largest...)
}

func TestNumbersThatCannotBeAreNoHistory(t *testing.T) {
	for name, change := range map[string]func(*store.HistoryRecord){
		"a count that is no number": func(r *store.HistoryRecord) { r.Requests = math.NaN() },
		"an infinite count":         func(r *store.HistoryRecord) { r.Requests = math.Inf(1) },
		"a negative count":          func(r *store.HistoryRecord) { r.Violations = -1 },
		"more failures than calls":  func(r *store.HistoryRecord) { r.Failures = 8 },
		"more broken than failed":   func(r *store.HistoryRecord) { r.Violations = 4 },
		"more priced than calls":    func(r *store.HistoryRecord) { r.Priced = 8 },
		"an infinite price":         func(r *store.HistoryRecord) { r.MeanCost = math.Inf(1) },
		"a fuller bucket":           func(r *store.HistoryRecord) { r.Latencies[1].N = 8 },
		"a bucket of less than 0":   func(r *store.HistoryRecord) { r.Latencies[1].N = -1 },
		"buckets out of order":      func(r *store.HistoryRecord) { r.Latencies[1].Bucket = 0 },
	} {
		r := history("a")
		change(&r)
		if got, err := store.DecodeHistory(store.EncodeHistory(&r)); !errors.Is(err, trace.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzDecodeHistory(f *testing.F) {
	r := history("a")
	b := store.EncodeHistory(&r)
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add(append(b, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := store.DecodeHistory(b)
		if err != nil {
			if !errors.Is(err, trace.ErrDamaged) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		again, err := store.DecodeHistory(store.EncodeHistory(&r))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%+v comes back as %+v, %v", r, again, err)
		}
	})
}
