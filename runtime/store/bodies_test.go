package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
)

// large returns records of 8 MB, one file of traces takes eight of them.
func large(first uint64, n int) []trace.Record {
	records := tracetest.Records(first, n)
	for i := range records {
		records[i].Raw = bytes.Repeat([]byte{byte(first) + byte(i) + 1}, 8<<20)
		records[i].Hash = sha256.Sum256(records[i].Raw)
	}
	return records
}

func appendEach(t *testing.T, s *store.Store, records []trace.Record) {
	t.Helper()
	for i := range records {
		if err := s.Traces().Append(t.Context(), records[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
}

func wantEach(t *testing.T, s *store.Store, records []trace.Record) {
	t.Helper()
	for i := range records {
		r, err := s.Traces().Get(t.Context(), records[i].TraceID)
		if err != nil || !bytes.Equal(r.Raw, records[i].Raw) {
			t.Fatalf("trace %d: %v, or it is another", records[i].Sequence, err)
		}
	}
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "traces", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTracesGoOnInFileAfterFileAndAfterARestart(t *testing.T) {
	dir := t.TempDir()
	records := large(0, 10)
	s := open(t, dir, store.Options{})
	appendEach(t, s, records[:3])
	s.Close()
	s = open(t, dir, store.Options{})
	appendEach(t, s, records[3:])
	wantEach(t, s, records)
	s.Close()
	if names := segments(t, dir); len(names) != 2 {
		t.Fatalf("the files are %v", names)
	}
	wantEach(t, open(t, dir, store.Options{}), records)
}

func TestAFullFileOfTracesThatIsGoneOrShortIsNoticedAtOnce(t *testing.T) {
	for what, harm := range map[string]func(name string) error{
		"gone":  os.Remove,
		"short": func(name string) error { return os.Truncate(name, 1000) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, store.Options{})
			appendEach(t, s, large(0, 9))
			s.Close()
			if err := harm(segments(t, dir)[0]); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Open(dir, store.Options{}); !errors.Is(err, trace.ErrDamaged) {
				t.Errorf("it opens: %v", err)
			}
		})
	}
}

func TestAGroupWhoseTracesCannotBeWrittenIsRefusedAndTheNextIsNot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	inTheWay := filepath.Join(dir, "traces")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	records := tracetest.Records(0, 3)
	if err := s.Traces().Append(t.Context(), records); !errors.Is(err, trace.ErrRefused) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Traces().Get(t.Context(), records[0].TraceID); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	appendEach(t, s, records)
	wantEach(t, s, records)
	s.Close()
	wantEach(t, open(t, dir, store.Options{}), records)
}

// TestWhatACrashLeftBehindIsNobodys: the traces of a group are written before the database points at them.
func TestWhatACrashLeftBehindIsNobodys(t *testing.T) {
	dir := t.TempDir()
	records := tracetest.Records(0, 4)
	s := open(t, dir, store.Options{})
	appendEach(t, s, records[:2])
	s.Close()
	f, err := os.OpenFile(segments(t, dir)[0], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("half a trace")
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, store.Options{})
	appendEach(t, s, records[2:])
	wantEach(t, s, records)
}

func TestTracesOfAnEarlierReleaseAreRead(t *testing.T) {
	dir := t.TempDir()
	records := tracetest.Records(0, 4)
	s := open(t, dir, store.Options{})
	for i := range records[:2] {
		if err := store.PutInline(s, &records[i]); err != nil {
			t.Fatal(err)
		}
	}
	appendEach(t, s, records[2:])
	wantEach(t, s, records)
}
