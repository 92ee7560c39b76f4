// Package journal is the files in which the log of traces lies: the bodies in segments, a directory for each day; the
// entries and the hashes of the tree in files that only grow; and the newest checkpoint in a file of its own. It knows
// neither what a body says nor how it is found: the store's index is made from it, and can be made again.
//
//	log/checkpoint            the newest signed checkpoint, synced after each group: see mark.go
//	log/entries               the entries of the tree, tree.EntrySize bytes each
//	log/tiles.0, tiles.1 ...  the hashes of each level of tiles, 32 bytes each
//	log/cosigned              the newest checkpoint that a witness has signed
//	log/erasing               the erasure that is under way, if one is: see erase.go
//	log/dropped               the days that were dropped: see days.go
//	traces/20261128/00000007.seg   bodies, as frames: see frame.go
//
// cosigned, erasing and dropped end in a checksum: see summed.go.
//
// # What it guarantees
//
// A group is one frame. It is written and synced with one call each; then its checkpoint is written and synced; then
// [Journal.Append] returns. Entries and hashes follow unsynced, because every frame holds what they are made of: when
// the journal is opened, those of the last segment are written anew, and a new segment is begun only after everything
// before it is synced.
//
// So the last frames tell a write that a crash interrupted, which nobody was told of and which is cut off, from a loss:
// the checkpoint is never ahead of what is synced. A segment says how long the one before it is; a file that is
// shorter, longer or missing is noticed when the journal is opened, other damage when it is read; [Check] finds all of it.
//
// One goroutine appends; everything else may be called concurrently.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// The directories.
const (
	logDir    = "log"
	tracesDir = "traces"
)

// segmentBytes is how large a segment grows before the next begins. Opening a journal reads the last one.
const segmentBytes = 64 << 20

// Journal is an open journal.
type Journal struct {
	dir     string
	logger  *slog.Logger
	tree    *treeFiles
	mark    *mark
	readers readers

	size atomic.Uint64       // traces
	end  atomic.Pointer[end] // nil only before it is known

	mu       sync.RWMutex // guards what is below; held for writing only to change the lists
	segments []*segment   // ascending, without those that were dropped
	dropped  []Dropped

	file       *os.File // the segment that is written; nil: none yet. It and what follows belong to the appender
	checkpoint []byte
	buffer     []byte
}

// Open opens the journal in dir, and makes it where fresh says that there must be none yet. Logger is told what was found
// and mended. Errors: trace.ErrDamaged, and the system's.
func Open(dir string, fresh bool, logger *slog.Logger) (_ *Journal, err error) {
	j := &Journal{dir: dir, logger: logger}
	if fresh {
		if err := j.create(); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.closeFiles())
		}
	}()
	var marked []byte
	if j.mark, marked, err = openMark(filepath.Join(dir, logDir, markFile)); err != nil {
		return nil, err
	}
	if j.mark.whole < 2 {
		logger.Warn("one of the two places of the newest checkpoint is damaged; the other serves", "file", filepath.Join(logDir, markFile))
	}
	if j.dropped, err = readDropped(filepath.Join(dir, logDir, droppedFile)); err != nil {
		return nil, err
	}
	if err = j.finishDrops(); err != nil {
		return nil, err
	}
	if j.segments, err = listSegments(filepath.Join(dir, tracesDir)); err != nil {
		return nil, err
	}
	if err = j.chain(); err != nil {
		return nil, err
	}
	if j.tree, err = openTree(filepath.Join(dir, logDir)); err != nil {
		return nil, err
	}
	if err = j.recover(marked); err != nil {
		return nil, err
	}
	return j, nil
}

// edgeAt returns the edge of the tree of the first size entries, from the tiles and not held against any root: what it
// leads to is.
func (j *Journal) edgeAt(size uint64) (tree.Edge, error) {
	return tree.EdgeOf(size, func(level int, n uint64) (h tree.Hash, err error) {
		b, err := j.tree.tile(level, n/tree.TileWidth, int(n%tree.TileWidth)+1)
		if err == nil {
			copy(h[:], b[len(b)-hashSize:])
		}
		return h, err
	})
}

