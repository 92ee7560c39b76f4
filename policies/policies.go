// Package policies is the default policies: ordinary Rego, embedded, with tests beside the rules. An installation
// replaces them as a whole with a directory of its own, or lays a directory over them with Overlay.
//
//	routing/    which services a request may go to: service levels, privacy, cost, compliance, performance, safety, domain, inference
//	security/   SEC-0001 to SEC-0004: authentication, authorization, privacy, access control
//	guarantee/  what is checked once a service has answered: latency, accuracy, cost, form
//	trace/      what traces keep of payloads: nothing
//	lib/        words that they share
//
// Package github.com/smarthausgroup/caio/runtime/policy says what authors may write.
package policies

import (
	"embed"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed routing security guarantee trace lib
var files embed.FS

// FS returns the default policies and their tests. Read-only; safe for concurrent use.
func FS() fs.FS { return files }

// Overlay lays over on top of base: a file of over hides the file of base at the same path, and everything else of both
// is there. An empty file hides one without putting anything in its place. Where one has a file and the other a directory,
// over's is seen. Both must allow reading directories; neither is copied, so later changes show.
func Overlay(base, over fs.FS) fs.FS { return overlay{base: base, over: over} }

type overlay struct{ base, over fs.FS }

// Open opens over's file, or base's if over has none. Errors of over other than that are returned: a file that cannot be
// read must not give way to the one it was put there to replace.
func (o overlay) Open(name string) (fs.File, error) {
	f, err := o.over.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if o.hidden(name) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return o.base.Open(name)
	default:
		return f, err
	}
}

// hidden tells whether some directory of name is a file in over.
func (o overlay) hidden(name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := fs.Stat(o.over, dir); err == nil {
			return !info.IsDir()
		}
	}
	return false
}

// ReadDir lists both, sorted by name.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	top, err := fs.ReadDir(o.over, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if errors.Is(err, fs.ErrNotExist) && o.hidden(name) {
		return nil, err
	}
	bottom, baseErr := fs.ReadDir(o.base, name)
	switch {
	case baseErr != nil && err != nil:
		return nil, baseErr
	case baseErr != nil && !errors.Is(baseErr, fs.ErrNotExist) && !o.isFile(name):
		return nil, baseErr
	}
	all := slices.Clone(top)
	for _, entry := range bottom {
		if !slices.ContainsFunc(top, func(t fs.DirEntry) bool { return t.Name() == entry.Name() }) {
			all = append(all, entry)
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// isFile tells whether base has a file where over has a directory.
func (o overlay) isFile(name string) bool {
	info, err := fs.Stat(o.base, name)
	return err == nil && !info.IsDir()
}
