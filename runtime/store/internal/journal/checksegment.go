package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// openSegments lists the segments, reads their heads, and holds each against the one before it.
func (c *checker) openSegments() []*segment {
	all, err := listSegments(filepath.Join(c.dir, tracesDir))
	if err != nil {
		c.damage(tracesDir, -1, -1, reason(err), "the days")
	}
	journal := &Journal{dropped: c.dropped}
	var segments []*segment
	for i, s := range all {
		if journal.wasDropped(s.number) {
			continue
		}
		switch err := s.read(); {
		case err == nil:
		case i == len(all)-1 && s.size <= segmentHead:
			c.crash(c.name(s), 0, -1, "a segment that was being begun", "nothing, or its head")
			continue
		default:
			c.damage(c.name(s), 0, -1, reason(err), "the head of a segment")
			s.size, s.damaged = s.written(), true
		}
		segments = append(segments, s)
	}
	for i, s := range segments {
		var before *segment
		if i > 0 {
			before = segments[i-1]
		}
		if !s.damaged {
			c.follows(journal, s, before)
		}
	}
	c.Segments = len(segments)
	return segments
}

func (c *checker) name(s *segment) string { return filepath.Join(tracesDir, s.name()) }

// follows holds s against what is before it, nil: nothing.
func (c *checker) follows(j *Journal, s, before *segment) {
	if s.number != s.before+1 && !j.wasDropped(s.number-1) {
		c.damage(c.name(s), 12, int64(s.first), fmt.Sprintf("segment %d comes before it", s.before), fmt.Sprint("segment ", s.number-1))
	}
	switch {
	case before != nil && before.number == s.before:
		if before.size != s.length {
			c.damage(c.name(before), min(before.size, s.length), -1, fmt.Sprintf("%d bytes", before.size), fmt.Sprintf("%d, as the next one says", s.length))
			before.size = min(before.size, s.length)
		}
		if before.day > s.day {
			c.damage(c.name(s), -1, int64(s.first), "day "+s.day, "none before "+before.day)
		}
	case s.before != 0 && !j.wasDropped(s.before):
		c.damage(fmt.Sprintf("%s/*/%08d%s", tracesDir, s.before, segmentExt), -1, -1, "no such file", fmt.Sprintf("a segment of %d bytes, before %s", s.length, s.name()))
	}
}

// segment goes over the frames of s. last: no other comes after it.
func (c *checker) segment(ctx context.Context, s *segment, last bool) error {
	f, err := os.Open(s.path)
	if err != nil {
		c.damage(c.name(s), -1, int64(c.next), reason(err), "a segment")
		return nil
	}
	defer f.Close()
	if s.first != c.next && !s.damaged && !(last && s.size <= segmentHead) {
		c.gap(c.name(s), segmentHead, s.first)
	}
	for at := int64(segmentHead); at < s.size; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		fr, err := readFrame(f, at, s.size)
		if err == nil && last && fr.end == s.size && fr.next() > c.known.Size && c.torn(f, fr) {
			err = errTorn
		}
		if err != nil {
			to := s.seek(f, at+1, c.next)
			if to < 0 {
				c.rest(s, at, last, err)
				break
			}
			c.Add(Finding{Kind: Damage, File: c.name(s), Offset: at, Bytes: to - at, Sequence: int64(c.next), Found: reason(err), Want: fmt.Sprintf("a frame of the traces from %d on", c.next)})
			at = to
			continue
		}
		c.body(s, f, at, fr)
		at = fr.end
		c.tell(c.read + at)
	}
	if last && s.size <= segmentHead && c.known.Size <= c.next {
		c.crash(c.name(s), segmentHead, -1, "a segment that was being begun", "frames, or no file")
	}
	c.read += s.size
	return nil
}

// torn tells whether the bodies of the last frame, which nobody was told of, were not all written.
func (c *checker) torn(f *os.File, fr *frame) bool {
	bad, buf, err := fr.check(f, c.buf)
	c.buf = buf
	return err == nil && bad >= 0
}

// rest tells what lies at the end of s where no frame is.
func (c *checker) rest(s *segment, at int64, last bool, err error) {
	f := Finding{Kind: Damage, File: c.name(s), Offset: at, Bytes: s.size - at, Sequence: int64(c.next), Found: reason(err), Want: fmt.Sprintf("a frame of the traces from %d on", c.next)}
	if last && c.next >= c.known.Size && errors.Is(err, errTorn) {
		f.Kind, f.Found, f.Want = Crash, "a write that was interrupted", "nothing: none of it was acknowledged"
	}
	c.Add(f)
}

