package journal

import (
	"errors"
	"os"
	"sync"
)

// maxReaders is how many segments are kept open for reading: what people look at lies near together, and opening costs as
// much as reading.
const maxReaders = 256

// readers are segments that are open for reading. The zero value is ready. Safe for concurrent use.
type readers struct {
	mu    sync.Mutex
	files map[uint32]*os.File
	order []uint32 // in which they were opened
}

// readAt fills b from what lies at offset at of s.
func (r *readers) readAt(s *segment, b []byte, at int64) error {
	for {
		f, err := r.open(s)
		if err != nil {
			return err
		}
		// One that was closed before it was read made room for others.
		if _, err := f.ReadAt(b, at); !errors.Is(err, os.ErrClosed) {
			return err
		}
	}
}

func (r *readers) open(s *segment) (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.files[s.number]; f != nil {
		return f, nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	scattered(f)
	if r.files == nil {
		r.files = map[uint32]*os.File{}
	}
	if len(r.order) == maxReaders {
		r.files[r.order[0]].Close()
		delete(r.files, r.order[0])
		r.order = r.order[1:]
	}
	r.files[s.number] = f
	r.order = append(r.order, s.number)
	return f, nil
}

// close closes all, those being read when that is done. Each is opened again when it is asked for.
func (r *readers) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	r.files, r.order = nil, nil
	return errors.Join(errs...)
}
