package policy

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/smarthausgroup/caio/policies"
)

var update = flag.Bool("update", false, "rewrite what files in testdata are compared with")

// tree of files, by path.
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func load(t testing.TB, pairs ...string) *Set {
	t.Helper()
	s, err := Load(files(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each archive in testdata/load is a directory of policies; its file "want" is what Load says of it: faults, or rules
// and warnings.
func TestLoadTellsEverythingThatIsWrongAtOnce(t *testing.T) {
	paths, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("testdata/load: %v, %d archives", err, len(paths))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tree := fstest.MapFS{}
			var want *txtar.File
			for i := range archive.Files {
				if archive.Files[i].Name == "want" {
					want = &archive.Files[i]
					continue
				}
				tree[archive.Files[i].Name] = &fstest.MapFile{Data: archive.Files[i].Data}
			}
			got := describe(Load(tree))
			if *update {
				if want == nil {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
					want = &archive.Files[len(archive.Files)-1]
				}
				want.Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want == nil || got != string(want.Data) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func describe(s *Set, err error) string {
	var b strings.Builder
	if err != nil {
		var faults Faults
		if !errors.As(err, &faults) {
			fmt.Fprintf(&b, "not faults: ")
		}
		fmt.Fprintln(&b, err)
		return b.String()
	}
	for _, r := range s.Rules() {
		fmt.Fprintf(&b, "%s:%d %s %s %q %s\n", r.File, r.Line, r.Kind, r.ID, r.Title, r.Invariant)
	}
	for _, w := range s.Warnings() {
		fmt.Fprintf(&b, "%swarning: %s\n", Place(w), w.GetMessage())
	}
	return b.String()
}

func TestLoadRefusesHugeFiles(t *testing.T) {
	_, err := Load(files(
		"routing/huge.rego", "package caio.routing.huge\n"+strings.Repeat("# comment\n", maxModule/10+1),
		"lib/data.json", `"`+strings.Repeat("x", maxData)+`"`,
	))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Fatalf("got %v", err)
	}
	for _, f := range faults {
		if !strings.Contains(f.GetMessage(), "at most") {
			t.Errorf("%s: %s", f.GetFile(), f.GetMessage())
		}
	}
}

func TestLoadReadsLinkedFilesAndRefusesLinkedDirectories(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "..data"), 0o755)) // as a mounted configuration looks
	must(os.WriteFile(filepath.Join(dir, "..data", "a.rego"), []byte("package caio.routing.a\n\ndeny contains \"a\" if input.request.match == \"any\"\n"), 0o644))
	must(os.Symlink(filepath.Join("..data", "a.rego"), filepath.Join(dir, "a.rego")))
	s, err := Load(os.DirFS(dir))
	must(err)
	if s.Len() != 1 {
		t.Errorf("%d rules; the linked file has one", s.Len())
	}
	must(os.Symlink(filepath.Join(dir, "nowhere.rego"), filepath.Join(dir, "b.rego")))
	must(os.Symlink(dir, filepath.Join(dir, "loop")))
	_, err = Load(os.DirFS(dir))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("got %v; want a fault for each bad link", err)
	}
}

func TestLoadReturnsWhatTheFileSystemSays(t *testing.T) {
	_, err := Load(os.DirFS(filepath.Join(t.TempDir(), "missing")))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNothingAtAllIsASetWithoutRules(t *testing.T) {
	for _, tree := range []fstest.MapFS{files(), files("README.md", "# hi", "empty.rego", "", "notes.rego", "# only a comment\n")} {
		s, err := Load(tree)
		if err != nil {
			t.Fatal(err)
		}
		if s.Len() != 0 || len(s.Uncovered()) != 4 {
			t.Errorf("%d rules, uncovered %v", s.Len(), s.Uncovered())
		}
	}
}

func TestDigestFollowsContentAndNothingElse(t *testing.T) {
	const rule = "package caio.routing.a\n\ndeny contains \"a\" if input.request.match == \"any\"\n"
	base := load(t, "a.rego", rule).Digest()
	if again := load(t, "a.rego", rule).Digest(); again != base {
		t.Errorf("the same files: %s and %s", base, again)
	}
	if beside := load(t, "a.rego", rule, "a_test.rego", "package a_test\n\ntest_a if true\n", "README.md", "x").Digest(); beside != base {
		t.Error("tests and other files are no part of the set")
	}
	for name, other := range map[string]*Set{
		"content":   load(t, "a.rego", rule+"\n"),
		"path":      load(t, "b.rego", rule),
		"more data": load(t, "a.rego", rule, "data.json", "{}"),
	} {
		if other.Digest() == base {
			t.Errorf("%s: the digest did not change", name)
		}
	}
}

func TestDataIsFoundAtThePathOfItsDirectory(t *testing.T) {
	s := load(t,
		"routing/a.rego", `package caio.routing.a

deny contains "banned" if input.service.service_id in data.lists.banned
deny contains "tier" if data.lists.tiers.free.max < 5
`,
		"lists/data.json", `{"banned": ["a"]}`,
		"lists/tiers/data.yaml", "free:\n  max: 3\n",
	)
	v := route(t, s, nil, `{"service_id": "a"}`)
	if len(v.Rule) != 2 {
		t.Errorf("got %v", v.Rule)
	}
}

func FuzzLoadNeverPanics(f *testing.F) {
	paths, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	defaults, err := readTree(policies.FS())
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range defaults.modules {
		f.Add(file.content)
	}
	facts, err := NewFacts([]byte(`{"service_id": "a", "privacy": {}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		if len(source) > 4096 || bytes.Count(source, []byte("[")) > 50 {
			return
		}
		s, err := Load(fstest.MapFS{"a.rego": &fstest.MapFile{Data: source}})
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Errorf("not faults: %v", err)
			}
			return
		}
		s.limit /= 20
		if verdicts, err := s.Route(t.Context(), nil, []*Facts{facts}); err == nil && len(verdicts) != 1 {
			t.Errorf("%d verdicts", len(verdicts))
		}
	})
}