// gap tells of the traces up to to which are in no frame before the place in file and were not dropped, and goes on at to.
func (c *checker) gap(file string, at int64, to uint64) {
	// What is not even in the files of the tree is no place to go on at.
	if to < c.next || to > max(c.known.Size, c.entries()) {
		c.damage(file, at, int64(to), fmt.Sprintf("traces from %d on", to), fmt.Sprintf("those from %d on", c.next))
		return
	}
	lost := func(from, to uint64) {
		if from < to {
			c.damage(file, at, int64(from), fmt.Sprintf("%d traces are in no frame before", to-from), "their frames, or a day that was dropped")
		}
	}
	from := c.next
	for _, d := range c.dropped {
		if d.First >= from && d.Next <= to {
			lost(from, d.First)
			c.Dropped += d.Next - d.First
			from = d.Next
		}
	}
	lost(from, to)
	c.fill(to)
}

// body goes over one frame, which begins at at.
func (c *checker) body(s *segment, f *os.File, at int64, fr *frame) {
	c.Frames++
	if fr.first != c.next {
		c.gap(c.name(s), at, fr.first)
	}
	c.bodies(s, f, fr)
	if fr.first != c.next {
		return // it is told; nothing says where it belongs
	}
	c.frame = fr.first
	entries := make([]byte, 0, len(fr.items)*tree.EntrySize)
	for i := range fr.items {
		entries = tree.AppendEntry(entries, fr.items[i].commit)
	}
	c.grow(entries, true)
	name, note := c.name(s), at+framePrefix+int64(len(fr.items))*itemSize
	head, err := tree.ReadHead(fr.checkpoint)
	if err != nil || head.Size != fr.next() {
		c.damage(name, note, int64(fr.first), fmt.Sprintf("a checkpoint of %d traces", head.Size), fmt.Sprintf("one of %d", fr.next()))
		return
	}
	c.lead(name, note, head)
	if c.o.Log != nil {
		c.signed = append(c.signed, signed{name, note, fr.first, bytes.Clone(fr.checkpoint)})
		if len(c.signed) == cap(c.signed) {
			c.verify()
		}
	}
}

// signed is a frame's checkpoint, whose signature is still to be looked at.
type signed struct {
	file   string
	offset int64
	first  uint64
	note   []byte
}

// signedBatch is how many signatures are looked at at once. Where frames are small they are most of the work, and all
// processors share it.
const signedBatch = 64

// verify looks at the signatures that are to be looked at.
func (c *checker) verify() {
	errs := make([]error, len(c.signed))
	var next atomic.Int64
	var done sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		done.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(errs); i = next.Add(1) - 1 {
				_, _, errs[i] = tree.Open(c.signed[i].note, c.o.Log)
			}
		})
	}
	done.Wait()
	for i, err := range errs {
		if err == nil {
			c.Signatures++
			c.flush(&c.unsigned)
			continue
		}
		if s := c.signed[i]; c.unsigned.n == 0 {
			c.unsigned.Finding = Finding{Kind: Damage, File: s.file, Offset: s.offset, Sequence: int64(s.first), Found: reason(err), Want: "checkpoints that the log has signed"}
		}
		c.unsigned.n++
	}
	c.signed = c.signed[:0]
}

// bodies reads the bodies of a frame.
func (c *checker) bodies(s *segment, f *os.File, fr *frame) {
	for i := range fr.items {
		it := &fr.items[i]
		b := Body{Sequence: fr.first + uint64(i), Location: Location{s.number, it.offset, it.length, it.sum}, Commit: it.commit}
		wrong := Finding{Kind: Damage, File: c.name(s), Offset: int64(it.offset), Bytes: int64(it.length), Sequence: int64(b.Sequence)}
		var err error
		if b.Bytes, c.buf, err = it.read(f, c.buf); err != nil {
			wrong.Found, wrong.Want = reason(err), fmt.Sprintf("a body with checksum %08x", it.sum)
			c.Add(wrong)
			continue
		}
		if b.Bytes == nil {
			c.Erased++
		} else {
			c.Bodies++
		}
		if c.o.Body == nil {
			continue
		}
		if wrong.Found, wrong.Want = c.o.Body(s.day, b); wrong.Found != "" {
			c.Add(wrong)
		}
	}
}

// seek returns where the next frame begins, of traces from next on, that is at from or after it; -1: there is none.
func (s *segment) seek(f *os.File, from int64, next uint64) int64 {
	magic := binary.BigEndian.AppendUint32(nil, frameMagic)
	buf := make([]byte, 1<<20)
	for from < s.size {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), s.size-from)], from)
		if err != nil && n == 0 {
			return -1
		}
		for at := 0; ; at++ {
			found := bytes.Index(buf[at:n], magic)
			if found < 0 {
				break
			}
			at += found
			if fr, err := readFrame(f, from+int64(at), s.size); err == nil && fr.first >= next {
				return from + int64(at)
			}
		}
		from += int64(max(1, n-len(magic)+1)) // one may lie across
	}
	return -1
}
