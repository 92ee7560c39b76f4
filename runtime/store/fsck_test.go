package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// lived is a store that was in use for four days: two tenants' traces, of which some were erased and the first day was
// dropped; services, policies, content; a checkpoint as a witness leaves it.
type lived struct {
	key      []byte // of the store; nil: it is not encrypted
	signer   *tree.Signer
	verifier tree.Verifier
	earlier  image // when it had been for three, and nothing was removed
	now      image
	head     []byte // the newest checkpoint
}

func live(t *testing.T, key []byte) *lived {
	t.Helper()
	l := &lived{key: key, signer: newSigner(t)}
	var err error
	if l.verifier, err = l.signer.Verifier(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l.earlier = l.days(t, dir, 0, 3)
	l.now = l.days(t, dir, 3, 4)
	return l
}

// days uses the store from one day to another, and returns its files when it is closed again.
func (l *lived) days(t *testing.T, dir string, from, to int) image {
	t.Helper()
	s := open(t, dir, store.Options{Key: l.key})
	log, err := trace.Open(s.Traces(), trace.Options{Signer: l.signer})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := from * 12; i < to*12; i++ {
		at := start.Add(time.Duration(i) * 2 * time.Hour)
		store.SetDay(s, at.Format("20060102"))
		m := workTrace()
		if m.TraceId, err = trace.NewID(at, rand.Reader); err != nil {
			t.Fatal(err)
		}
		m.Time, m.Status = timestamppb.New(at), []string{"ok", "refused"}[i%5%2]
		m.Request.Principal = &caiov1.Principal{Tenant: []string{"acme", "globex"}[i%2], Subject: fmt.Sprint("s", i%3)}
		if err := log.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	for i := from + 1; i <= to; i++ {
		r := uint64(i)
		save(t, s, service(fmt.Sprint("s", r), r))
		err := s.SavePolicies(t.Context(), store.PolicyRecord{PolicyVersion: store.PolicyVersion{Number: uint32(i), Digest: fmt.Sprint(i)}, Files: map[string][]byte{"a.rego": []byte("package a")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.PutContent(t.Context(), bytes.Repeat([]byte{byte(i)}, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	if from > 0 {
		now := start.Add(time.Duration(to) * 24 * time.Hour)
		if n, _, err := log.Erase(t.Context(), now, rand.Reader, trace.Erasure{Tenant: "acme", Subject: "s2", Reason: trace.ByRequest}); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		if n, err := log.Retain(t.Context(), now, rand.Reader, trace.Retention{Default: 3 * 24 * time.Hour}); err != nil || n != 12 {
			t.Fatal(n, err)
		}
	}
	l.head, _ = log.Checkpoint()
	if err := errors.Join(s.Traces().KeepCosigned(l.head), log.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	return readImage(t, dir)
}

func (l *lived) fsck(t *testing.T, dir string) (*store.FsckReport, string) {
	t.Helper()
	r, err := store.Fsck(t.Context(), dir, store.FsckOptions{Key: l.key, Log: l.verifier})
	if err != nil {
		t.Fatal(err)
	}
	return r, listed(r)
}

func listed(r *store.FsckReport) string {
	var text strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%s: %s at %d, trace %d: %s; should be %s\n", f.Kind, f.File, f.Offset, f.Sequence, f.Found, f.Want)
	}
	return text.String()
}

func TestAStoreThatLivedIsWhole(t *testing.T) {
	for name, key := range map[string][]byte{"plain": nil, "encrypted": bytes.Repeat([]byte{7}, store.KeySize)} {
		t.Run(name, func(t *testing.T) {
			l := live(t, key)
			dir := l.now.write(t)
			var last store.Progress
			r, err := store.Fsck(t.Context(), dir, store.FsckOptions{Key: key, Log: l.verifier, Known: [][]byte{l.head}, Progress: func(p store.Progress) {
				if p.Done < last.Done || p.All < p.Done || p.Traces < last.Traces {
					t.Errorf("%+v after %+v", p, last)
				}
				last = p
			}})
			if err != nil || len(r.Findings) > 0 {
				t.Fatalf("%v\n%s", err, listed(r))
			}
			if r.Traces != 50 || r.Dropped != 12 || r.Erased != 6 || r.Bodies != 32 || r.Days != 3 || r.Services != 4 || r.Policies != 4 || r.Contents != 8 || last.Done != last.All {
				t.Errorf("%+v, %+v", r, last)
			}
			after := readImage(t, dir)
			for rel, f := range l.now {
				if !strings.Contains(rel, "/index/") && rel != "LOCK" && !bytes.Equal(after[rel].data, f.data) {
					t.Errorf("%s was changed", rel)
				}
			}
			s := open(t, dir, store.Options{Key: key})
			if _, err := store.Fsck(t.Context(), dir, store.FsckOptions{Key: key}); !errors.Is(err, store.ErrLocked) {
				t.Errorf("while it is used: %v", err)
			}
			s.Close()
			if _, err := store.Fsck(t.Context(), dir, store.FsckOptions{Key: bytes.Repeat([]byte{8}, store.KeySize)}); !errors.Is(err, store.ErrSealed) {
				t.Errorf("with another key: %v", err)
			}
			for _, dir := range []string{t.TempDir(), filepath.Join(dir, "nothing"), filepath.Join(dir, "log")} {
				if _, err := store.Fsck(t.Context(), dir, store.FsckOptions{}); !errors.Is(err, store.ErrNotStore) {
					t.Errorf("of something else: %v", err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := store.Fsck(ctx, dir, store.FsckOptions{Key: key}); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled: %v", err)
			}
		})
	}
}

// TestNoDamageIsSilent harms each file of a store in each way. Whatever it is: the check finds it, or the store is not
// opened, or opening it says what it mended.
func TestNoDamageIsSilent(t *testing.T) {
	l := live(t, nil)
	harms := map[string]func(now, earlier file) (file, bool){
		"an early byte flipped": func(now, _ file) (file, bool) { return flipped(now, min(60, len(now.data)-1)) },
		"a late byte flipped":   func(now, _ file) (file, bool) { return flipped(now, len(now.data)-1-len(now.data)/50) },
		"truncated": func(now, _ file) (file, bool) {
			end := len(now.data) * 2 / 3
			return file{now.data[:end], int64(end)}, len(now.data) > 0
		},
		"removed": func(file, file) (file, bool) { return file{}, true },
		"rolled back": func(now, earlier file) (file, bool) {
			return earlier, earlier.data != nil && !bytes.Equal(now.data, earlier.data)
		},
	}
	kinds := map[string]int{}
	for _, rel := range slices.Sorted(maps.Keys(l.now)) {
		for _, name := range slices.Sorted(maps.Keys(harms)) {
			f, harmed := harms[name](l.now[rel], l.earlier[rel])
			if !harmed || holdsNothing(rel, name) {
				continue
			}
			m := maps.Clone(l.now)
			if m[rel] = f; name == "removed" {
				delete(m, rel)
			}
			kinds[name]++
			if !l.noticed(t, m) {
				t.Errorf("%s, %s: nothing is said", rel, name)
			}
		}
	}
	for _, of := range []string{"db/", "log/", "traces/20261102/", "traces/20261103/index/", "traces/"} {
		m := maps.Clone(l.now)
		maps.DeleteFunc(m, func(rel string, _ file) bool { return strings.HasPrefix(rel, of) })
		for rel, f := range l.earlier {
			if strings.HasPrefix(rel, of) {
				m[rel] = f
			}
		}
		if !l.noticed(t, m) {
			t.Errorf("%s rolled back as a whole: nothing is said", of)
		}
	}
	for name := range harms {
		if kinds[name] < 5 {
			t.Errorf("%d files were %s", kinds[name], name)
		}
	}
}

// holdsNothing tells whether nothing is lost with that: what Badger keeps beside rows, of indexes and of a store that is not
// encrypted; bounds of a day, which are looked up; a cosigned checkpoint, of which nothing else knows and which is signed
// again. Of the indexes of three days two are harmed.
func holdsNothing(rel, harm string) bool {
	base := filepath.Base(rel)
	return base == "LOCK" || base == "DISCARD" || base == "KEYREGISTRY" ||
		strings.Contains(rel, "/index/") && (filepath.Ext(base) == ".vlog" || !strings.Contains(rel, "20261102") && !strings.Contains(rel, "20261104")) ||
		base == "bounds.json" && harm == "removed" ||
		base == "cosigned" && (harm == "removed" || harm == "rolled back")
}

func flipped(f file, at int) (file, bool) {
	if len(f.data) == 0 {
		return f, false
	}
	data := bytes.Clone(f.data)
	data[at] ^= 0x10
	return file{data, f.size}, true
}

// noticed tells whether something is said of a store with these files. It must not panic.
func (l *lived) noticed(t *testing.T, m image) bool {
	dir := m.write(t)
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	r, err := store.Fsck(t.Context(), dir, store.FsckOptions{Key: l.key, Log: l.verifier})
	if err != nil || len(r.Findings) > 0 {
		return true
	}
	var said bytes.Buffer
	s, err := store.Open(dir, store.Options{Key: l.key, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		return true
	}
	return s.Close() != nil || said.Len() > 0
}

// TestAStoreRolledBackIsToldByACheckpoint: nothing in a directory can tell that all of it is an older copy.
func TestAStoreRolledBackIsToldByACheckpoint(t *testing.T) {
	l := live(t, nil)
	dir := l.earlier.write(t)
	if r, said := l.fsck(t, dir); !r.Whole() {
		t.Errorf("an older copy is\n%s", said)
	}
	r, err := store.Fsck(t.Context(), dir, store.FsckOptions{Log: l.verifier, Known: [][]byte{l.head}})
	if err != nil || r.Whole() || !strings.Contains(listed(r), "a checkpoint of 50 traces; should be one of 36 at most") {
		t.Errorf("%v\n%s", err, listed(r))
	}
}
