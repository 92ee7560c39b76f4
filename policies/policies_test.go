package policies_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/smarthausgroup/caio/policies"
)

func tree(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

// walk lists every file with its content.
func walk(t *testing.T, fsys fs.FS) string {
	t.Helper()
	var all []string
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, name)
		all = append(all, name+"="+string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestOverlayGoesByPath(t *testing.T) {
	base := tree("a.rego", "base", "dir/b.rego", "base", "dir/sub/c.rego", "base", "was/dir.rego", "base", "file", "base")
	for name, c := range map[string]struct {
		over fstest.MapFS
		want string
	}{
		"nothing":              {tree(), "a.rego=base dir/b.rego=base dir/sub/c.rego=base file=base was/dir.rego=base"},
		"replaces":             {tree("dir/b.rego", "over"), "a.rego=base dir/b.rego=over dir/sub/c.rego=base file=base was/dir.rego=base"},
		"adds":                 {tree("dir/d.rego", "over", "new/e.rego", "over"), "a.rego=base dir/b.rego=base dir/d.rego=over dir/sub/c.rego=base file=base new/e.rego=over was/dir.rego=base"},
		"hides":                {tree("a.rego", ""), "a.rego= dir/b.rego=base dir/sub/c.rego=base file=base was/dir.rego=base"},
		"file over directory":  {tree("was", "over"), "a.rego=base dir/b.rego=base dir/sub/c.rego=base file=base was=over"},
		"directory over file":  {tree("file/f.rego", "over"), "a.rego=base dir/b.rego=base dir/sub/c.rego=base file/f.rego=over was/dir.rego=base"},
		"deep in a directory":  {tree("dir/sub/c.rego", "over", "dir/sub/more/g.rego", "over"), "a.rego=base dir/b.rego=base dir/sub/c.rego=over dir/sub/more/g.rego=over file=base was/dir.rego=base"},
		"directories of one's": {tree("was/other.rego", "over"), "a.rego=base dir/b.rego=base dir/sub/c.rego=base file=base was/dir.rego=base was/other.rego=over"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := walk(t, policies.Overlay(base, c.over)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestOverlaySaysWhatIsNotThere(t *testing.T) {
	o := policies.Overlay(tree("was/dir.rego", "base"), tree("was", "over"))
	for _, name := range []string{"missing", "was/dir.rego", "missing/dir.rego"} {
		if _, err := o.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fs.ReadDir(o, "missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

// A file that replaces a default and cannot be read must not bring the default back.
func TestOverlayDoesNotFallBackToWhatItReplaces(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("loop.rego", filepath.Join(dir, "loop.rego")); err != nil {
		t.Fatal(err)
	}
	o := policies.Overlay(tree("loop.rego", "base"), os.DirFS(dir))
	if content, err := fs.ReadFile(o, "loop.rego"); err == nil {
		t.Errorf("got %q", content)
	}
}

func TestDefaultsHoldPoliciesAndNothingElse(t *testing.T) {
	var rego []string
	err := fs.WalkDir(policies.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if !strings.HasSuffix(name, ".rego") {
				t.Errorf("%s is embedded", name)
			}
			rego = append(rego, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rego {
		if beside := strings.TrimSuffix(name, ".rego") + "_test.rego"; !strings.HasSuffix(name, "_test.rego") && !slices.Contains(rego, beside) {
			t.Errorf("%s has no %s", name, beside)
		}
	}
}
