package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/schema"
)

func TestContentIsThereUnderItsDigest(t *testing.T) {
	for name, s := range map[string]*store.Store{
		"on disk": open(t, t.TempDir(), store.Options{}), "in memory": open(t, "", store.Options{InMemory: true}),
	} {
		for _, size := range []int{0, 1, 512<<10 - 1, 512 << 10, 512<<10 + 1, 3 << 20} {
			content := bytes.Repeat([]byte(fmt.Sprint(size, ".")), size)[:size]
			for range 2 {
				digest, err := s.PutContent(t.Context(), content)
				if err != nil || digest != schema.Digest(content) {
					t.Fatalf("%s, %d bytes: %s, %v", name, size, digest, err)
				}
			}
			if got, err := s.Content(t.Context(), schema.Digest(content)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes come back as %d, %v", name, size, len(got), err)
			}
		}
		for _, digest := range []string{"", "xyz", schema.Digest([]byte("never put")), schema.Digest(nil) + "00"} {
			if _, err := s.Content(t.Context(), digest); !errors.Is(err, store.ErrNoContent) {
				t.Errorf("%s: %q: %v", name, digest, err)
			}
		}
	}
}

func TestEveryStateOfTheRegistryIsTold(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	contract := func(id string, n int) []byte { return fmt.Appendf(nil, `{"service_id":%q,"n":%d}`, id, n) }
	state := map[string][]byte{}
	states := map[string][]store.Registration{}
	note := func() string { // a name for the state, as the registry's digest is one
		var all []store.Registration
		for id, normal := range state {
			all = append(all, store.Registration{ID: id, Contract: schema.Digest(normal)})
		}
		slices.SortFunc(all, func(a, b store.Registration) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
		digest := schema.Digest(fmt.Append(nil, all))
		states[digest] = all
		return digest
	}
	check := func() {
		t.Helper()
		for digest, want := range states {
			got, err := s.RegistryAt(t.Context(), digest)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("state %v is told as %v, %v", want, got, err)
			}
			for _, r := range got {
				if _, err := s.Content(t.Context(), r.Contract); err != nil {
					t.Errorf("contract of %s: %v", r.ID, err)
				}
			}
		}
	}
	if err := s.NoteRegistry(t.Context(), note(), state); err != nil {
		t.Fatal(err)
	}
	revision := uint64(0)
	for i := range 60 {
		id := fmt.Sprint("s", i%7)
		revision++
		if i%5 == 4 {
			delete(state, id)
			if err := s.DeleteService(t.Context(), id, revision, note()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		r := service(id, revision)
		r.Normal = contract(id, i%3) // now and then what was there before
		state[id] = r.Normal
		if err := s.SaveService(t.Context(), r, note()); err != nil {
			t.Fatal(err)
		}
	}
	check()

	// What came into force past the notes, as where a new schema reads contracts otherwise, is noted when it is loaded.
	delete(state, "s1")
	for i := range 300 {
		state[fmt.Sprint("new", i)] = bytes.Repeat(contract("new", i), 100)
	}
	loaded := note()
	for range 2 {
		if err := s.NoteRegistry(t.Context(), loaded, state); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, store.Options{})
	check()
	if _, err := s.RegistryAt(t.Context(), schema.Digest([]byte("never"))); !errors.Is(err, store.ErrNoContent) {
		t.Errorf("a state that never was: %v", err)
	}
}

func FuzzDecodeContent(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b'})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0xff, 0xff, 2, 'a', 'b'})
	f.Add(append([]byte{1, 1, 's'}, make([]byte, 32)...))
	f.Add([]byte{1, 1, 's'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if size, content, err := store.DecodeFirst(b); err != nil && !errors.Is(err, trace.ErrDamaged) || err == nil && len(content) > size {
			t.Errorf("%d bytes of %d, %v", len(content), size, err)
		}
		if id, contract, err := store.DecodeChange(b); err != nil && !errors.Is(err, trace.ErrDamaged) || err == nil && contract != "" && len(contract) != 64 {
			t.Errorf("%q, %q, %v", id, contract, err)
		}
	})
}
