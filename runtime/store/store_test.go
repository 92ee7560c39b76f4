package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
)

func open(t testing.TB, dir string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestItsTracesAreAStorage(t *testing.T) {
	t.Run("on disk", func(t *testing.T) {
		tracetest.Storage(t, func(t *testing.T) trace.Storage { return open(t, t.TempDir(), store.Options{}).Traces() })
	})
	t.Run("in memory", func(t *testing.T) {
		tracetest.Storage(t, func(t *testing.T) trace.Storage { return open(t, "", store.Options{InMemory: true}).Traces() })
	})
}

// appendTraces appends n traces from the position first on.
func appendTraces(t *testing.T, s *store.Store, first uint64, n int) error {
	return s.Traces().Append(t.Context(), tracetest.Group(t, s.Traces(), tracetest.Records(first, n)))
}

// service returns the record of revision r of a service; Normal is large enough for the value log.
func service(id string, r uint64) store.ServiceRecord {
	return store.ServiceRecord{
		ID: id, Filename: id + ".yaml", Source: fmt.Appendf(nil, "service_id: %s # %d", id, r),
		Normal: bytes.Repeat(fmt.Appendf(nil, "%d ", r), 500), Message: fmt.Appendf(nil, "message %d", r), SchemaDigest: "d1", Revision: r, Time: time.Unix(int64(r), 5).UTC(),
	}
}

func save(t testing.TB, s *store.Store, records ...store.ServiceRecord) {
	t.Helper()
	for _, r := range records {
		if err := s.SaveService(t.Context(), r, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func wantServices(t *testing.T, s *store.Store, last uint64, want ...store.ServiceRecord) {
	t.Helper()
	got, gotLast, err := s.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b store.ServiceRecord) bool {
		return a.ID == b.ID && a.Filename == b.Filename && bytes.Equal(a.Source, b.Source) && bytes.Equal(a.Normal, b.Normal) && bytes.Equal(a.Message, b.Message) &&
			a.SchemaDigest == b.SchemaDigest && a.Revision == b.Revision && a.Time.Equal(b.Time)
	}
	if gotLast != last || !slices.EqualFunc(got, want, same) {
		t.Errorf("revision %d and %d services, want %d and %d, or they differ: %v", gotLast, len(got), last, len(want), got)
	}
}

// TestAServiceOfTheFirstReleaseIsRead: version 1 ended with the normal form.
func TestAServiceOfTheFirstReleaseIsRead(t *testing.T) {
	want := service("a", 7)
	want.Message = nil
	b := store.EncodeService(&want)
	b[0] = 1
	b = b[:len(b)-1] // the length of no message
	got, err := store.DecodeService(b)
	if err != nil || got.ID != want.ID || !bytes.Equal(got.Normal, want.Normal) || got.Message != nil || !got.Time.Equal(want.Time) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, version := range []byte{0, 3} {
		b[0] = version
		if _, err := store.DecodeService(b); !errors.Is(err, trace.ErrDamaged) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func TestServicesAreRenewedWithoutARevision(t *testing.T) {
	for name, open := range map[string]func() *store.Store{
		"on disk":   func() *store.Store { return open(t, t.TempDir(), store.Options{}) },
		"in memory": func() *store.Store { return open(t, "", store.Options{InMemory: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open()
			var want, renewed []store.ServiceRecord
			for i := range uint64(300) {
				r := service(fmt.Sprintf("s%03d", i), i+1)
				save(t, s, r)
				r.Normal, r.Message, r.SchemaDigest = bytes.Repeat([]byte("n"), 3000), []byte("new"), "d2"
				renewed, want = append(renewed, r), append(want, r)
			}
			// Since they were read, one was changed and one removed.
			changed := service("s000", 301)
			save(t, s, changed)
			if err := s.DeleteService(t.Context(), "s001", 302, ""); err != nil {
				t.Fatal(err)
			}
			want[0], want = changed, slices.Delete(want, 1, 2)
			if err := s.RenewServices(t.Context(), renewed); err != nil {
				t.Fatal(err)
			}
			wantServices(t, s, 302, want...)
			save(t, s, service("later", 303))
		})
	}
}

func TestServicesAndTheirRevisionSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	wantServices(t, s, 0)
	save(t, s, service("b", 1), service("a", 2), service("b", 3), service("c", 4))
	if err := s.DeleteService(t.Context(), "a", 5, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteService(t.Context(), "never-there", 6, ""); err != nil {
		t.Fatal(err)
	}
	wantServices(t, s, 6, service("b", 3), service("c", 4))
	s.Close()
	s = open(t, dir, store.Options{})
	wantServices(t, s, 6, service("b", 3), service("c", 4))
	for _, id := range []string{"b", "c"} {
		if err := s.DeleteService(t.Context(), id, 7+uint64(id[0]-'b'), ""); err != nil {
			t.Fatal(err)
		}
	}
	wantServices(t, s, 8)
}

func TestARevisionThatIsNotNewerIsRefused(t *testing.T) {
	s := open(t, "", store.Options{InMemory: true})
	save(t, s, service("a", 5))
	for _, r := range []uint64{0, 4, 5} {
		if err := s.SaveService(t.Context(), service("a", r), ""); !errors.Is(err, store.ErrRevision) || !errors.Is(err, trace.ErrRefused) {
			t.Errorf("save at %d: %v", r, err)
		}
		if err := s.DeleteService(t.Context(), "a", r, ""); !errors.Is(err, store.ErrRevision) {
			t.Errorf("delete at %d: %v", r, err)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", 2000)} {
		if err := s.SaveService(t.Context(), service(id, 6), ""); err == nil {
			t.Errorf("an id of %d bytes was taken", len(id))
		}
	}
	huge := service("secret-payload", 6)
	huge.Normal = bytes.Repeat([]byte("secret"), 1<<20)
	if err := s.SaveService(t.Context(), huge, ""); !errors.Is(err, trace.ErrRefused) || strings.Contains(err.Error(), "secretsecret") {
		t.Errorf("a service of 6 MB in memory: %.200v", err)
	}
	wantServices(t, s, 5, service("a", 5))
}

func TestASecondProcessIsToldWhoHoldsTheStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	// The lock belongs to the open file, not to the process, so a second Open here is as good as another process.
	_, err := store.Open(dir, store.Options{})
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got %v", err)
	}
	s.Close()
	open(t, dir, store.Options{})
}

func TestADirectoryThatIsNoStoreIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "photo.jpg"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, store.Options{}); !errors.Is(err, store.ErrNotStore) || !strings.Contains(err.Error(), "photo.jpg") {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("something was put there: %v", entries)
	}
	if _, err := store.Open(filepath.Join(dir, "photo.jpg"), store.Options{}); err == nil {
		t.Error("a file was opened as a directory")
	}
	if _, err := store.Open("", store.Options{}); err == nil {
		t.Error("no directory was opened")
	}
	if _, err := store.Open(dir, store.Options{InMemory: true}); err == nil {
		t.Error("a store in memory was given a directory")
	}
}

func TestTheManifestIsHeldAgainstTheDatabase(t *testing.T) {
	manifest := func(dir string) string { return filepath.Join(dir, "caio-store.json") }
	for name, c := range map[string]struct {
		harm func(t *testing.T, dir string) error
		want error
	}{
		"a later format": {func(_ *testing.T, dir string) error {
			return os.WriteFile(manifest(dir), []byte(`{"format":3,"id":"x","state":"odd"}`), 0o600)
		}, store.ErrFormat},
		"not JSON": {func(_ *testing.T, dir string) error { return os.WriteFile(manifest(dir), []byte("{"), 0o600) }, trace.ErrDamaged},
		"no id": {func(_ *testing.T, dir string) error {
			return os.WriteFile(manifest(dir), []byte(`{"format":2,"state":"ready"}`), 0o600)
		}, trace.ErrDamaged},
		"removed":         {func(_ *testing.T, dir string) error { return os.Remove(manifest(dir)) }, store.ErrNotStore},
		"database gone":   {func(_ *testing.T, dir string) error { return os.RemoveAll(filepath.Join(dir, "db")) }, trace.ErrDamaged},
		"database erased": {func(_ *testing.T, dir string) error { return erase(filepath.Join(dir, "db")) }, trace.ErrDamaged},
		"another's database": {func(t *testing.T, dir string) error {
			other := t.TempDir()
			open(t, other, store.Options{}).Close()
			return errors.Join(os.RemoveAll(filepath.Join(dir, "db")), os.Rename(filepath.Join(other, "db"), filepath.Join(dir, "db")))
		}, trace.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, store.Options{})
			save(t, s, service("a", 1))
			s.Close()
			if err := c.harm(t, dir); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(dir, store.Options{})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func erase(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

func TestAFirstStartThatWasInterruptedIsCompleted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	save(t, s, service("a", 1))
	s.Close()
	file := filepath.Join(dir, "caio-store.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	asNew := bytes.Replace(raw, []byte("ready"), []byte("new"), 1)
	// Interrupted after the database was made, and before.
	for _, harm := range []func() error{func() error { return nil }, func() error {
		return errors.Join(os.RemoveAll(filepath.Join(dir, "db")), os.Remove(filepath.Join(dir, "head")))
	}} {
		if err := errors.Join(os.WriteFile(file, asNew, 0o600), os.WriteFile(file+".tmp", []byte("{"), 0o600), harm()); err != nil {
			t.Fatal(err)
		}
		open(t, dir, store.Options{}).Close()
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, raw) {
			t.Errorf("manifest is %s, %v", now, err)
		}
	}
}

func TestANearlyFullDiskRefusesWritesAndServesReads(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	save(t, s, service("a", 1))
	if err := appendTraces(t, s, 0, 3); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := store.Open(dir, store.Options{MinFreeBytes: 1 << 62}); !errors.Is(err, store.ErrLowSpace) {
		t.Errorf("open: %v", err)
	}
	s = open(t, dir, store.Options{})
	store.SetMinFree(s, 1<<62)
	if err := s.SaveService(t.Context(), service("b", 2), ""); !errors.Is(err, store.ErrLowSpace) || !errors.Is(err, trace.ErrRefused) {
		t.Errorf("save: %v", err)
	}
	if err := appendTraces(t, s, 3, 1); !errors.Is(err, store.ErrLowSpace) || !errors.Is(err, trace.ErrRefused) {
		t.Errorf("append: %v", err)
	}
	wantServices(t, s, 1, service("a", 1))
	if _, err := s.Traces().Get(t.Context(), tracetest.ID(2)); err != nil {
		t.Error(err)
	}
	store.SetMinFree(s, 1)
	save(t, s, service("b", 2))
	if err := appendTraces(t, s, 3, 1); err != nil {
		t.Error(err)
	}
}

func TestAfterAWriteOfUnknownOutcomeNothingMoreIsWritten(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	save(t, s, service("a", 1))
	if err := store.BreakWrites(s); errors.Is(err, trace.ErrRefused) || !errors.Is(err, store.ErrBroken) {
		t.Errorf("the write that broke: %v", err)
	}
	if err := s.SaveService(t.Context(), service("b", 2), ""); !errors.Is(err, store.ErrBroken) || !errors.Is(err, trace.ErrRefused) {
		t.Errorf("save: %v", err)
	}
	if err := appendTraces(t, s, 0, 1); !errors.Is(err, store.ErrBroken) {
		t.Errorf("append: %v", err)
	}
	wantServices(t, s, 1, service("a", 1))
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, _, err := s.Services(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Services: %v", err)
	}
	if err := s.SaveService(t.Context(), service("a", 1), ""); !errors.Is(err, store.ErrClosed) {
		t.Errorf("SaveService: %v", err)
	}
	if _, err := s.Traces().Get(t.Context(), tracetest.ID(0)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if err := appendTraces(t, s, 0, 1); !errors.Is(err, store.ErrClosed) || !errors.Is(err, trace.ErrRefused) {
		t.Errorf("Append: %v", err)
	}
}

func TestReadersMeanwhileClosingGetAnAnswerOrErrClosed(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	if err := appendTraces(t, s, 0, 100); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := s.Traces().List(t.Context(), trace.Filter{Limit: 50})
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if i == 0 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	s.Close()
	wg.Wait()
}

func TestWhatBadgerSaysGoesToTheLogger(t *testing.T) {
	var said bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	open(t, t.TempDir(), store.Options{Logger: logger}).Close()
	if !strings.Contains(said.String(), "level=DEBUG msg=badger text=") {
		t.Errorf("logged: %s", said.String())
	}
}

func Example() {
	s, err := store.Open("", store.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.SaveService(ctx, store.ServiceRecord{ID: "fast", Source: []byte("..."), Revision: 1}, ""); err != nil {
		fmt.Println(err)
		return
	}
	services, last, err := s.Services(ctx)
	fmt.Println(len(services), services[0].ID, last, err)
	// Output: 1 fast 1 <nil>
}
