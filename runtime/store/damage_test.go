package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// image is the files of a store, by their path in it. Badger's maps are long and mostly zeros, which are left out.
type image map[string]file

type file struct {
	data []byte
	size int64
}

func readImage(t *testing.T, dir string) image {
	m := image{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(path)
		m[rel] = file{bytes.Clone(bytes.TrimRight(raw, "\x00")), int64(len(raw))}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// write puts the files into a new directory.
func (m image) write(t *testing.T) (dir string) {
	dir = t.TempDir()
	for rel, f := range m {
		name := filepath.Join(dir, rel)
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if err = errors.Join(err, os.WriteFile(name, f.data, 0o600), os.Truncate(name, f.size)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// filled returns a store of 60 services and traces as a kill leaves it: the first half in tables, the rest in Badger's
// log.
func filled(t *testing.T) (killed image) {
	dir := t.TempDir()
	for part := range 2 {
		s := open(t, dir, store.Options{})
		log, err := trace.Open(s.Traces(), trace.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			r := uint64(part*30 + i + 1)
			save(t, s, service(fmt.Sprint("s", r), r))
			if err := log.Append(context.Background(), workTrace(), trace.Durable); err != nil {
				t.Fatal(err)
			}
		}
		log.Close()
		if part == 1 {
			killed = readImage(t, dir)
		}
		s.Close()
	}
	return killed
}

// TestDamagedFilesAreAnErrorAndNeverAPanic harms each file of a store in many ways, opens it and reads everything.
// Either there is an error, or everything is there. A panic or an exit ends this test, and so fails it.
func TestDamagedFilesAreAnErrorAndNeverAPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	harms := map[string]func(data []byte) []byte{
		"a flipped byte": func(data []byte) []byte {
			if n := len(data); n > 0 {
				data[rng.IntN(n)] ^= byte(1 + rng.IntN(255))
			}
			return data
		},
		"flipped bytes near the end": func(data []byte) []byte {
			n := len(data)
			for range min(3, n) {
				data[n-1-rng.IntN(min(64, n))] ^= byte(1 + rng.IntN(255))
			}
			return data
		},
		"a page of noise": func(data []byte) []byte {
			from := rng.IntN(len(data) + 1)
			for i := from; i < min(len(data), from+4096); i++ {
				data[i] = byte(rng.Uint32())
			}
			return data
		},
		"a page of zeros": func(data []byte) []byte {
			from := rng.IntN(len(data) + 1)
			clear(data[from:min(len(data), from+4096)])
			return data
		},
		"cut off": func(data []byte) []byte { return data[:rng.IntN(len(data)+1)] },
		"empty":   func([]byte) []byte { return []byte{} },
		"removed": func([]byte) []byte { return nil },
	}
	killed := filled(t)
	noticed := map[string]int{}
	for _, rel := range slices.Sorted(maps.Keys(killed)) {
		for _, name := range slices.Sorted(maps.Keys(harms)) {
			index := strings.Contains(rel, "/index/") // what is made again needs fewer trials
			if index && name != "a flipped byte" && name != "cut off" && name != "removed" {
				continue
			}
			for range 1 + len(filepath.Ext(rel))/4 { // twice for tables and logs
				harmed := maps.Clone(killed)
				f := harmed[rel]
				switch f.data = harms[name](bytes.Clone(f.data)); {
				case f.data == nil:
					delete(harmed, rel)
				case len(f.data) < len(killed[rel].data):
					f.size = int64(len(f.data))
					fallthrough
				default:
					harmed[rel] = f
				}
				n, err := readAll(harmed.write(t))
				if err != nil {
					noticed[filepath.Ext(rel)]++
				} else if n != 120 {
					t.Errorf("%s, %s: %d of 120 things are there, and no error", rel, name, n)
				}
			}
		}
	}
	for _, ext := range []string{".sst", ".vlog", ".mem", ".seg", ".json", ""} {
		if noticed[ext] == 0 {
			t.Errorf("no damage of a file *%s was noticed", ext)
		}
	}
}

func TestLostWritesAreNamedAndCanBeAccepted(t *testing.T) {
	killed := filled(t)
	maps.DeleteFunc(killed, func(rel string, _ file) bool { return filepath.Ext(rel) == ".mem" })
	dir := killed.write(t)
	_, err := store.Open(dir, store.Options{})
	if !errors.Is(err, trace.ErrDamaged) || !strings.Contains(err.Error(), "30 changes of services and 0 versions of policies") {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "head")); err != nil {
		t.Fatal(err)
	}
	if n, err := readAll(dir); err != nil || n != 90 {
		t.Errorf("%d things are left, %v; want 90: the traces do not lie there", n, err)
	}
}
