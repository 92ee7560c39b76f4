package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/smarthausgroup/caio/policies"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestABundleIsTheSetItWasReadFrom(t *testing.T) {
	b, err := ReadBundle(policies.FS())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range b {
		names = append(names, name)
	}
	if err := fstest.TestFS(b.FS(), names...); err != nil {
		t.Error(err)
	}
	again, err := NewBundle(b.Messages())
	if err != nil {
		t.Fatal(err)
	}
	set, err := Load(again.FS())
	if err != nil {
		t.Fatal(err)
	}
	if want := defaults(t).Digest(); set.Digest() != want {
		t.Errorf("digest %s, want %s", set.Digest(), want)
	}
	report, err := Test(t.Context(), again.FS(), TestOptions{})
	if err != nil || len(report.Tests) < 50 {
		t.Errorf("%v, %v", report, err)
	}
}

func TestABundleTakesFilesOfASetOnly(t *testing.T) {
	file := func(path string) *caiov1.PolicyFile { return &caiov1.PolicyFile{Path: path} }
	for name, c := range map[string]struct {
		files []*caiov1.PolicyFile
		want  string
	}{
		"absolute":        {[]*caiov1.PolicyFile{file("/etc/a.rego")}, "relative and clean"},
		"upwards":         {[]*caiov1.PolicyFile{file("a/../../b.rego")}, "relative and clean"},
		"backslashes":     {[]*caiov1.PolicyFile{file(`a\b.rego`)}, "relative and clean"},
		"not UTF-8":       {[]*caiov1.PolicyFile{file("a\xff.rego")}, "relative and clean"},
		"too long":        {[]*caiov1.PolicyFile{file(strings.Repeat("a", 600) + ".rego")}, "relative and clean"},
		"a root":          {[]*caiov1.PolicyFile{file(".")}, "relative and clean"},
		"hidden":          {[]*caiov1.PolicyFile{file(".git/a.rego")}, "begin with a dot"},
		"something else":  {[]*caiov1.PolicyFile{file("run.sh")}, "none of"},
		"twice":           {[]*caiov1.PolicyFile{file("a.rego"), file("a.rego")}, "twice"},
		"below a file":    {[]*caiov1.PolicyFile{file("a.rego"), file("a.rego/b.rego")}, "is a file of the set"},
		"too much":        {[]*caiov1.PolicyFile{{Path: "a.rego", Content: bytes.Repeat([]byte("#"), MaxBundleBytes)}, {Path: "b.rego", Content: []byte("#")}}, "bytes"},
		"a file too many": {manyFiles(MaxBundleFiles + 1), "at most 2000"},
	} {
		_, err := NewBundle(c.files)
		var faults Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := NewBundle(manyFiles(MaxBundleFiles)); err != nil {
		t.Error(err)
	}
}

func manyFiles(n int) (files []*caiov1.PolicyFile) {
	for i := range n {
		files = append(files, &caiov1.PolicyFile{Path: fmt.Sprintf("%d.rego", i)})
	}
	return files
}
