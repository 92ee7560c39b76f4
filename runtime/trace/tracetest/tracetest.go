// Package tracetest holds the test that every trace.Storage must pass.
//
//	func TestMemory(t *testing.T) {
//		tracetest.Storage(t, func(t *testing.T) trace.Storage { return trace.NewMemory() })
//	}
package tracetest

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// Storage tests a storage. open returns a new, empty one each time and closes it with t.Cleanup.
func Storage(t *testing.T, open func(t *testing.T) trace.Storage) {
	t.Run("an empty storage begins at 0 and finds nothing", func(t *testing.T) {
		s := open(t)
		next(t, s, 0)
		if _, err := s.Get(t.Context(), ID(1)); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("Get: %v, want ErrNotFound", err)
		}
		if got, err := s.List(t.Context(), trace.Filter{Limit: 10}); err != nil || len(got) != 0 {
			t.Errorf("List: %d records, %v", len(got), err)
		}
	})
	t.Run("what was appended comes back as it was", func(t *testing.T) {
		s := open(t)
		want := Records(0, 300)
		appendAll(t, s, want[:1], want[1:257], want[257:])
		next(t, s, 300)
		for i := range want {
			got, err := s.Get(t.Context(), want[i].TraceID)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, &want[i])
			if got, err = s.At(t.Context(), want[i].Sequence); err != nil {
				t.Fatal(err)
			}
			equal(t, got, &want[i])
		}
		if _, err := s.At(t.Context(), 300); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("At the end: %v, want ErrNotFound", err)
		}
	})
	t.Run("entries and tiles are those of the records", func(t *testing.T) { entries(t, open(t)) })
	t.Run("a listing is what the filter selects, in order", func(t *testing.T) { listing(t, open(t)) })
	t.Run("what is found by comes back", func(t *testing.T) { foundBy(t, open(t)) })
	t.Run("each filter finds what it names, alone and with the others", func(t *testing.T) { filters(t, open(t)) })
	t.Run("pages join to the whole listing", func(t *testing.T) { pages(t, open(t)) })
	t.Run("names that contain one another are kept apart", func(t *testing.T) { names(t, open(t)) })
	t.Run("a group with a known id is refused whole", func(t *testing.T) { duplicates(t, open(t)) })
	t.Run("a group out of sequence is not written", func(t *testing.T) {
		s := open(t)
		appendAll(t, s, Records(0, 3))
		for _, from := range []uint64{2, 4} {
			if err := s.Append(t.Context(), &trace.Group{Records: Records(from, 1)}); err == nil {
				t.Errorf("a group from sequence %d was taken, 3 is next", from)
			}
		}
		next(t, s, 3)
	})
	t.Run("large bodies come back", func(t *testing.T) {
		s := open(t)
		r := Records(0, 2)
		r[1].Raw = make([]byte, 1<<19)
		rand.NewChaCha8([32]byte{1}).Read(r[1].Raw)
		r[1].Hash = sha256.Sum256(r[1].Raw)
		appendAll(t, s, r)
		got, err := s.Get(t.Context(), r[1].TraceID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, &r[1])
	})
	t.Run("readers and the writer do not disturb one another", func(t *testing.T) { concurrent(t, open(t)) })
}

// Records returns n records from sequence first on, different in everything and the same for the same sequence. Times
// are not in the order of the sequence, and some are the same.
func Records(first uint64, n int) []trace.Record {
	records := make([]trace.Record, n)
	for i := range records {
		seq := first + uint64(i)
		rng := rand.New(rand.NewPCG(seq, 7))
		raw := make([]byte, rng.IntN(3000))
		for j := range raw {
			raw[j] = byte(rng.Uint32())
		}
		services := []string{"alpha", "beta", "gamma", "delta"}[:rng.IntN(5)]
		services = slices.Clone(services)
		slices.Sort(services)
		records[i] = trace.Record{
			Sequence: seq, TraceID: ID(seq), Tenant: []string{"", "acme", "globex"}[rng.IntN(3)], Services: services,
			Status: []string{"ok", "refused", "failed"}[rng.IntN(3)],
			Time:   timeOf(seq),
			Hash:   sha256.Sum256(raw), Raw: raw,
		}
		find(&records[i], rng)
	}
	return records
}

// ID returns the trace id of the record with that sequence.
func ID(seq uint64) string {
	id, err := trace.NewID(timeOf(seq), rand.NewChaCha8([32]byte{byte(seq), byte(seq >> 8), byte(seq >> 16), byte(seq >> 24)}))
	if err != nil {
		panic(err) // it never runs out
	}
	return id
}

