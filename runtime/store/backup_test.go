package store_test

import (
	"archive/tar"
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newSigner(t testing.TB) *tree.Signer {
	t.Helper()
	key, err := tree.NewKey(crand.Reader, "backup.test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func openLog(t testing.TB, s *store.Store, signer *tree.Signer) *trace.Log {
	t.Helper()
	l, err := trace.Open(s.Traces(), trace.Options{Signer: signer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// of returns a trace of that time and subject.
func of(t testing.TB, at time.Time, subject string) *caiov1.Trace {
	t.Helper()
	id, err := trace.NewID(at, crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &caiov1.Trace{TraceId: id, Time: timestamppb.New(at), Status: "ok", ServiceId: "fast", Salt: make([]byte, 16),
		Request: &caiov1.Request{Principal: &caiov1.Principal{Tenant: "acme", Subject: subject}, Capabilities: make([]string, 300)}}
}

// ofWeek makes a store of some days, of which a body was erased and a day was dropped. ids are those that are whole.
func ofWeek(t testing.TB, s *store.Store, l *trace.Log) (now time.Time, ids []string) {
	t.Helper()
	first := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for i := range 50 {
		now = first.Add(time.Duration(i/10) * 24 * time.Hour)
		store.SetDay(s, now.Format("20060102"))
		m := of(t, now, fmt.Sprint("s", i%10))
		if err := l.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
		if i >= 10 && i%10 != 3 {
			ids = append(ids, m.TraceId)
		}
	}
	if n, _, err := l.Erase(t.Context(), now, crand.Reader, trace.Erasure{Subject: "s3", Reason: trace.ByRequest}); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	if n, err := l.Retain(t.Context(), now, crand.Reader, trace.Retention{Default: 84 * time.Hour}); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	return now, ids
}

func backUp(t testing.TB, s *store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func restore(t testing.TB, backup []byte, dir string, o store.RestoreOptions) *store.Restored {
	t.Helper()
	done, err := store.Restore(t.Context(), bytes.NewReader(backup), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// meanwhile calls do once so many bytes were written.
type meanwhile struct {
	bytes.Buffer
	after int
	do    func()
}

func (m *meanwhile) Write(p []byte) (int, error) {
	if m.do != nil && m.Len() > m.after {
		do := m.do
		m.do = nil
		do()
	}
	return m.Buffer.Write(p)
}

// TestABackupIsOfOneMoment takes a backup while traces are appended, services registered, bodies erased and a day dropped.
func TestABackupIsOfOneMoment(t *testing.T) {
	s, signer := open(t, t.TempDir(), store.Options{}), newSigner(t)
	l := openLog(t, s, signer)
	now, before := ofWeek(t, s, l)
	save(t, s, service("before", 1))

	stop := make(chan struct{})
	var load, erasing sync.WaitGroup
	for i := range 4 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				var err error
				if i == 0 {
					err = s.SaveService(t.Context(), service(fmt.Sprint("s", n%7), uint64(n+2)), "")
				} else {
					err = l.Append(t.Context(), of(t, now, "meanwhile"), trace.Durable)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	into := &meanwhile{after: 4 << 10}
	into.do = func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, _, err := l.Erase(ctx, now, crand.Reader, trace.Erasure{Subject: "s4"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an erasure that would not wait for the backup: %v", err)
		}
		erasing.Go(func() {
			if n, _, err := l.Erase(t.Context(), now, crand.Reader, trace.Erasure{Subject: "s5"}); err != nil || n == 0 {
				t.Errorf("erased while the backup ran: %d, %v", n, err)
			}
			if n, err := l.Retain(t.Context(), now, crand.Reader, trace.Retention{Default: 60 * time.Hour}); err != nil || n == 0 {
				t.Errorf("dropped while the backup ran: %d, %v", n, err)
			}
		})
		for size := l.Head().Size; l.Head().Size < size+300; { // the log is well ahead of what is being copied
			time.Sleep(time.Millisecond)
		}
	}
	if err := s.Backup(t.Context(), into); err != nil {
		t.Fatal(err)
	}
	erasing.Wait()
	close(stop)
	load.Wait()

	dir := t.TempDir()
	verifier, err := signer.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	done := restore(t, into.Bytes(), dir, store.RestoreOptions{LogKey: verifier})
	if done.Damaged != nil || done.Behind != "" || done.Bytes != int64(into.Len()) || done.Traces < 52 {
		t.Errorf("restored: %+v", done)
	}
	back := open(t, dir, store.Options{})
	was := openLog(t, back, signer)
	head, now2 := was.Head(), l.Head()
	if head.Size != done.Traces || head.Size+300 > now2.Size {
		t.Errorf("it has %d traces, its manifest says %d, and the log has %d", head.Size, done.Traces, now2.Size)
	}
	proof, err := tree.ProveConsistency(s.Traces(), now2, head.Size)
	if err != nil || tree.CheckConsistency(proof, now2, head) != nil {
		t.Errorf("the log does not go on from what was restored: %v", err)
	}
	for _, id := range before {
		if _, err := was.Get(t.Context(), id); err != nil {
			t.Errorf("a trace of before: %v", err)
		}
	}
	if _, err := was.At(t.Context(), 13); !errors.Is(err, trace.ErrErased) {
		t.Errorf("a trace that was erased before: %v", err)
	}
	for seq := range head.Size {
		if _, err := was.At(t.Context(), seq); err != nil && !errors.Is(err, trace.ErrErased) {
			t.Errorf("trace %d: %v", seq, err)
		}
	}
	records, _, err := back.Services(t.Context())
	if err != nil || !slices.ContainsFunc(records, func(r store.ServiceRecord) bool { return r.ID == "before" }) {
		t.Errorf("services: %v, %v", records, err)
	}
	if err := was.Append(t.Context(), of(t, now, "after"), trace.Durable); err != nil {
		t.Error(err)
	}
}

// small returns a backup of a small store.
func small(t testing.TB) []byte {
	s := open(t, t.TempDir(), store.Options{})
	ofWeek(t, s, openLog(t, s, newSigner(t)))
	save(t, s, service("a", 1), service("b", 2))
	return backUp(t, s)
}

func TestABackupOfAnEncryptedStoreShowsNothing(t *testing.T) {
	key := bytes.Repeat([]byte{7}, store.KeySize)
	s := open(t, t.TempDir(), store.Options{Key: key})
	secret := strings.Repeat("the name of a patient ", 20)
	r := tracetest.Records(0, 3)
	r[1].Raw = []byte(secret)
	if err := s.Traces().Append(t.Context(), tracetest.Group(t, s.Traces(), r)); err != nil {
		t.Fatal(err)
	}
	patients := service("patients", 1)
	patients.Source = []byte(secret)
	save(t, s, patients)
	whole := backUp(t, s)
	for _, word := range []string{"name of a patient", "patients"} {
		if bytes.Contains(whole, []byte(word)) {
			t.Errorf("the backup shows %q", word)
		}
	}
	for name, wrong := range map[string][]byte{"none": nil, "another": bytes.Repeat([]byte{8}, store.KeySize)} {
		if _, err := store.Restore(t.Context(), bytes.NewReader(whole), t.TempDir(), store.RestoreOptions{Key: wrong}); !errors.Is(err, store.ErrSealed) {
			t.Errorf("key %s: %v", name, err)
		}
	}
	dir := t.TempDir()
	restore(t, whole, dir, store.RestoreOptions{Key: key})
	back := open(t, dir, store.Options{Key: key})
	if got, err := back.Traces().Get(t.Context(), tracetest.ID(1)); err != nil || string(got.Raw) != secret {
		t.Errorf("%v, %v", got, err)
	}
	wantServices(t, back, 1, patients)
}

// TestAnEmptyStoreIsBackedUp: a log that was never written, and one whose every trace was appended by a storage's caller.
func TestAnEmptyStoreIsBackedUp(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	for n := range 2 {
		dir := t.TempDir()
		if done := restore(t, backUp(t, s), dir, store.RestoreOptions{}); done.Traces != uint64(3*n) || (done.Checkpoint == nil) != (n == 0) {
			t.Errorf("restored %+v", done)
		}
		back := open(t, dir, store.Options{})
		if err := appendTraces(t, back, uint64(3*n), 3); err != nil {
			t.Error(err)
		}
		if err := appendTraces(t, s, uint64(3*n), 3); err != nil {
			t.Fatal(err)
		}
	}
}

// TestABackupIsReadByOthersTools: it is a tar file that says what it is.
func TestABackupIsReadByOthersTools(t *testing.T) {
	whole := small(t)
	from := tar.NewReader(bytes.NewReader(whole))
	var names []string
	for {
		h, err := from.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 {
			var m struct {
				Format, Traces, Segments int
				Checkpoint               string
			}
			if err := json.NewDecoder(from).Decode(&m); err != nil || m.Format != 1 || m.Traces != 52 || m.Segments != 4 || !strings.HasPrefix(m.Checkpoint, "backup.test\n52\n") {
				t.Errorf("the manifest is %+v, %v", m, err)
			}
		}
		names = append(names, h.Name)
	}
	if n := len(names); names[0] != "caio-backup.json" || names[1] != "db/00000001" || names[n-1] != "SHA256SUMS" ||
		slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "index") || strings.Contains(name, "20261101") }) {
		t.Errorf("it holds %v", names)
	}
}
