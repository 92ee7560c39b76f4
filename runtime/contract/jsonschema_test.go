package contract

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	cuejson "cuelang.org/go/encoding/json"
	"cuelang.org/go/encoding/jsonschema"
	"github.com/rogpeppe/go-internal/txtar"
)

// validator compiles the exported schema as any JSON Schema would be.
func validator(t *testing.T) func(document *node) error {
	t.Helper()
	raw, err := testSchema(t).JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	expr, err := cuejson.Extract("schema.json", raw)
	if err != nil {
		t.Fatal(err)
	}
	file, err := jsonschema.Extract(cuecontext.New().BuildExpr(expr), &jsonschema.Config{
		Strict: true, DefaultVersion: jsonschema.VersionDraft2020_12,
	})
	if err != nil {
		t.Fatalf("not a JSON Schema: %v", err)
	}
	root := cuecontext.New().BuildFile(file)
	return func(document *node) error {
		return root.Unify(cuecontext.New().BuildExpr(document.expr())).Validate(cue.Concrete(true))
	}
}

// TestJSONSchemaAcceptsWhateverIsAccepted holds the exported schema against every good contract of TestParse, as it was
// written and in its normal form, and against files that editors must mark.
func TestJSONSchemaAcceptsWhateverIsAccepted(t *testing.T) {
	s, validate := testSchema(t), validator(t)
	archives, err := filepath.Glob("testdata/parse/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if strings.HasPrefix(f.Name, "want/") {
				continue
			}
			c, parseErr := s.Parse(f.Name, f.Data)
			r := &report{file: f.Name}
			document := read(f.Data, r)
			if document == nil || len(r.faults) > 0 {
				continue
			}
			err := validate(document)
			if parseErr != nil {
				if err != nil {
					refused++
				}
				continue
			}
			accepted++
			if err != nil {
				t.Errorf("%s is a contract, but not by its JSON Schema: %v", f.Name, err)
			}
			if err := validate(read(c.JSON(), &report{file: "normal.json"})); err != nil {
				t.Errorf("the normal form of %s is none by its JSON Schema: %v", f.Name, err)
			}
		}
	}
	if accepted < 6 || refused < 6 {
		t.Errorf("%d accepted, %d refused: the corpus shows too little", accepted, refused)
	}
}

func TestJSONSchemaMarksSlips(t *testing.T) {
	validate := validator(t)
	const good = "{service_id: a, name: A, version: 1.0.0, capabilities: [chat]"
	if err := validate(read([]byte(good+"}"), &report{})); err != nil {
		t.Fatalf("the contract that the slips are added to is refused: %v", err)
	}
	for _, slip := range []string{
		", nme: x", ", privacy: {data_locality: clowd}", ", privacy: {encrypton: true}", ", cost: {per_request: -1}",
		", guarantees: {accuracy: 1.5}", ", guarantees: {accuracy: high}", ", guarantees: {latency: {property: p90_latency_ms}}",
		", guarantees: {latency: {bund: {}}}", ", required_trust_level: 11", ", constraints: {requires_gpu: yes}",
		", adapter: {auth: baerer}", ", api: {protocol: https}", ", service: {nme: x}", ", invariants: [{description: x}]",
		", capabilities_: []", ", adapter: {settings: 5}", ", cost: {per_token: {inn: 1}}",
	} {
		if err := validate(read([]byte(good+slip+"}"), &report{})); err == nil {
			t.Errorf("%s is not marked", slip)
		}
	}
	for _, missing := range []string{"{}", "{service_id: a, name: A, version: 1.0.0}", "{service_id: a, name: A, version: 1.0.0, capabilities: []}"} {
		if err := validate(read([]byte(missing), &report{})); err == nil {
			t.Errorf("%s is not marked", missing)
		}
	}
}

func TestJSONSchemaIsStable(t *testing.T) {
	first, err := testSchema(t).JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	again, err := other.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, again) {
		t.Error("two runs wrote different schemas")
	}
}
