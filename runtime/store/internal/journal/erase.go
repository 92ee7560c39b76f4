package journal

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// Erase makes bodies zeros and gives their room back, durably. Those whose day was dropped are passed over.
func (j *Journal) Erase(at []Location) error {
	var f *os.File
	var open uint32
	end := func() error {
		if f == nil {
			return nil
		}
		err := errors.Join(f.Sync(), f.Close())
		f = nil
		return err
	}
	for _, l := range at {
		if l.Segment != open || f == nil {
			if err := end(); err != nil {
				return err
			}
			s := j.find(l.Segment)
			if s == nil {
				continue
			}
			var err error
			if f, err = os.OpenFile(s.path, os.O_RDWR, 0); err != nil {
				return err
			}
			open = l.Segment
		}
		if err := punch(f, int64(l.Offset), int64(l.Length)); err != nil {
			return errors.Join(err, end())
		}
	}
	return end()
}

// A Pending is an erasure that is under way: what it removes, and the trace that records it.
type Pending struct {
	TraceID string      `json:"trace_id"`
	Day     string      `json:"day,omitempty"` // all of it
	Ranges  [][2]uint64 `json:"ranges,omitempty"`
}

const pendingFile = "erasing"

// Begin notes durably that p is about to be done. One at a time.
func (j *Journal) Begin(p Pending) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return writeSummed(filepath.Join(j.dir, logDir, pendingFile), append(raw, '\n'))
}

// Pending returns what Begin noted, nil if nothing is under way.
func (j *Journal) Pending() (*Pending, error) {
	return readPending(filepath.Join(j.dir, logDir, pendingFile))
}

func readPending(name string) (*Pending, error) {
	raw, err := readSummed(name)
	if err != nil || raw == nil {
		return nil, err
	}
	p := &Pending{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, damaged("%s: %w", pendingFile, err)
	}
	return p, nil
}

// End notes that nothing is under way any more.
func (j *Journal) End() error {
	return errors.Join(os.Remove(filepath.Join(j.dir, logDir, pendingFile)), syncDir(filepath.Join(j.dir, logDir)))
}

// zero writes zeros.
func zero(f *os.File, at, n int64) error {
	page := make([]byte, min(n, 1<<20))
	for n > 0 {
		part := page[:min(n, int64(len(page)))]
		if _, err := f.WriteAt(part, at); err != nil {
			return err
		}
		at, n = at+int64(len(part)), n-int64(len(part))
	}
	return nil
}