func timeOf(seq uint64) time.Time {
	late := rand.New(rand.NewPCG(seq, 8)).IntN(20)
	return time.Unix(1_800_000_000, 0).Add(time.Duration(seq)*time.Second - time.Duration(late)*time.Second).UTC()
}

func listing(t *testing.T, s trace.Storage) {
	all := Records(0, 400)
	appendAll(t, s, all[:200], all[200:])
	from := all[100].Time
	for _, since := range []time.Time{{}, from} {
		for _, until := range []time.Time{{}, from.Add(150 * time.Second), from} {
			for _, tenant := range []string{"", "acme", "nobody"} {
				for _, service := range []string{"", "gamma", "nothing"} {
					for _, status := range []string{"", "refused", "never"} {
						f := trace.Filter{Since: since, Until: until, Tenant: tenant, Service: service, Status: status, Limit: 1000}
						same(t, s, f, selected(all, f))
						f.Limit = 3
						same(t, s, f, selected(all, f))
						p := all[150].Position()
						f.Before, f.Limit = &p, 1000
						same(t, s, f, selected(all, f))
					}
				}
			}
		}
	}
}

func entries(t *testing.T, s trace.Storage) {
	all := Records(0, 700)
	appendAll(t, s, all[:1], all[1:257], all[257:513], all[513:])
	read, err := s.ReadEntries(100, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[100:600] {
		sum, err := tree.ParseEntry(read[:tree.EntrySize])
		if err != nil || sum != r.Hash {
			t.Fatalf("entry %d: %x, %v", r.Sequence, sum, err)
		}
		read = read[tree.EntrySize:]
	}
	if _, err := s.ReadEntries(600, 101); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("more entries than there are: %v", err)
	}
	at, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head, err := tree.ReadHead(at.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := tree.ProveInclusion(s, head, 300)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.CheckInclusion(proof, head, 300, tree.AppendEntry(nil, all[300].Hash)); err != nil {
		t.Error(err)
	}
	if _, err := s.ReadTile(0, 2, 189); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("a wider tile than there is: %v", err)
	}
}

// selected is the plain definition of a listing.
func selected(all []trace.Record, f trace.Filter) []*trace.Record {
	var found []*trace.Record
	for i := range all {
		if f.Selects(&all[i]) {
			found = append(found, &all[i])
		}
	}
	slices.SortFunc(found, func(a, b *trace.Record) int { return b.Position().Compare(a.Position()) })
	return found[:min(len(found), f.Limit)]
}

func same(t *testing.T, s trace.Storage, f trace.Filter, want []*trace.Record) {
	t.Helper()
	got, err := s.List(t.Context(), f)
	if err != nil {
		t.Fatalf("%+v: %v", f, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%+v: %d records, want %d", f, len(got), len(want))
	}
	for i := range got {
		equal(t, got[i], want[i])
	}
}

func pages(t *testing.T, s trace.Storage) {
	all := Records(0, 250)
	appendAll(t, s, all)
	for _, f := range []trace.Filter{{}, {Tenant: "acme"}, {Service: "beta", Status: "ok"}, {Tenant: "globex", Service: "alpha", Status: "failed"}} {
		f.Limit = 1000
		whole := selected(all, f)
		var joined []*trace.Record
		for f.Limit = 7; ; {
			page, err := s.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if joined = append(joined, page...); len(page) < f.Limit {
				break
			}
			p := page[len(page)-1].Position()
			f.Before = &p
		}
		if len(joined) != len(whole) {
			t.Fatalf("%+v: pages join to %d records, want %d", f, len(joined), len(whole))
		}
		for i := range joined {
			equal(t, joined[i], whole[i])
		}
	}
}

func names(t *testing.T, s trace.Storage) {
	at := time.Unix(0, 0).UTC() // the epoch and before are times like any other
	var all []trace.Record
	for i, n := range [][2]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"a\x00", "b"}, {"a", "\x00b"}, {"a|b", "c"}, {"a", "b|c"}, {"\xff\xff", "\xff"}} {
		r := Records(uint64(i), 1)[0]
		r.Tenant, r.Services, r.Status, r.Time = n[0], nil, "s"+n[1], at.Add(-time.Duration(i%3)*time.Hour)
		if n[1] != "" {
			r.Services = []string{n[1]}
		}
		all = append(all, r)
	}
	appendAll(t, s, all)
	for _, r := range all {
		service := ""
		if len(r.Services) > 0 {
			service = r.Services[0]
		}
		for _, f := range []trace.Filter{
			{Tenant: r.Tenant}, {Service: service}, {Status: r.Status}, {Tenant: r.Tenant, Service: service},
			{Tenant: r.Tenant, Status: r.Status}, {Service: service, Status: r.Status}, {Tenant: r.Tenant, Service: service, Status: r.Status},
			{Since: at}, {Until: at}, {Since: at.Add(-time.Hour), Until: at},
		} {
			f.Limit = 100
			same(t, s, f, selected(all, f))
		}
	}
}

