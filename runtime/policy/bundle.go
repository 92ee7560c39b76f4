package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Bounds on a Bundle: what comes over the wire and lies in the store was written by people.
const (
	MaxBundleFiles = 2000
	MaxBundleBytes = 2 << 20 // of all files together
	maxBundlePath  = 512
)

// A Bundle is the files of a policy set as they travel and are kept: modules, their tests and data, by their path relative
// to the set's root, with slashes. nil is a set without files. Nobody may change one that is in use.
type Bundle map[string][]byte

// ReadBundle reads what Load would read of fsys, and the tests. The error is Faults where a file is not to be read or the
// bounds are exceeded, else what reading fsys itself returned.
func ReadBundle(fsys fs.FS) (Bundle, error) {
	t, err := readTree(fsys)
	if err != nil {
		return nil, err
	}
	b := Bundle{}
	for _, f := range slices.Concat(t.modules, t.tests, t.data) {
		b[f.path] = f.content
	}
	if faults := append(t.faults, b.check()...); len(faults) > 0 {
		return nil, faults.sorted()
	}
	return b, nil
}

// NewBundle returns a bundle of files that came from outside. The error is Faults: a path that is not clean and relative,
// that stands twice or below a file, a file that no policy set reads, or more than the bounds allow.
func NewBundle(files []*caiov1.PolicyFile) (Bundle, error) {
	b := make(Bundle, len(files))
	var faults Faults
	for _, f := range files {
		if _, twice := b[f.GetPath()]; twice {
			faults = append(faults, &caiov1.Fault{File: clean(f.GetPath()), Message: "stands in the set twice"})
		}
		b[f.GetPath()] = f.GetContent()
	}
	if faults = append(faults, b.check()...); len(faults) > 0 {
		return nil, faults.sorted()
	}
	return b, nil
}

func (b Bundle) check() (faults Faults) {
	if len(b) > MaxBundleFiles {
		faults = append(faults, &caiov1.Fault{Message: fmt.Sprintf("%d files; a set has at most %d", len(b), MaxBundleFiles)})
	}
	total := 0
	for _, content := range b {
		total += len(content)
	}
	if total > MaxBundleBytes {
		faults = append(faults, &caiov1.Fault{Message: fmt.Sprintf("%d bytes; the files of a set have at most %d together", total, MaxBundleBytes)})
	}
	return append(faults, b.misplaced()...)
}

// misplaced tells of files at paths where nothing of a policy set can lie.
func (b Bundle) misplaced() (faults Faults) {
	for name := range b {
		if wrong := misnamed(name); wrong != "" {
			faults = append(faults, &caiov1.Fault{File: cut(name, maxBundlePath), Message: wrong})
			continue
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, file := b[dir]; file {
				faults = append(faults, &caiov1.Fault{File: clean(name), Message: clean(dir) + " is a file of the set, so nothing can lie below it"})
			}
		}
	}
	return faults
}

// misnamed says why nothing of a policy set can lie at name; empty: it can.
func misnamed(name string) string {
	switch base := strings.ToLower(path.Base(name)); {
	case !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\\x00") || len(name) > maxBundlePath || clean(name) != name:
		return fmt.Sprintf("a path is relative and clean, with slashes, UTF-8, and at most %d bytes long", maxBundlePath)
	case slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.HasPrefix(part, ".") }):
		return "names that begin with a dot are not read"
	case !strings.HasSuffix(base, ".rego") && base != "data.json" && base != "data.yaml" && base != "data.yml":
		return "is none of *.rego, data.json, data.yaml, data.yml"
	}
	return ""
}

// Messages returns the files as they go over the wire, sorted by path. They share their content with b.
func (b Bundle) Messages() []*caiov1.PolicyFile {
	out := make([]*caiov1.PolicyFile, 0, len(b))
	for _, name := range slices.Sorted(maps.Keys(b)) {
		out = append(out, &caiov1.PolicyFile{Path: name, Content: b[name]})
	}
	return out
}

// FS returns b as a file system, for Load and Test. Safe for concurrent use.
func (b Bundle) FS() fs.FS { return bundleFS{b} }

// bundleFS shows a Bundle as fs.FS wants it. Directories are what the paths imply.
type bundleFS struct{ files Bundle }

func (b bundleFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if content, ok := b.files[name]; ok {
		return &bundleFile{bundleEntry{path.Base(name), int64(len(content)), 0}, bytes.NewReader(content)}, nil
	}
	if entries := b.entries(name); entries != nil || name == "." {
		return &bundleDir{bundleEntry{path.Base(name), 0, fs.ModeDir}, entries}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// entries lists a directory, sorted by name; nil if there is none.
func (b bundleFS) entries(dir string) []fs.DirEntry {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	found := make(map[string]bundleEntry)
	for name, content := range b.files {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if first, _, deeper := strings.Cut(rest, "/"); deeper {
			found[first] = bundleEntry{first, 0, fs.ModeDir}
		} else {
			found[first] = bundleEntry{first, int64(len(content)), 0}
		}
	}
	var entries []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(found)) {
		entries = append(entries, found[name])
	}
	return entries
}

// A bundleEntry is a file or directory as it is listed.
type bundleEntry struct {
	name string
	size int64
	mode fs.FileMode
}

func (e bundleEntry) Name() string               { return e.name }
func (e bundleEntry) Size() int64                { return e.size }
func (e bundleEntry) Mode() fs.FileMode          { return e.mode | 0o444 }
func (e bundleEntry) Type() fs.FileMode          { return e.mode.Type() }
func (e bundleEntry) IsDir() bool                { return e.mode.IsDir() }
func (e bundleEntry) ModTime() time.Time         { return time.Time{} }
func (e bundleEntry) Sys() any                   { return nil }
func (e bundleEntry) Info() (fs.FileInfo, error) { return e, nil }

type bundleFile struct {
	bundleEntry
	*bytes.Reader
}

func (f *bundleFile) Size() int64                { return f.bundleEntry.size }
func (f *bundleFile) Stat() (fs.FileInfo, error) { return f.bundleEntry, nil }
func (f *bundleFile) Close() error               { return nil }

type bundleDir struct {
	bundleEntry
	left []fs.DirEntry
}

func (d *bundleDir) Stat() (fs.FileInfo, error) { return d.bundleEntry, nil }
func (d *bundleDir) Close() error               { return nil }
func (d *bundleDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *bundleDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	some := d.left[:min(n, len(d.left))]
	d.left = d.left[len(some):]
	return some, nil
}
