package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

func TestABackupThatIsNotWholeIsRefused(t *testing.T) {
	whole := small(t)
	refused := func(what string, backup []byte) {
		t.Helper()
		dir := t.TempDir()
		_, err := store.Restore(t.Context(), bytes.NewReader(backup), dir, store.RestoreOptions{})
		if !errors.Is(err, store.ErrBackup) {
			t.Errorf("%s: %v", what, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 1 || len(left) == 1 && left[0].Name() != "LOCK" {
			t.Errorf("%s: it left %v", what, left)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	places := []int{0, 1, 511, 512, 513, len(whole) - 1, len(whole) - 512, len(whole) - 1024, len(whole) - 1025, len(whole) - 1536}
	for range 30 {
		places = append(places, rng.IntN(len(whole)))
	}
	for _, at := range places {
		refused(fmt.Sprintf("cut off at %d of %d", at, len(whole)), whole[:at])
		changed := bytes.Clone(whole)
		changed[at] ^= 1 << rng.IntN(8)
		refused(fmt.Sprintf("a bit changed at %d of %d", at, len(whole)), changed)
	}
	refused("something behind it", append(bytes.Clone(whole), 'x'))
	refused("a file of another kind", []byte("PK\x03\x04 this is a zip file, or something else"))
	dir := t.TempDir()
	restore(t, append(bytes.Clone(whole), make([]byte, 10<<10)...), dir, store.RestoreOptions{}) // as tapes do
	open(t, dir, store.Options{})
}

func TestARestoreTakesOnlyAnEmptyDirectory(t *testing.T) {
	whole := small(t)
	dir := t.TempDir()
	restore(t, whole, dir, store.RestoreOptions{})
	over := func() {
		t.Helper()
		if _, err := store.Restore(t.Context(), bytes.NewReader(whole), dir, store.RestoreOptions{Force: true}); !errors.Is(err, store.ErrNotStore) {
			t.Errorf("over a store: %v", err)
		}
	}
	over()
	s := open(t, dir, store.Options{})
	over()
	wantServices(t, s, 2, service("a", 1), service("b", 2))
	// What a crash left is neither opened nor taken.
	left := t.TempDir()
	if err := os.Mkdir(filepath.Join(left, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(t.Context(), bytes.NewReader(whole), left, store.RestoreOptions{}); !errors.Is(err, store.ErrNotStore) {
		t.Errorf("over what a crash left: %v", err)
	}
	if _, err := store.Open(left, store.Options{}); !errors.Is(err, store.ErrNotStore) {
		t.Errorf("what a crash left is opened: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Restore(ctx, bytes.NewReader(whole), t.TempDir(), store.RestoreOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if err := s.Backup(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup that is canceled: %v", err)
	}
	if err := open(t, "", store.Options{InMemory: true}).Backup(t.Context(), io.Discard); err == nil {
		t.Error("a store in memory is backed up")
	}
}

func TestAnOlderBackupThanACheckpointIsRefused(t *testing.T) {
	s, signer := open(t, t.TempDir(), store.Options{}), newSigner(t)
	verifier, err := signer.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, s, signer)
	now, _ := ofWeek(t, s, l)
	checkpoint := func(l *trace.Log) []byte {
		signed, err := l.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	earlier := checkpoint(l)
	for range 3 {
		if err := l.Append(t.Context(), of(t, now, "x"), trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	whole, same := backUp(t, s), checkpoint(l)
	for range 2 {
		if err := l.Append(t.Context(), of(t, now, "x"), trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	later := checkpoint(l)
	other := open(t, t.TempDir(), store.Options{})
	another := openLog(t, other, newSigner(t))
	for range 20 {
		if err := another.Append(t.Context(), of(t, now, "x"), trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		o      store.RestoreOptions
		want   error
		behind string
	}{
		"earlier":                 {store.RestoreOptions{Earlier: earlier, LogKey: verifier}, nil, ""},
		"the same":                {store.RestoreOptions{Earlier: same}, nil, ""},
		"later":                   {store.RestoreOptions{Earlier: later, LogKey: verifier}, store.ErrBehind, "the last 2 are missing"},
		"later, forced":           {store.RestoreOptions{Earlier: later, Force: true}, nil, "the last 2 are missing"},
		"of another log":          {store.RestoreOptions{Earlier: checkpoint(another)}, store.ErrBehind, "of another log"},
		"of another log, forced":  {store.RestoreOptions{Earlier: checkpoint(another), Force: true}, nil, "of another log"},
		"of another log, by key":  {store.RestoreOptions{Earlier: checkpoint(another), LogKey: verifier, Force: true}, tree.ErrCheckpoint, ""},
		"not a checkpoint":        {store.RestoreOptions{Earlier: []byte("x"), Force: true}, tree.ErrCheckpoint, ""},
		"signed by somebody else": {store.RestoreOptions{LogKey: verifierOf(t, newSigner(t)), Force: true}, tree.ErrCheckpoint, ""},
	} {
		dir := t.TempDir()
		done, err := store.Restore(t.Context(), bytes.NewReader(whole), dir, c.o)
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.behind) || err == nil && !strings.Contains(done.Behind, c.behind) {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
		if err == nil {
			open(t, dir, store.Options{})
		} else if left, _ := filepath.Glob(dir + "/*"); len(left) > 1 {
			t.Errorf("%s: it left %v", name, left)
		}
	}
}

func verifierOf(t testing.TB, s *tree.Signer) tree.Verifier {
	t.Helper()
	v, err := s.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestADamagedBodyDoesNotSpoilTheBackup: it is said, and all else is there.
func TestADamagedBodyDoesNotSpoilTheBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	all := ofDays(t, s, 3, 20)
	segments, err := filepath.Glob(filepath.Join(dir, "traces/20261102/*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	raw, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(segments[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	done := restore(t, backUp(t, s), to, store.RestoreOptions{})
	if len(done.Damaged) != 1 || !strings.Contains(done.Damaged[0], "20261102") {
		t.Errorf("damaged: %v", done.Damaged)
	}
	back := open(t, to, store.Options{})
	for i := range all {
		if _, err := back.Traces().At(t.Context(), uint64(i)); (i < 20 || i >= 40) && err != nil {
			t.Errorf("trace %d: %v", i, err)
		}
	}
}
