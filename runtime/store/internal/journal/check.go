package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// Checking says what Check looks at beside the files, and whom it tells. The zero value is good.
type Checking struct {
	Log       tree.Verifier   // the log's public key; nil: no signature is looked at
	Witnesses []tree.Verifier // one of whom must have signed the cosigned checkpoint; nil: it does not matter who did
	Known     [][]byte        // signed checkpoints that were kept elsewhere: the log must go on from each
	// Body is called with each body that has its checksum, in the order of the log, Bytes nil where it was erased. It may
	// overwrite Bytes. What it finds wrong it returns, and what should be; "": nothing. nil: nobody looks.
	Body func(day string, b Body) (found, want string)
	Into *Report // what is found is added to; nil: a new one
	// Progress is called now and then with the bytes that were read, of Size, and the traces that were gone over.
	Progress func(read int64, traces uint64)
}

// Check goes over all of the journal in dir, from the first frame to the last, and holds everything that is written more
// than once against each other: heads and bodies against their checksums, segments against what the next one says of them,
// entries and hashes of every level against what the frames lead to, checkpoints against the root at their size. It
// changes nothing and reads one frame at a time. Where something is wrong it goes on with whatever comes after it. The
// error is ctx's.
//
// The journal must not be in use.
func Check(ctx context.Context, dir string, o Checking) (*Report, error) {
	c := &checker{dir: dir, o: o, Report: o.Into, edge: &tree.Edge{}, signed: make([]signed, 0, signedBatch)}
	if c.Report == nil {
		c.Report = &Report{}
	}
	defer c.closeTree()
	c.readSmall()
	segments := c.openSegments()
	c.openTree(segments)
	for i, s := range segments {
		if err := c.segment(ctx, s, i == len(segments)-1); err != nil {
			return nil, err
		}
	}
	c.end()
	return c.Report, nil
}

// checker is one run of Check.
type checker struct {
	dir string
	o   Checking
	*Report

	known   tree.Head // of the newest checkpoint in its own file
	beside  []beside
	dropped []Dropped
	files   []*compared // entries, and the levels of tiles

	next  uint64     // the trace that comes next
	edge  *tree.Edge // of the tree of those before; nil: what leads there is damaged
	tail  uint64     // what the files of the tree hold from this trace on, the next start makes anew
	frame uint64     // first trace of the last frame
	read  int64      // bytes of segments that were gone over

	signed   []signed // checkpoints of frames whose signatures are to be looked at
	unsigned run      // frames whose checkpoints have no signature that holds
	buf      []byte
}

// beside is a checkpoint that is kept beside the frames.
type beside struct {
	file   string
	offset int64
	head   tree.Head
	root   *tree.Hash // that was computed at its size; nil: it was not passed
}

// readSmall reads the small files: checkpoints, dropped days, and an erasure that is under way.
func (c *checker) readSmall() {
	c.readMark()
	name := filepath.Join(logDir, cosignedFile)
	signed, err := readSummed(filepath.Join(c.dir, name))
	if err != nil {
		c.damage(name, -1, -1, reason(err), "a checkpoint that a witness has signed")
	} else if signed != nil {
		c.keep(name, 0, signed, c.o.Witnesses)
	}
	for i, signed := range c.o.Known {
		c.keep(fmt.Sprint("checkpoint given ", i+1), 0, signed, nil)
	}
	name = filepath.Join(logDir, droppedFile)
	if c.dropped, err = readDropped(filepath.Join(c.dir, name)); err != nil {
		c.damage(name, -1, -1, reason(err), "the days that were dropped")
	}
	for i, d := range c.dropped {
		if d.First >= d.Next || d.FirstSegment > d.LastSegment || i > 0 && (d.First < c.dropped[i-1].Next || d.FirstSegment <= c.dropped[i-1].LastSegment) {
			c.damage(name, -1, int64(d.First), fmt.Sprintf("day %s of traces %d to %d in segments %d to %d", d.Day, d.First, d.Next, d.FirstSegment, d.LastSegment), "days that follow one another")
			c.dropped = c.dropped[:i]
			break
		}
		for _, left := range []string{d.Day, d.Day + droppedExt} {
			if _, err := os.Stat(filepath.Join(c.dir, tracesDir, left)); err == nil {
				c.crash(filepath.Join(tracesDir, left), -1, int64(d.First), "a day that was dropped is there", "nothing")
			}
		}
	}
	name = filepath.Join(logDir, pendingFile)
	if p, err := readPending(filepath.Join(c.dir, name)); err != nil {
		c.damage(name, -1, -1, reason(err), "the erasure that is under way")
	} else if p != nil {
		c.crash(name, -1, -1, "an erasure was interrupted; trace "+p.TraceID+" records it if it was to be", "nothing is under way")
	}
}

// readMark reads the file of the newest checkpoint.
func (c *checker) readMark() {
	name := filepath.Join(logDir, markFile)
	f, err := os.Open(filepath.Join(c.dir, name))
	if err != nil {
		c.damage(name, -1, -1, reason(err), "the newest checkpoint: without it nobody can tell whether traces are missing")
		return
	}
	defer f.Close()
	newest, whole := uint64(0), 0
	for place := range int64(2) {
		turn, signed, ok := readPlace(f, place)
		if !ok {
			continue
		}
		whole++
		if len(signed) == 0 {
			continue
		}
		if head := c.keep(name, place*markPlace, signed, nil); turn > newest {
			newest, c.known = turn, head
		}
	}
	switch whole {
	case 0:
		c.damage(name, 0, -1, "neither of its two places is whole", "the newest checkpoint in one of them")
	case 1:
		c.crash(name, -1, -1, "one of its two places is not whole", "checkpoints in both")
	}
}

