package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// An end is where the log ends: after a group that was written whole. The appender makes one after each, and never
// changes it.
type end struct {
	size       uint64
	checkpoint []byte
	segment    uint32 // the last; 0: there is none
	bytes      int64  // of the last
}

// A Cut is the log as it was at one moment: files that make a journal of it, which Open opens.
type Cut struct {
	Size       uint64 // traces
	Checkpoint []byte // nil: the log was never written
	Files      []File
}

// Bytes returns how many bytes the files have together.
func (c *Cut) Bytes() (n int64) {
	for i := range c.Files {
		n += c.Files[i].Bytes
	}
	return n
}

// A File of a cut.
type File struct {
	Name  string // below the journal's directory, with slashes, such as traces/20261128/00000007.seg
	Bytes int64

	raw  []byte   // all of a small one
	file *os.File // one of the tree, which stays open
	path string   // of a segment
}

// Cut returns the log as it is now. What is appended later is not in it. Until its files are read no body may be erased
// and no day dropped: the caller sees to that.
func (j *Journal) Cut() (*Cut, error) {
	// Before the end is looked at: a checkpoint that is ahead of the log that it comes with is none of this log's.
	cosigned, err := j.Cosigned()
	if err != nil {
		return nil, err
	}
	e := j.end.Load()
	c := &Cut{Size: e.size, Checkpoint: e.checkpoint, Files: []File{rawFile(markFile, encodeMark(e.checkpoint))}}
	if cosigned != nil {
		c.Files = append(c.Files, rawFile(cosignedFile, summed(cosigned)))
	}
	pending, err := os.ReadFile(filepath.Join(j.dir, logDir, pendingFile))
	if err == nil {
		c.Files = append(c.Files, rawFile(pendingFile, pending))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	if len(j.dropped) > 0 {
		raw, err := json.MarshalIndent(j.dropped, "", "  ")
		if err != nil {
			return nil, err
		}
		c.Files = append(c.Files, rawFile(droppedFile, summed(append(raw, '\n'))))
	}
	for _, f := range j.tree.files(e.size) {
		c.Files = append(c.Files, File{Name: path.Join(logDir, filepath.Base(f.Name())), Bytes: f.want, file: f.File})
	}
	for _, s := range j.segments {
		if s.number > e.segment {
			break // begun since
		}
		n := s.written()
		if s.number == e.segment {
			n = e.bytes
		}
		c.Files = append(c.Files, File{Name: path.Join(tracesDir, s.day, filepath.Base(s.path)), Bytes: n, path: s.path})
	}
	return c, nil
}

func rawFile(name string, raw []byte) File {
	return File{Name: path.Join(logDir, name), Bytes: int64(len(raw)), raw: raw}
}

// IsSegment tells whether the file is one of bodies.
func (f *File) IsSegment() bool { return f.path != "" }

// CopyTo writes the file to w, with buf as memory. A file that has become shorter is an error that wraps trace.ErrDamaged.
func (f *File) CopyTo(w io.Writer, buf []byte) error {
	var from io.Reader
	switch {
	case f.file != nil:
		from = io.NewSectionReader(f.file, 0, f.Bytes)
	case f.path != "":
		file, err := os.Open(f.path)
		if err != nil {
			return fmt.Errorf("%w: %w", trace.ErrDamaged, err)
		}
		defer file.Close()
		from = io.NewSectionReader(file, 0, f.Bytes)
	default:
		from = bytes.NewReader(f.raw)
	}
	// onlyWriter: else a w that can read does so, with memory of its own.
	n, err := io.CopyBuffer(onlyWriter{w}, from, buf)
	if err == nil && n < f.Bytes {
		err = damaged("%s has %d bytes and had %d", f.Name, n, f.Bytes)
	}
	return err
}

type onlyWriter struct{ io.Writer }

var cutNames = regexp.MustCompile(`^(log/(checkpoint|cosigned|erasing|dropped|entries|tiles\.[0-4])|traces/[0-9]{8}/[0-9]{8,10}\.seg)$`)

// IsCutFile tells whether a file of a cut may have that name.
func IsCutFile(name string) bool { return cutNames.MatchString(name) }

// Dirs returns the directories of a journal, which the files of a cut lie in or below.
func Dirs() []string { return []string{logDir, tracesDir} }
