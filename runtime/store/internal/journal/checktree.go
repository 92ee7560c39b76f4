package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// compared is a file of the tree, which is held against what the frames lead to.
type compared struct {
	*os.File // nil: it cannot be opened
	name     string
	level    int   // -1: entries
	width    int64 // bytes of one
	wrong    run
}

// index returns the position of the first entry or hash that is of trace seq or of those after it.
func (f *compared) index(seq uint64) int64 { return int64(seq >> (8 * max(0, f.level))) }

func (c *checker) openTree(segments []*segment) {
	c.tail = c.known.Size
	if n := len(segments); n > 0 && !segments[n-1].damaged {
		c.tail = segments[n-1].first
	}
	for i, name := range treeNames() {
		f := &compared{name: filepath.Join(logDir, name), level: i - 1, width: int64(hashSize)}
		if i == 0 {
			f.width = int64(tree.EntrySize)
		}
		var err error
		if f.File, err = os.Open(filepath.Join(c.dir, f.name)); err != nil {
			c.damage(f.name, -1, -1, reason(err), "the file")
		}
		c.files = append(c.files, f)
	}
}

func (c *checker) closeTree() {
	for _, f := range c.files {
		if f.File != nil {
			_ = f.Close() // it was only read
		}
	}
}

// entries returns how many entries the file of them holds.
func (c *checker) entries() uint64 {
	if c.files[0].File == nil {
		return 0
	}
	info, err := c.files[0].Stat()
	if err != nil {
		return 0
	}
	return uint64(info.Size() / c.files[0].width)
}

// grow adds entries to the tree, and holds them and what becomes of them against the files. Those of traces whose frames
// are gone are not held against themselves.
func (c *checker) grow(entries []byte, own bool) {
	if own {
		c.compare(c.files[0], int64(c.next), entries)
	}
	if c.edge == nil {
		c.next += uint64(len(entries) / tree.EntrySize)
		return
	}
	var hashes [maxLevels + 1][]byte
	for ; len(entries) > 0; entries = entries[tree.EntrySize:] {
		c.extend(tree.RecordHash(entries[:tree.EntrySize]), &hashes)
	}
	c.compareHashes(&hashes)
}

// extend adds one leaf. What tiles hold of it is appended to hashes.
func (c *checker) extend(leaf tree.Hash, hashes *[maxLevels + 1][]byte) {
	c.edge.Append(leaf, func(level int, h tree.Hash) {
		level = min(level, maxLevels) // of more, no file is there
		hashes[level] = append(hashes[level], h[:]...)
	})
	c.next++
	for i := range c.beside {
		if b := &c.beside[i]; b.head.Size == c.next {
			root := c.edge.Root()
			b.root = &root
		}
	}
}

// compareHashes holds the last hashes of each level against the files.
func (c *checker) compareHashes(hashes *[maxLevels + 1][]byte) {
	for level, h := range hashes[:maxLevels] {
		f := c.files[1+level]
		c.compare(f, f.index(c.next)-int64(len(h)/hashSize), h)
	}
}

// compare holds what lies in f from position at on against want. What f lacks at its end is told when its length is.
func (c *checker) compare(f *compared, at int64, want []byte) {
	if f.File == nil || len(want) == 0 {
		return
	}
	if cap(c.buf) < len(want) {
		c.buf = make([]byte, len(want))
	}
	got := c.buf[:len(want)]
	n, err := f.ReadAt(got, at*f.width)
	if err != nil && !errors.Is(err, io.EOF) {
		c.damage(f.name, at*f.width, -1, reason(err), "bytes that can be read")
	}
	got = got[:n-n%int(f.width)]
	if bytes.Equal(got, want[:len(got)]) {
		c.flush(&f.wrong)
		return
	}
	for ; len(got) > 0; got, want, at = got[f.width:], want[f.width:], at+1 {
		if bytes.Equal(got[:f.width], want[:f.width]) {
			c.flush(&f.wrong)
			continue
		}
		if f.wrong.n == 0 {
			f.wrong.Finding = Finding{
				Kind: Damage, File: f.name, Offset: at * f.width, Sequence: at << (8 * max(0, f.level)),
				Found: fmt.Sprintf("%x", got[:f.width]), Want: fmt.Sprintf("%x", want[:f.width]),
			}
			if at >= f.index(c.tail) {
				f.wrong.Kind = Crash
			}
		}
		f.wrong.n++
		f.wrong.Bytes += f.width
	}
}

