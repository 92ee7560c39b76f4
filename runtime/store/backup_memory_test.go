package store_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
)

// heap is a reader and a writer that notes how large the heap was at most.
type heap struct {
	io.Reader
	io.Writer
	peak uint64
}

func (h *heap) Write(p []byte) (int, error) {
	h.look()
	return h.Writer.Write(p)
}

func (h *heap) Read(p []byte) (int, error) {
	h.look()
	return h.Reader.Read(p)
}

func (h *heap) look() { h.peak = max(h.peak, heapBytes()) }

// heapBytes returns how much memory objects take, those that no collection has met yet included.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestBackupAndRestoreTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: it writes 400 MB to see that a backup of any size takes the same memory")
	}
	s := open(t, t.TempDir(), store.Options{})
	rng := rand.NewChaCha8([32]byte{3})
	for n := range uint64(110) { // a megabyte each
		records := tracetest.Records(4*n, 4)
		for i := range records {
			records[i].Raw = make([]byte, 256<<10)
			_, _ = rng.Read(records[i].Raw)
		}
		if err := s.Traces().Append(t.Context(), tracetest.Group(t, s.Traces(), records)); err != nil {
			t.Fatal(err)
		}
	}
	large := service("large", 1)
	large.Normal = make([]byte, 100<<10)
	for r := range uint64(100) {
		large.ID, large.Revision = fmt.Sprint("large", r), r+1
		save(t, s, large)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "backup"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before := heapBytes()
	h := &heap{Reader: file, Writer: file}
	if err := s.Backup(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err != nil || size < 110<<20 {
		t.Fatal(size, err)
	}
	t.Logf("a backup of %d MB: %d MB before, %d MB at most", size>>20, before>>20, h.peak>>20)
	if grown := int64(h.peak) - int64(before); grown > 24<<20 {
		t.Errorf("backing up took %d MB", grown>>20)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	before, h.peak = heapBytes(), 0
	if _, err := store.Restore(t.Context(), h, t.TempDir(), store.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("restored: %d MB before, %d MB at most", before>>20, h.peak>>20)
	if grown := int64(h.peak) - int64(before); grown > 48<<20 {
		t.Errorf("restoring took %d MB", grown>>20)
	}
}