// create makes the files of an empty journal. A crash on the way leaves the store "new", and it is made again. Where there
// are traces, whoever says that the store is new is wrong, and a checkpoint would be lost.
func (j *Journal) create() error {
	if there, err := listSegments(filepath.Join(j.dir, tracesDir)); err == nil && len(there) > 0 {
		return damaged("the store is said to be new, and there are traces, such as in %s; restore what says so from a backup", there[0].name())
	}
	for _, dir := range []string{logDir, tracesDir} {
		if err := os.MkdirAll(filepath.Join(j.dir, dir), 0o700); err != nil {
			return err
		}
	}
	if err := createMark(filepath.Join(j.dir, logDir, markFile)); err != nil {
		return err
	}
	if err := createTree(filepath.Join(j.dir, logDir)); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Join(j.dir, logDir)), syncDir(filepath.Join(j.dir, tracesDir)), syncDir(j.dir))
}

// Head returns how far the log is. Of the appender, or before there is one.
func (j *Journal) Head() trace.Head { return trace.Head{Size: j.size.Load(), Checkpoint: j.checkpoint} }

// Size returns how many traces there are.
func (j *Journal) Size() uint64 { return j.size.Load() }

// A Batch is a group to be appended.
type Batch struct {
	First      uint64                       // sequence of the first
	Sums       [][32]byte                   // of each record's bytes: what its entry commits to
	Hashes     [][]byte                     // as trace.Group has them
	Checkpoint []byte                       // signed, of the tree with the batch
	Encode     func(b []byte, i int) []byte // appends the i-th body
}

// Append writes the batch into the segments of that day and returns where each body lies. An error that wraps
// trace.ErrRefused means that nothing was written; any other, that the outcome is not known.
func (j *Journal) Append(day string, b *Batch) ([]Location, error) {
	if b.First != j.size.Load() {
		return nil, fmt.Errorf("%w: sequence %d where %d should be", trace.ErrRefused, b.First, j.size.Load())
	}
	if err := j.segmentFor(day, b.First); err != nil {
		return nil, fmt.Errorf("%w: begin a segment: %w", trace.ErrRefused, err)
	}
	s, _ := j.ends()
	var items []item
	j.buffer, items = appendFrame(j.buffer[:0], b, s.size)
	if err := s.append(j.file, j.buffer); err != nil {
		return nil, err
	}
	if cap(j.buffer) > maxKept {
		j.buffer = nil
	}
	if err := j.mark.write(b.Checkpoint); err != nil {
		return nil, err
	}
	if err := j.tree.append(b.First, b.Sums, b.Hashes); err != nil {
		return nil, err
	}
	j.checkpoint = b.Checkpoint
	j.size.Store(b.First + uint64(len(b.Sums)))
	j.end.Store(&end{j.size.Load(), b.Checkpoint, s.number, s.size})
	at := make([]Location, len(items))
	for i := range items {
		at[i] = Location{s.number, items[i].offset, items[i].length, items[i].sum}
	}
	return at, nil
}

// maxKept is how much memory for frames is kept from one to the next.
const maxKept = 8 << 20

// ReadTile reads hashes of the tree, as tree.Tiles has it.
func (j *Journal) ReadTile(level int, n uint64, width int) ([]byte, error) {
	at := tree.TilePath{Level: level, N: n, Width: width}
	if width < 1 || width > at.In(j.size.Load()) {
		return nil, fmt.Errorf("tile %s: %w", at, trace.ErrNotFound)
	}
	return j.tree.tile(level, n, width)
}

// ReadEntries reads entries, as trace.Storage has it.
func (j *Journal) ReadEntries(from uint64, count int) ([]byte, error) {
	if size := j.size.Load(); count < 0 || from > size || uint64(count) > size-from {
		return nil, fmt.Errorf("%d entries from %d on: %w", count, from, trace.ErrNotFound)
	}
	return j.tree.entries(from, count)
}

// Close syncs everything and closes the files.
func (j *Journal) Close() error { return errors.Join(j.tree.sync(), j.closeFiles()) }

func (j *Journal) closeFiles() error {
	errs := []error{j.readers.close()}
	if j.file != nil {
		errs = append(errs, j.file.Close())
	}
	if j.mark != nil {
		errs = append(errs, j.mark.file.Close())
	}
	if j.tree != nil {
		errs = append(errs, j.tree.close())
	}
	return errors.Join(errs...)
}

// damaged makes an error that wraps trace.ErrDamaged.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{trace.ErrDamaged}, args...)...)
}

// syncDir makes what was made, renamed or removed in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