// fill goes over the traces up to to, of which there is no frame, by their entries: so the tree leads on.
func (c *checker) fill(to uint64) {
	for c.next < to {
		n := min(to-c.next, tree.TileWidth)
		entries := make([]byte, n*uint64(tree.EntrySize))
		if c.readFrom(c.files[0], entries) {
			c.grow(entries, false)
			continue
		}
		// Where entries are missing, too, their hashes will do.
		leaves := make([]byte, n*uint64(hashSize))
		if c.edge == nil || !c.readFrom(c.files[1], leaves) {
			c.edge, c.next = nil, c.next+n
			continue
		}
		var hashes [maxLevels + 1][]byte
		for ; len(leaves) > 0; leaves = leaves[hashSize:] {
			c.extend(tree.Hash(leaves[:hashSize]), &hashes)
		}
		c.compareHashes(&hashes)
	}
}

// readFrom fills b with what f has of the next traces.
func (c *checker) readFrom(f *compared, b []byte) bool {
	if f.File == nil {
		return false
	}
	_, err := f.ReadAt(b, int64(c.next)*f.width)
	return err == nil
}

// fromFiles returns the edge of the tree of size entries that the files hold, nil if they do not.
func (c *checker) fromFiles(size uint64) *tree.Edge {
	e, err := tree.EdgeOf(size, func(level int, n uint64) (h tree.Hash, err error) {
		if level >= maxLevels || c.files[1+level].File == nil {
			return h, trace.ErrNotFound
		}
		_, err = c.files[1+level].ReadAt(h[:], int64(n)*int64(hashSize))
		return h, err
	})
	if err != nil {
		return nil
	}
	return &e
}

// lead holds the root that a frame's checkpoint names against the tree so far. Where they differ it goes on with whatever
// two of frames, files and checkpoint agree on.
func (c *checker) lead(file string, offset int64, head tree.Head) {
	if c.edge != nil && c.edge.Root() == head.Root {
		return
	}
	files := c.fromFiles(head.Size)
	if c.edge != nil {
		f := Finding{Kind: Damage, File: file, Offset: offset, Sequence: int64(c.next) - 1,
			Found: fmt.Sprintf("root %v of %d traces", head.Root, head.Size), Want: "root " + c.edge.Root().String()}
		if files != nil && files.Root() == head.Root {
			f.Found += ", to which the hashes lead, but not the entries"
		}
		c.Add(f)
	}
	switch {
	case files != nil && files.Root() == head.Root:
		c.edge = files
	case files == nil || c.edge == nil || files.Root() != c.edge.Root():
		c.edge = nil
	}
}

// endTree holds the lengths of the files against the tree.
func (c *checker) endTree() {
	for _, f := range c.files {
		c.flush(&f.wrong)
		if f.File == nil {
			continue
		}
		info, err := f.Stat()
		if err != nil {
			c.damage(f.name, -1, -1, reason(err), "a file")
			continue
		}
		is, want := info.Size(), f.index(c.next)*f.width
		found, wants := fmt.Sprintf("%d bytes", is), fmt.Sprintf("%d, for a tree of %d", want, c.next)
		switch least := f.index(c.tail) * f.width; {
		case is < least:
			c.damage(f.name, is, -1, found, fmt.Sprintf("%d at least, which were synced", least))
		case is < want:
			c.crash(f.name, is, -1, found, wants)
		case is > want:
			c.damage(f.name, want, -1, found, wants)
		}
	}
}