func duplicates(t *testing.T, s trace.Storage) {
	appendAll(t, s, Records(0, 2))
	known := Records(2, 2)
	known[1].TraceID = ID(0)
	twice := Records(2, 2)
	twice[1].TraceID = twice[0].TraceID
	for _, group := range [][]trace.Record{known, twice} {
		if err := s.Append(t.Context(), &trace.Group{Records: group}); !errors.Is(err, trace.ErrExists) {
			t.Errorf("Append: %v, want ErrExists", err)
		}
		next(t, s, 2)
		if _, err := s.Get(t.Context(), ID(2)); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("a refused group left a trace behind: %v", err)
		}
	}
	first, err := s.Get(t.Context(), ID(0))
	if err != nil || first.Sequence != 0 {
		t.Errorf("the first trace is no longer what its id finds: %+v, %v", first, err)
	}
	appendAll(t, s, Records(2, 2))
}

func concurrent(t *testing.T, s trace.Storage) {
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				found, err := s.List(context.WithoutCancel(t.Context()), trace.Filter{Tenant: "acme", Limit: 20})
				if err != nil {
					t.Error(err)
					return
				}
				for i, r := range found {
					if i > 0 && r.Position().Compare(found[i-1].Position()) >= 0 {
						t.Error("a listing is out of order")
					}
					if got, err := s.Get(context.WithoutCancel(t.Context()), r.TraceID); err != nil || got.Sequence != r.Sequence {
						t.Errorf("listed, but not to be had: %v", err)
					}
				}
			}
		})
	}
	for i := range 20 {
		appendAll(t, s, Records(uint64(i*25), 25))
	}
	close(done)
	readers.Wait()
	next(t, s, 500)
}

func appendAll(t *testing.T, s trace.Storage, groups ...[]trace.Record) {
	t.Helper()
	for _, g := range groups {
		if err := s.Append(t.Context(), Group(t, s, g)); err != nil {
			t.Fatal(err)
		}
	}
}

// Group returns the group of records with which s goes on: with their hashes and a checkpoint, signed by a key that
// nobody keeps.
func Group(t testing.TB, s trace.Storage, records []trace.Record) *trace.Group {
	t.Helper()
	at, err := s.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var edge tree.Edge
	if at.Size > 0 {
		was, err := tree.ReadHead(at.Checkpoint)
		if err == nil {
			edge, err = tree.ReadEdge(s, was)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	g := &trace.Group{Records: records}
	for i := range records {
		edge.Append(tree.RecordHash(tree.AppendEntry(nil, records[i].Hash)), func(level int, h tree.Hash) {
			for level >= len(g.Hashes) {
				g.Hashes = append(g.Hashes, nil)
			}
			g.Hashes[level] = append(g.Hashes[level], h[:]...)
		})
	}
	skey, err := tree.NewKey(crand.Reader, "test.invalid")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	if g.Checkpoint, err = signer.Sign(tree.Head{Size: edge.Size(), Root: edge.Root()}); err != nil {
		t.Fatal(err)
	}
	return g
}

func next(t *testing.T, s trace.Storage, want uint64) {
	t.Helper()
	if got, err := s.Head(t.Context()); err != nil || got.Size != want {
		t.Fatalf("Head: %d, %v; want %d", got.Size, err, want)
	}
}

func equal(t *testing.T, got, want *trace.Record) {
	t.Helper()
	if got.Sequence != want.Sequence || got.TraceID != want.TraceID || got.Tenant != want.Tenant || got.Status != want.Status ||
		!slices.Equal(got.Services, want.Services) || !got.Time.Equal(want.Time) || got.Hash != want.Hash || string(got.Raw) != string(want.Raw) {
		t.Fatalf("got record %d (%s), want %d (%s), or other fields differ:\n%+v\n%+v", got.Sequence, got.TraceID, want.Sequence, want.TraceID, head(got), head(want))
	}
}

func head(r *trace.Record) trace.Record {
	h := *r
	h.Raw = h.Raw[:min(len(h.Raw), 8)]
	return h
}
