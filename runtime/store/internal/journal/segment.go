package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// A segment is a file of frames. Segments are numbered from 1 on, through all days. Each begins with: magic (4 bytes);
// sequence of its first trace (8); number of the segment before it, 0 for none (4); how long that one is (8); CRC-32C of
// these (4), all big-endian.
type segment struct {
	day    string // such as 20261128, in UTC: when it was appended to
	number uint32
	path   string
	first  uint64 // sequence of its first trace
	before uint32
	length int64 // of the one before
	size   int64 // of its whole frames; the appender's, or the checker's
	safe   atomic.Int64

	damaged bool // of the checker: its head does not say what it is
}

const (
	segmentMagic = 0xca105e60
	segmentHead  = 4 + 8 + 4 + 8 + 4
	segmentExt   = ".seg"
	dayFormat    = "20060102"
	pageSize     = 4 << 10 // or a part of one
)

func (s *segment) name() string { return s.day + "/" + filepath.Base(s.path) }

// written is how much of s may be read.
func (s *segment) written() int64 { return s.safe.Load() }

func (s *segment) grow(to int64) {
	s.size = to
	s.safe.Store(to)
}

// append writes a frame to f, the file of s, and syncs it.
func (s *segment) append(f *os.File, frame []byte) error {
	if _, err := f.WriteAt(frame, s.size); err != nil {
		return err
	}
	if err := syncData(f); err != nil {
		return err
	}
	from, to := s.size, s.size+int64(len(frame))
	// The page in which the next frame begins stays, or it would have to be read again.
	forget(f, from&^(pageSize-1), to&^(pageSize-1)-from&^(pageSize-1))
	s.grow(to)
	return nil
}

// segmentFor sees to it that the last segment is one of that day and takes more. The first sequence of a new one is first.
func (j *Journal) segmentFor(day string, first uint64) error {
	s := &segment{day: day, number: 1, first: first}
	last, dropped := j.ends()
	if last != nil {
		if j.file != nil && last.size < segmentBytes && day <= last.day { // a clock that was set back begins no earlier day
			return nil
		}
		s.day = max(day, last.day)
		s.number, s.before, s.length = last.number+1, last.number, last.size
	}
	if s.before < dropped {
		s.number = dropped + 1
	}
	// Whatever a frame that comes now will not bring back must be on disk.
	if err := j.tree.sync(); err != nil {
		return err
	}
	f, err := s.create(filepath.Join(j.dir, tracesDir))
	if err != nil {
		return err
	}
	if j.file != nil {
		if err := j.file.Close(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	j.file = f
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments = append(j.segments, s)
	return nil
}

// ends returns the last segment, nil if there is none, and the number of the last that was dropped, 0 if none was. A drop
// changes the lists beside the appender.
func (j *Journal) ends() (last *segment, dropped uint32) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if n := len(j.segments); n > 0 {
		last = j.segments[n-1]
	}
	if n := len(j.dropped); n > 0 {
		dropped = j.dropped[n-1].LastSegment
	}
	return last, dropped
}

// create makes the file of s, durably. One that a crash left behind before it held a frame is written over.
func (s *segment) create(traces string) (*os.File, error) {
	dir := filepath.Join(traces, s.day)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s.path = filepath.Join(dir, fmt.Sprintf("%08d%s", s.number, segmentExt))
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(s.head())
	if err = errors.Join(err, f.Sync(), syncDir(dir), syncDir(traces)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.grow(segmentHead)
	return f, nil
}

func (s *segment) head() []byte {
	b := binary.BigEndian.AppendUint32(nil, segmentMagic)
	b = binary.BigEndian.AppendUint64(b, s.first)
	b = binary.BigEndian.AppendUint32(b, s.before)
	b = binary.BigEndian.AppendUint64(b, uint64(s.length))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// read reads the head of the file of s, and its size.
func (s *segment) read() error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s.grow(info.Size())
	var b [segmentHead]byte
	if _, err := f.ReadAt(b[:], 0); err != nil || binary.BigEndian.Uint32(b[:]) != segmentMagic ||
		crc32.Checksum(b[:segmentHead-4], castagnoli) != binary.BigEndian.Uint32(b[segmentHead-4:]) {
		return damaged("%s has no head", s.name())
	}
	s.first, s.before, s.length = binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint32(b[12:]), int64(binary.BigEndian.Uint64(b[16:]))
	return nil
}

// listSegments finds the segments, in their order. Nothing is read of them yet.
func listSegments(traces string) ([]*segment, error) {
	days, err := os.ReadDir(traces)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trace.ErrDamaged, err)
	}
	var segments []*segment
	for _, d := range days {
		if !d.IsDir() || len(d.Name()) != len(dayFormat) || strings.Trim(d.Name(), "0123456789") != "" {
			continue // such as a day that is being dropped
		}
		files, err := os.ReadDir(filepath.Join(traces, d.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			n, err := strconv.ParseUint(strings.TrimSuffix(f.Name(), segmentExt), 10, 32)
			if err != nil || filepath.Ext(f.Name()) != segmentExt {
				continue
			}
			segments = append(segments, &segment{day: d.Name(), number: uint32(n), path: filepath.Join(traces, d.Name(), f.Name())})
		}
	}
	slices.SortFunc(segments, func(a, b *segment) int { return int(int64(a.number) - int64(b.number)) })
	return segments, nil
}

// chain reads the heads of all segments and holds each against the one before it. The last may be one that a crash
// left before it was whole: it is removed.
func (j *Journal) chain() error {
	for i, s := range j.segments {
		last := i == len(j.segments)-1
		if err := s.read(); errors.Is(err, trace.ErrDamaged) && last && s.size <= segmentHead {
			j.logger.Warn("a segment that was being begun is removed: nothing was in it", "segment", s.name())
			j.segments = j.segments[:i]
			return errors.Join(os.Remove(s.path), syncDir(filepath.Dir(s.path)))
		} else if err != nil {
			return err
		}
		var prev *segment
		if i > 0 {
			prev = j.segments[i-1]
		}
		switch {
		case prev != nil && prev.number == s.before:
			if prev.size != s.length {
				return damaged("%s has %d bytes and had %d", prev.name(), prev.size, s.length)
			}
			if prev.day > s.day || prev.first >= s.first {
				return damaged("%s does not follow %s", s.name(), prev.name())
			}
		case s.before != 0 && !j.wasDropped(s.before):
			return damaged("segment %d, which comes before %s, is missing; restore it from a backup", s.before, s.name())
		}
	}
	return nil
}

// find returns the segment of that number, nil if it was dropped.
func (j *Journal) find(number uint32) *segment {
	j.mu.RLock()
	defer j.mu.RUnlock()
	at, ok := slices.BinarySearchFunc(j.segments, number, func(s *segment, n uint32) int { return int(int64(s.number) - int64(n)) })
	if !ok {
		return nil
	}
	return j.segments[at]
}
