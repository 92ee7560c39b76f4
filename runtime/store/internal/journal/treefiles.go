package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// treeFiles are the files of the tree. A tile is a piece of one: tile n of a level begins at n times the size of a full
// one, and a partial tile is its beginning. So nothing that was written is ever written again.
type treeFiles struct {
	entry  *os.File
	levels [maxLevels]*os.File // by level of tiles
}

// Five levels of tiles hold 2^40 entries.
const (
	maxLevels   = 5
	entriesFile = "entries"
	tilesFile   = "tiles."
	hashSize    = len(tree.Hash{})
)

func treeNames() []string {
	names := []string{entriesFile}
	for level := range maxLevels {
		names = append(names, fmt.Sprint(tilesFile, level))
	}
	return names
}

func createTree(dir string) error {
	for _, name := range treeNames() {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func openTree(dir string) (*treeFiles, error) {
	t := &treeFiles{}
	for i, name := range treeNames() {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0o600)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w; restore it from a backup", trace.ErrDamaged, err), t.close())
		}
		if i == 0 {
			t.entry = f
		} else {
			t.levels[i-1] = f
		}
	}
	return t, nil
}

// files returns all files, each with the bytes that it has in a tree of size entries.
func (t *treeFiles) files(size uint64) []treeFile {
	files := []treeFile{{t.entry, int64(size) * int64(tree.EntrySize)}}
	for level, f := range t.levels {
		files = append(files, treeFile{f, int64(size>>(8*level)) * int64(hashSize)})
	}
	return files
}

type treeFile struct {
	*os.File
	want int64
}

// has tells whether the files hold at least a tree of size entries.
func (t *treeFiles) has(size uint64) error {
	for _, f := range t.files(size) {
		if f.File == nil {
			continue
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() < f.want {
			return damaged("%s has %d bytes and had at least %d", filepath.Base(f.Name()), info.Size(), f.want)
		}
	}
	return nil
}

// cut makes the files those of a tree of size entries, which they hold.
func (t *treeFiles) cut(size uint64) error {
	for _, f := range t.files(size) {
		if err := f.Truncate(f.want); err != nil {
			return err
		}
	}
	return nil
}

// append adds entries from the position first on, and the hashes above them.
func (t *treeFiles) append(first uint64, sums [][32]byte, hashes [][]byte) error {
	entries := make([]byte, 0, len(sums)*tree.EntrySize)
	for i := range sums {
		entries = tree.AppendEntry(entries, sums[i])
	}
	if _, err := t.entry.WriteAt(entries, int64(first)*int64(tree.EntrySize)); err != nil {
		return err
	}
	for level, h := range hashes {
		if len(h) == 0 {
			continue
		}
		if level >= maxLevels {
			return fmt.Errorf("%w: the tree has 2^40 entries", trace.ErrRefused)
		}
		if _, err := t.levels[level].WriteAt(h, int64(first>>(8*level))*int64(hashSize)); err != nil {
			return err
		}
	}
	return nil
}

func (t *treeFiles) entries(from uint64, count int) ([]byte, error) {
	b := make([]byte, count*tree.EntrySize)
	if _, err := t.entry.ReadAt(b, int64(from)*int64(tree.EntrySize)); err != nil {
		return nil, fmt.Errorf("%w: entries: %w", trace.ErrDamaged, err)
	}
	return b, nil
}

func (t *treeFiles) tile(level int, n uint64, width int) ([]byte, error) {
	if level >= maxLevels {
		return nil, trace.ErrNotFound
	}
	b := make([]byte, width*hashSize)
	if _, err := t.levels[level].ReadAt(b, int64(n)*tree.TileWidth*int64(hashSize)); err != nil {
		return nil, fmt.Errorf("%w: tile %d/%d: %w", trace.ErrDamaged, level, n, err)
	}
	return b, nil
}

func (t *treeFiles) sync() error {
	var errs []error
	for _, f := range t.files(0) {
		errs = append(errs, f.Sync())
	}
	return errors.Join(errs...)
}

func (t *treeFiles) close() error {
	var errs []error
	for _, f := range t.files(0) {
		if f.File != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
