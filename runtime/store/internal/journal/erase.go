package journal

import (
	"errors"
	"os"
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
