package journal

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// recover finds how far the log is, cuts off a write that a crash interrupted, and brings the files of the tree to where
// the segments are. marked is the newest checkpoint outside of the segments, nil if there was never one.
func (j *Journal) recover(marked []byte) error {
	var known tree.Head
	if marked != nil {
		known, _ = tree.ReadHead(marked) // openMark read it already
	}
	last, err := j.lastSegment(known)
	if err != nil {
		return err
	}
	if last == nil {
		// Nothing was ever written, or every day was dropped: then the checkpoint and the tree are all there is.
		if known.Size > 0 && !j.droppedAll(known.Size) {
			return damaged("%d traces that were acknowledged are missing: there is no segment; restore them from a backup", known.Size)
		}
		j.size.Store(known.Size)
		j.checkpoint = marked
		j.end.Store(&end{size: known.Size, checkpoint: marked})
		return j.settleTree(known.Size, nil)
	}
	frames, torn, err := last.scan()
	if err != nil {
		return err
	}
	if len(frames) == 0 {
		return damaged("%s holds no trace that is whole; restore it from a backup", last.name())
	}
	final := frames[len(frames)-1]
	head, err := tree.ReadHead(final.checkpoint)
	if err != nil || head.Size != final.next() {
		return damaged("%s: the checkpoint of its last frame is not of %d traces", last.name(), final.next())
	}
	if err := j.compare(head, known, torn); err != nil {
		return err
	}
	if err := j.open(last, final.end, torn); err != nil {
		return err
	}
	if final.next() > known.Size {
		if err := j.mark.write(final.checkpoint); err != nil {
			return err
		}
	}
	j.checkpoint = final.checkpoint
	j.size.Store(final.next())
	j.end.Store(&end{head.Size, final.checkpoint, last.number, last.size})
	return j.settleTree(last.first, frames)
}

// lastSegment returns the segment in which the log ends, nil if there is none. One that was begun and got no frame is
// passed over: its head says how the one before it ends.
func (j *Journal) lastSegment(known tree.Head) (*segment, error) {
	for len(j.segments) > 0 {
		s := j.segments[len(j.segments)-1]
		first, err := s.begins()
		if err != nil || first || known.Size > s.first {
			return s, err
		}
		j.logger.Warn("a segment that was being begun is removed: nothing in it was acknowledged", "segment", s.name())
		if err := errors.Join(os.Remove(s.path), syncDir(filepath.Dir(s.path))); err != nil {
			return nil, err
		}
		j.segments = j.segments[:len(j.segments)-1]
	}
	return nil, nil
}

// begins tells whether s has a whole first frame.
func (s *segment) begins() (bool, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	fr, err := readFrame(f, segmentHead, s.size)
	if err != nil {
		if errors.Is(err, errTorn) {
			err = nil
		}
		return false, err
	}
	bad, _, err := fr.check(f, nil)
	return bad < 0, err
}

// scan reads all frames of s. torn tells how many bytes follow the last that is whole.
func (s *segment) scan() (frames []*frame, torn int64, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	var buf []byte
	at, next := int64(segmentHead), s.first
	for at < s.size {
		fr, err := readFrame(f, at, s.size)
		if errors.Is(err, errTorn) {
			return frames, s.size - at, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if fr.first != next {
			return nil, 0, damaged("%s at %d: traces from %d on where those from %d on should be", s.name(), at, fr.first, next)
		}
		var bad int
		if bad, buf, err = fr.check(f, buf); err != nil {
			return nil, 0, err
		}
		if bad >= 0 {
			// The last frame is one that a crash cut short, unless it was acknowledged: compare tells.
			if fr.end != s.size {
				return nil, 0, damaged("%s: trace %d does not have its checksum; restore it from a backup", s.name(), fr.first+uint64(bad))
			}
			return frames, s.size - at, nil
		}
		frames = append(frames, fr)
		at, next = fr.end, fr.next()
	}
	return frames, 0, nil
}

// compare holds what the segments lead to against the checkpoint that is kept outside of them.
func (j *Journal) compare(head, known tree.Head, torn int64) error {
	switch {
	case head.Size < known.Size:
		return damaged("%d traces that were acknowledged are missing: the segments end at %d, the newest checkpoint is of %d; "+
			"restore the segments from a backup", known.Size-head.Size, head.Size, known.Size)
	case head.Size == known.Size && head.Root != known.Root:
		return damaged("the newest checkpoint and the last segment name different trees of %d traces; restore both from one backup", head.Size)
	case torn > 0:
		j.logger.Warn("a write that was interrupted is cut off: nothing of it was acknowledged", "bytes", torn, "traces", head.Size)
	case head.Size > known.Size+maxBatch:
		// A crash between two syncs leaves one group that the checkpoint does not know.
		j.logger.Warn("the newest checkpoint is older than the segments: its file was lost or rolled back; it is written anew",
			"checkpoint", known.Size, "traces", head.Size)
	case head.Size > known.Size:
		j.logger.Info("a group that was written, but not acknowledged, is kept", "traces", head.Size-known.Size)
	}
	return nil
}

// maxBatch is how many traces a group has at most.
const maxBatch = 256

// open makes s the segment that is written, which ends at end; what follows was torn.
func (j *Journal) open(s *segment, end, torn int64) (err error) {
	if j.file, err = os.OpenFile(s.path, os.O_RDWR, 0); err != nil {
		return err
	}
	if torn > 0 {
		if err := j.file.Truncate(end); err != nil {
			return err
		}
		// The next frame goes on where the last whole one ends, and a crash must not bring the torn one back.
		if err := j.file.Sync(); err != nil {
			return err
		}
	}
	s.grow(end)
	return nil
}

// settleTree makes the files of the tree those of the tree that frames, the last ones, lead to. What comes before first
// was synced; what comes after it was not, and is made anew.
func (j *Journal) settleTree(first uint64, frames []*frame) error {
	if err := j.tree.has(first); err != nil {
		return err
	}
	if err := j.tree.cut(first); err != nil {
		return err
	}
	if len(frames) == 0 {
		return nil
	}
	edge, err := j.edgeAt(first)
	if err != nil {
		return err
	}
	for _, f := range frames {
		var hashes [][]byte
		sums := make([][32]byte, len(f.items))
		for i := range f.items {
			sums[i] = f.items[i].commit
			edge.Append(tree.RecordHash(tree.AppendEntry(nil, sums[i])), func(level int, h tree.Hash) {
				for level >= len(hashes) {
					hashes = append(hashes, nil)
				}
				hashes[level] = append(hashes[level], h[:]...)
			})
		}
		if err := j.tree.append(f.first, sums, hashes); err != nil {
			return err
		}
	}
	if head, _ := tree.ReadHead(j.checkpoint); edge.Root() != head.Root {
		return damaged("the files of the tree do not lead to the newest checkpoint, of %d traces; 'caio trace fsck' tells where they are wrong", head.Size)
	}
	return nil
}
