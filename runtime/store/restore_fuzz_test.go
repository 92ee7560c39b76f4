package store_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

func TestNothingIsWrittenOutsideOfTheDirectory(t *testing.T) {
	whole := small(t)
	for _, name := range []string{"../x", "/tmp/x", "log/../../x", "traces/20261101/../../../x", "traces/20261101/00000001.seg/x", "caio-store.json", "LOCK",
		"db/000001.vlog", "log/entries", "traces/20261101/index/x"} {
		for _, kind := range []byte{tar.TypeReg, tar.TypeSymlink, tar.TypeLink, tar.TypeDir, tar.TypeGNUSparse} {
			var changed bytes.Buffer
			from, to := tar.NewReader(bytes.NewReader(whole)), tar.NewWriter(&changed)
			for i := 0; ; i++ {
				h, err := from.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if h.Name == "SHA256SUMS" {
					continue
				}
				raw, _ := io.ReadAll(from)
				if err := to.WriteHeader(h); err != nil {
					t.Fatal(err)
				}
				_, _ = to.Write(raw)
				if h.Name == "log/entries" {
					link := &tar.Header{Name: name, Typeflag: kind, Linkname: "../..", Mode: 0o600}
					if err := to.WriteHeader(link); err != nil {
						continue // tar itself does not write it
					}
				}
			}
			to.Close()
			root := t.TempDir()
			dir := filepath.Join(root, "a", "store")
			if _, err := store.Restore(t.Context(), &changed, dir, store.RestoreOptions{}); err == nil {
				t.Errorf("%s of kind %c is taken", name, kind)
			}
			if left, _ := filepath.Glob(root + "/*"); len(left) != 1 {
				t.Errorf("%s of kind %c: it left %v", name, kind, left)
			}
			if left, _ := filepath.Glob(root + "/a/store/*"); len(left) != 1 {
				t.Errorf("%s of kind %c: it left %v", name, kind, left)
			}
		}
	}
}

// with returns the backup with only the files that keep says, and an end that fits.
func with(t testing.TB, backup []byte, keep func(name string) bool) []byte {
	t.Helper()
	files := map[string][]byte{}
	var names []string
	for from := tar.NewReader(bytes.NewReader(backup)); ; {
		h, err := from.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "SHA256SUMS" && keep(h.Name) {
			names = append(names, h.Name)
			if files[h.Name], err = io.ReadAll(from); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := store.WriteBackup(&b, names, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestABackupWithoutAFileIsRefused(t *testing.T) {
	whole := small(t)
	dir := t.TempDir()
	restore(t, with(t, whole, func(string) bool { return true }), dir, store.RestoreOptions{})
	for _, missing := range []string{"caio-backup.json", "db/00000001", "log/checkpoint", "log/entries", "log/tiles.0", "log/tiles.4", "log/dropped",
		"traces/20261102/00000002.seg", "traces/20261105/00000005.seg"} {
		less := with(t, whole, func(name string) bool { return name != missing })
		dir := t.TempDir()
		_, err := store.Restore(t.Context(), bytes.NewReader(less), dir, store.RestoreOptions{})
		if !errors.Is(err, trace.ErrDamaged) && !errors.Is(err, store.ErrBackup) {
			t.Errorf("without %s: %v", missing, err)
		}
		if left, _ := filepath.Glob(dir + "/*"); len(left) != 1 {
			t.Errorf("without %s: it left %v", missing, left)
		}
	}
}

func FuzzReadBackup(f *testing.F) {
	s := open(f, f.TempDir(), store.Options{})
	whole := with(f, backUp(f, s), func(name string) bool { return name == "caio-backup.json" || name == "log/entries" })
	s.Close() // what runs beside it would count as found by the inputs
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, backup []byte) {
		if store.ReadBackup(bytes.NewReader(backup)) == nil && store.ReadBackup(bytes.NewReader(bytes.TrimRight(backup, "\x00"))) == nil {
			t.Error("it is taken without its end, too")
		}
	})
}

// FuzzRestore restores a backup of which one file is foreign. Without a database none becomes a store.
func FuzzRestore(f *testing.F) {
	s := open(f, f.TempDir(), store.Options{})
	manifest := with(f, backUp(f, s), func(name string) bool { return name == "caio-backup.json" })
	s.Close()
	first, err := io.ReadAll(io.LimitReader(bytes.NewReader(manifest), 1024))
	if err != nil {
		f.Fatal(err)
	}
	first = bytes.TrimRight(first[512:], "\x00")
	f.Add("log/checkpoint", []byte("x"))
	f.Add("traces/20261101/00000001.seg", []byte{0xca, 0x10, 0x5e, 0x60})
	f.Add("../x", []byte("x"))
	f.Add("/x", []byte("x"))
	f.Add("log/../../x", []byte("x"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		var b bytes.Buffer
		names := []string{"caio-backup.json", name}
		if store.WriteBackup(&b, names, map[string][]byte{names[0]: first, name: content}) != nil || strings.HasPrefix(name, "db/") {
			return
		}
		root := t.TempDir()
		dir := filepath.Join(root, "a", "store")
		_, err := store.Restore(t.Context(), &b, dir, store.RestoreOptions{})
		left, _ := filepath.Glob(dir + "/*")
		above, _ := filepath.Glob(root + "/*")
		if beside, _ := filepath.Glob(root + "/a/*"); err == nil || len(left) != 1 || len(above) != 1 || len(beside) != 1 {
			t.Errorf("%v, and it left %v, %v and %v", err, left, beside, above)
		}
	})
}

// FuzzRestorePairs reads foreign pairs into a database.
func FuzzRestorePairs(f *testing.F) {
	s := open(f, "", store.Options{InMemory: true})
	f.Add([]byte("\x03Va1\x01x\x01V\x00"))
	f.Add([]byte("\x00\x00"))
	f.Add(append([]byte{0xe0, 0xd4, 0x03}, make([]byte, 61<<10)...))
	f.Add([]byte("\x08!badger!\x00"))
	f.Fuzz(func(t *testing.T, pairs []byte) { _ = store.SetPairs(s, pairs) })
}
