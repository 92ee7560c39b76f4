package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// compiled is the schema that the tests of this package share; it is immutable.
var compiled = sync.OnceValues(NewSchema)

func testSchema(t testing.TB) *Schema {
	t.Helper()
	s, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestParse reads every file of every archive in testdata/parse; what comes of it, the normal form or all the faults,
// stands after it under want/.
func TestParse(t *testing.T) {
	s := testSchema(t)
	archives, err := filepath.Glob("testdata/parse/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			var inputs []txtar.File
			for _, f := range archive.Files {
				if rest, ok := strings.CutPrefix(f.Name, "want/"); ok {
					want[rest] = string(f.Data)
				} else {
					inputs = append(inputs, f)
				}
			}
			archive.Files = nil
			for _, f := range inputs {
				got := describe(t, s, f.Name, f.Data)
				if got != want[f.Name] && !*update {
					t.Errorf("%s:\n--- got\n%s--- want\n%s", f.Name, got, want[f.Name])
				}
				archive.Files = append(archive.Files, f, txtar.File{Name: "want/" + f.Name, Data: []byte(got)})
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func describe(t *testing.T, s *Schema, name string, source []byte) string {
	c, err := s.Parse(name, source)
	if err != nil {
		var faults Faults
		if !errors.As(err, &faults) {
			t.Fatalf("%s: not Faults: %v", name, err)
		}
		return faults.Error() + "\n"
	}
	var out bytes.Buffer
	if err := json.Indent(&out, c.JSON(), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}
