package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// filled makes a store of 60 services and traces as a kill leaves it: the first half in tables, the rest in Badger's log.
func filled(t *testing.T) (dir string) {
	original := t.TempDir()
	for part := range 2 {
		s := open(t, original, store.Options{})
		log, err := trace.Open(s.Traces(), trace.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			r := uint64(part*30 + i + 1)
			save(t, s, service(fmt.Sprint("s", r), r))
			if err := log.Append(context.Background(), workTrace()); err != nil {
				t.Fatal(err)
			}
		}
		log.Close()
		if part == 1 {
			dir = duplicate(t, original)
		}
		s.Close()
	}
	return dir
}

// duplicate copies a store. Trailing zeros, of which Badger's maps are full, are left to the file system.
func duplicate(t *testing.T, dir string) string {
	to := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return write(filepath.Join(to, rel), raw)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func write(name string, raw []byte) error {
	err := os.WriteFile(name, raw[:used(raw)], 0o600)
	return errors.Join(err, os.Truncate(name, int64(len(raw))))
}

// used returns how many bytes come before the zeros at the end.
func used(raw []byte) int {
	n := len(raw)
	for n > 0 && raw[n-1] == 0 {
		n--
	}
	return n
}

// TestDamagedFilesAreAnErrorAndNeverAPanic harms each file of a store in many ways, opens it and reads everything.
// Either there is an error, or everything is there. A panic or an exit ends this test, and so fails it.
func TestDamagedFilesAreAnErrorAndNeverAPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	harms := map[string]func(raw []byte) []byte{
		"a flipped byte": func(raw []byte) []byte {
			if n := used(raw); n > 0 {
				raw[rng.IntN(n)] ^= byte(1 + rng.IntN(255))
			}
			return raw
		},
		"flipped bytes near the end": func(raw []byte) []byte {
			n := used(raw)
			for range min(3, n) {
				raw[n-1-rng.IntN(min(64, n))] ^= byte(1 + rng.IntN(255))
			}
			return raw
		},
		"a page of noise": func(raw []byte) []byte {
			n := used(raw)
			from := rng.IntN(n + 1)
			for i := from; i < min(n, from+4096); i++ {
				raw[i] = byte(rng.Uint32())
			}
			return raw
		},
		"a page of zeros": func(raw []byte) []byte {
			n := used(raw)
			from := rng.IntN(n + 1)
			clear(raw[from:min(n, from+4096)])
			return raw
		},
		"cut off": func(raw []byte) []byte { return raw[:rng.IntN(used(raw)+1)] },
		"empty":   func([]byte) []byte { return []byte{} },
		"removed": func([]byte) []byte { return nil },
	}
	names := make([]string, 0, len(harms))
	for name := range harms {
		names = append(names, name)
	}
	slices.Sort(names)
	dir := filled(t)
	files, err := filepath.Glob(filepath.Join(dir, "db", "*"))
	if err != nil {
		t.Fatal(err)
	}
	noticed := map[string]int{}
	for _, file := range append(files, filepath.Join(dir, "caio-store.json"), filepath.Join(dir, "head")) {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			for range 1 + len(filepath.Ext(file))/4 { // twice for tables and logs
				if harm(t, dir, rel, harms[name]) {
					noticed[filepath.Ext(rel)]++
				}
			}
		}
	}
	for _, ext := range []string{".sst", ".vlog", ".mem", ".json", ""} {
		if noticed[ext] == 0 {
			t.Errorf("no damage of a file *%s was noticed", ext)
		}
	}
}

// harm harms one file of a copy of dir and tells whether that was noticed.
func harm(t *testing.T, dir, rel string, how func([]byte) []byte) bool {
	t.Helper()
	to := duplicate(t, dir)
	defer os.RemoveAll(to)
	file := filepath.Join(to, rel)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if raw = how(raw); raw == nil {
		err = os.Remove(file)
	} else {
		err = write(file, raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := readAll(to)
	if err == nil && n != 120 {
		t.Errorf("%s harmed: %d of 120 things are there, and no error", rel, n)
	}
	return err != nil
}

func TestLostWritesAreNamedAndCanBeAccepted(t *testing.T) {
	killed := filled(t)
	logs, err := filepath.Glob(filepath.Join(killed, "db", "*.mem"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	for _, log := range logs {
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
	}
	_, err = store.Open(killed, store.Options{})
	if !errors.Is(err, trace.ErrDamaged) || !strings.Contains(err.Error(), "30 traces and 30 changes of services") {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(filepath.Join(killed, "head")); err != nil {
		t.Fatal(err)
	}
	if n, err := readAll(killed); err != nil || n != 60 {
		t.Errorf("%d things are left, %v; want 60", n, err)
	}
}
