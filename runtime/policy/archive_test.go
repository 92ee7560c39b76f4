package policy

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/schema"
)

func TestASetIsItsFilesAndTheyAreIt(t *testing.T) {
	set, err := Load(policies.Overlay(policies.FS(), fstest.MapFS{
		"tenants/acme/routing/cost.rego": {Data: []byte("package caio.routing.cost\n\nimport rego.v1\n\ndeny contains \"no\" if input.request.intent.chat.messages[0].content == \"x\"\n")},
		"routing/limits/data.json":       {Data: []byte(`{"most": 5}`)},
		"routing/own_test.rego":          {Data: []byte("package caio.routing.own_test\n")},
		".hidden/routing/a.rego":         {Data: []byte("package broken {")},
	}))
	if err != nil {
		t.Fatal(err)
	}
	archive := set.Files().Archive()
	if schema.Digest(archive) != set.Digest() {
		t.Error("the archive does not have the set's digest")
	}
	read, err := ReadArchive(archive)
	if err != nil || !maps.EqualFunc(read, set.Files(), bytes.Equal) {
		t.Fatalf("%d files of %d, %v", len(read), len(set.Files()), err)
	}
	if again, err := LoadFiles(read); err != nil || again.Digest() != set.Digest() || again.Len() != set.Len() {
		t.Errorf("made again it is another: %v", err)
	}
	for name := range read {
		if isTest(name) || name[0] == '.' {
			t.Errorf("%s decides nothing", name)
		}
	}
	// max_tokens, which the rules that ship read, is recorded; a message is not.
	if reading := set.ReadingIntent("umbrella"); len(reading) != 0 {
		t.Errorf("rules that ship read the intent: %v", reading)
	}
	if reading := set.ReadingIntent("acme"); len(reading) != 1 || reading[0].File != "tenants/acme/routing/cost.rego" {
		t.Errorf("acme's rule reads a message: %v", reading)
	}
	for _, files := range []map[string][]byte{{"../a.rego": nil}, {"a//b.rego": nil}, {"a.rego": nil, "a.rego/b.rego": nil}, {"": nil}} {
		if _, err := LoadFiles(files); err == nil {
			t.Errorf("loaded %v", slices.Collect(maps.Keys(files)))
		}
	}
}

func FuzzReadArchive(f *testing.F) {
	f.Add(Bundle{"a.rego": []byte("package a"), "b/data.json": []byte("{}")}.Archive())
	f.Add([]byte("a\x00001\x00x"))
	f.Add([]byte("a\x00-1\x00x"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, archive []byte) {
		if b, err := ReadArchive(archive); err == nil && !bytes.Equal(b.Archive(), archive) {
			t.Errorf("%q comes back as %q", archive, b.Archive())
		}
	})
}