// keep reads a checkpoint that stands beside the frames, to be held against the root at its size.
func (c *checker) keep(file string, offset int64, signed []byte, witnesses []tree.Verifier) tree.Head {
	head, err := tree.ReadHead(signed)
	if err != nil {
		c.damage(file, offset, -1, reason(err), "a checkpoint")
		return head
	}
	c.beside = append(c.beside, beside{file: file, offset: offset, head: head})
	if c.o.Log == nil {
		return head
	}
	_, by, err := tree.Open(signed, c.o.Log, witnesses...)
	switch {
	case err != nil:
		c.damage(file, offset, -1, reason(err), "a checkpoint that the log has signed")
	case len(witnesses) > 0 && len(by) == 0:
		c.damage(file, offset, -1, "no witness signed it that is known", "a witness's signature")
	default:
		c.Signatures++
	}
	return head
}

// end makes the checks for which everything must have been gone over.
func (c *checker) end() {
	c.verify()
	c.flush(&c.unsigned)
	name := filepath.Join(logDir, markFile)
	size := c.known.Size
	if n := len(c.dropped); n > 0 && c.next < c.dropped[n-1].Next && c.dropped[n-1].Next <= size {
		c.gap(name, -1, c.dropped[n-1].Next) // the log ends in a day that was dropped
		c.frame = c.next
	}
	switch {
	case c.next < size:
		c.damage(name, -1, int64(c.next), fmt.Sprintf("%d traces, which are all that is there", c.next), fmt.Sprintf("%d, which were acknowledged", size))
		if c.entries() >= size {
			c.fill(size) // the tree may be whole all the same
		}
	case c.next > size && size == c.frame:
		c.crash(name, -1, int64(size), fmt.Sprintf("the newest checkpoint is of %d traces", size), fmt.Sprintf("one of %d: the last group was written, but not acknowledged", c.next))
	case c.next > size:
		c.damage(name, -1, int64(size), fmt.Sprintf("the newest checkpoint is of %d traces", size), fmt.Sprintf("one of %d or of the %d before the last group: the file was lost or rolled back", c.next, c.frame))
	}
	for _, b := range c.beside {
		switch {
		case b.head.Size == 0:
			b.root = new(tree.Hash)
			*b.root = tree.EmptyRoot()
		case b.root == nil && b.head.Size <= c.next: // where the frames do not lead
			if e := c.fromFiles(b.head.Size); e != nil {
				b.root = new(tree.Hash)
				*b.root = e.Root()
			}
		case b.root == nil && b.file != name:
			c.damage(b.file, b.offset, -1, fmt.Sprintf("a checkpoint of %d traces", b.head.Size), fmt.Sprintf("one of %d at most", c.next))
		}
		if b.root != nil && *b.root != b.head.Root {
			c.damage(b.file, b.offset, -1, fmt.Sprintf("root %v of %d traces", b.head.Root, b.head.Size), "root "+b.root.String())
		}
	}
	c.endTree()
	c.Traces = c.next
	if c.edge != nil {
		c.Root = c.edge.Root().String()
	}
	c.tell(c.read)
}

// tell tells how far the check has come.
func (c *checker) tell(read int64) {
	c.Bytes = read + int64(c.next)*int64(tree.EntrySize+hashSize)
	if c.o.Progress != nil {
		c.o.Progress(c.Bytes, c.next)
	}
}

// Size returns about how many bytes Check reads of the journal in dir.
func Size(dir string) (n int64) {
	segments, _ := filepath.Glob(filepath.Join(dir, tracesDir, "*", "*"+segmentExt))
	for _, name := range append(segments, filepath.Join(dir, logDir, entriesFile), filepath.Join(dir, logDir, tilesFile+"0")) {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Removals returns what says which bodies were removed: the days that were dropped, and the erasure that is under way, nil
// if none is. What of it cannot be read is left out: Check tells.
func Removals(dir string) ([]Dropped, *Pending) {
	dropped, _ := readDropped(filepath.Join(dir, logDir, droppedFile))
	pending, _ := readPending(filepath.Join(dir, logDir, pendingFile))
	return dropped, pending
}

func (c *checker) damage(file string, offset, sequence int64, found, want string) {
	c.Add(Finding{Kind: Damage, File: file, Offset: offset, Sequence: sequence, Found: found, Want: want})
}

func (c *checker) crash(file string, offset, sequence int64, found, want string) {
	c.Add(Finding{Kind: Crash, File: file, Offset: offset, Sequence: sequence, Found: found, Want: want})
}

// A run is a finding that goes on: the same is wrong at one place after the other.
type run struct {
	Finding
	n int // places; 0: there is none
}

// flush takes in what r comes to.
func (c *checker) flush(r *run) {
	if r.n > 0 {
		c.Add(r.Finding)
	}
	*r = run{}
}

// reason is err without the path that it names: a finding names the file itself, as it is called in the store.
func reason(err error) string {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}
