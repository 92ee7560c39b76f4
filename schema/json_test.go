package schema_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func ExampleJSON() {
	raw, err := schema.JSON(&caiov1.Budget{MaxCost: 0.01, Currency: "USD"})
	fmt.Println(string(raw), err)
	// Output: {"currency":"USD","max_cost":0.01} <nil>
}

func TestJSONComesBackAsTheSameMessage(t *testing.T) {
	in := &caiov1.Request{
		Capabilities: []string{"b", "a"}, MaxLatencyMs: proto.Float64(1e-7), Data: &caiov1.Data{Classification: "<&>"},
		Guarantees: map[string]*caiov1.Demand{"z": {Min: proto.Float64(0)}, "a": {Boolean: proto.Bool(false)}},
	}
	first, err := schema.JSON(in)
	if err != nil {
		t.Fatal(err)
	}
	out := &caiov1.Request{}
	if err := schema.ParseJSON(first, out); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(in, out) {
		t.Errorf("in %v, out %v", in, out)
	}
	if !strings.Contains(string(first), "<&>") || bytes.Contains(first, []byte("budget")) {
		t.Errorf("escaped, or says what is not set: %s", first)
	}
}

func TestParseJSONIsStrict(t *testing.T) {
	for name, raw := range map[string]string{
		"unknown field": `{"capability": []}`, "wrong type": `{"capabilities": "chat"}`, "trailing": `{} {}`, "empty": ``,
		"not UTF-8": "{\"match\": \"\xff\"}", "twice": `{"match": "all", "match": "any"}`,
	} {
		if err := schema.ParseJSON([]byte(raw), &caiov1.Request{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCanonicalKeepsDigitsAndSortsKeys(t *testing.T) {
	got, err := schema.Canonical([]byte(" {\"b\" : 1.0e2, \"a\": [ 0.10 ,null]}\n"))
	if err != nil || string(got) != `{"a":[0.10,null],"b":1.0e2}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := schema.Canonical([]byte(`{} {}`)); err == nil {
		t.Error("two documents are one")
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b": [1, "x", {"a": null}], "a": 1e400}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		once, err := schema.Canonical(raw)
		if err != nil {
			return
		}
		twice, err := schema.Canonical(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q becomes %q becomes %q (%v)", raw, once, twice, err)
		}
	})
}
