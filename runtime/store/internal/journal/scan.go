package journal

import (
	"iter"
	"os"
)

// A Body is what a frame holds of one trace.
type Body struct {
	Sequence uint64
	Location Location
	Commit   [32]byte // what its entry commits to
	Bytes    []byte   // nil: it was erased. Valid until the next one
}

// Bodies goes over the bodies from the position from on, as far as the log is. A body that does not have its checksum,
// or a segment that cannot be read, is an error, and ends it. It reads the heads of every frame of the segment that holds
// from, and nothing before.
func (j *Journal) Bodies(from uint64) iter.Seq2[Body, error] {
	return func(yield func(Body, error) bool) {
		j.mu.RLock()
		segments := j.segments
		j.mu.RUnlock()
		end := j.size.Load()
		for i, s := range segments {
			if i+1 < len(segments) && segments[i+1].first <= from || s.first >= end {
				continue
			}
			if !s.bodies(from, end, yield) {
				return
			}
		}
	}
}

// bodies goes over those of one segment. It returns false if there is to be no other.
func (s *segment) bodies(from, end uint64, yield func(Body, error) bool) bool {
	f, err := os.Open(s.path)
	if err != nil {
		yield(Body{}, err)
		return false
	}
	defer f.Close()
	var buf []byte
	next := s.first
	for at := int64(segmentHead); at < s.written() && next < end; {
		fr, err := readFrame(f, at, s.written())
		if err != nil || fr.first != next {
			yield(Body{}, damaged("%s at %d: there is no frame of the traces from %d on", s.name(), at, next))
			return false
		}
		at, next = fr.end, fr.next()
		if next <= from {
			continue
		}
		for i := range fr.items {
			it := &fr.items[i]
			b := Body{Sequence: fr.first + uint64(i), Location: Location{s.number, it.offset, it.length, it.sum}, Commit: it.commit}
			if b.Sequence < from {
				continue
			}
			if b.Sequence >= end {
				return true
			}
			if b.Bytes, buf, err = it.read(f, buf); err != nil {
				yield(b, damaged("%s: trace %d: %w", s.name(), b.Sequence, err))
				return false
			}
			if !yield(b, nil) {
				return false
			}
		}
	}
	return true
}
