package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
)

func TestAnEncryptedStoreShowsNothingWithoutItsKey(t *testing.T) {
	dir, key := t.TempDir(), bytes.Repeat([]byte{7}, store.KeySize)
	s := open(t, dir, store.Options{Key: key})
	secret := strings.Repeat("the name of a patient ", 20)
	r := tracetest.Records(0, 3)
	r[1].Raw, r[1].Tenant = []byte(secret), "a-tenant-with-a-name"
	if err := s.Traces().Append(t.Context(), tracetest.Group(t, s.Traces(), r)); err != nil {
		t.Fatal(err)
	}
	of := service("patients", 1)
	of.Source = []byte(secret)
	save(t, s, of)
	s.Close()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, word := range []string{"name of a patient", "a-tenant-with-a-name", "patients"} {
			if bytes.Contains(raw, []byte(word)) {
				t.Errorf("%s shows %q", path, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"none": nil, "another": bytes.Repeat([]byte{8}, store.KeySize)} {
		if _, err := store.Open(dir, store.Options{Key: key}); !errors.Is(err, store.ErrSealed) {
			t.Errorf("key %s: %v", name, err)
		}
	}
	if _, err := store.Open(t.TempDir(), store.Options{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
	// The index is made again from what is encrypted.
	if indexes, err := filepath.Glob(filepath.Join(dir, "traces/*/index")); err != nil || len(indexes) != 1 || os.RemoveAll(indexes[0]) != nil {
		t.Fatal(indexes, err)
	}
	s = open(t, dir, store.Options{Key: key})
	if got, err := s.Traces().Get(t.Context(), tracetest.ID(1)); err != nil || string(got.Raw) != secret {
		t.Errorf("%v, %v", got, err)
	}
	wantServices(t, s, 1, of)
	plain := t.TempDir()
	open(t, plain, store.Options{}).Close()
	if _, err := store.Open(plain, store.Options{Key: key}); !errors.Is(err, store.ErrSealed) {
		t.Errorf("a store that is not encrypted: %v", err)
	}
}
