package engine_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/engine/enginetest"
	"github.com/smarthausgroup/caio/runtime/store"
)

// TestContractsOfAnotherSchemaAreValidatedAnew: from their source, as if they came now; who is refused now is named and
// left out.
func TestContractsOfAnotherSchemaAreValidatedAnew(t *testing.T) {
	schema, err := contract.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open("", store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const good = "service_id: %s\nname: S\nversion: 1.0.0\ncapabilities: [chat]\n"
	c, err := schema.Parse("current.yaml", fmt.Appendf(nil, good, "current"))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := c.Stored()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []store.ServiceRecord{
		{ID: "current", SchemaDigest: schema.Digest(), Source: stored.Source, Normal: stored.JSON, Message: stored.Message},
		{ID: "damaged", SchemaDigest: schema.Digest(), Source: fmt.Appendf(nil, good, "damaged"), Normal: stored.JSON, Message: []byte{0xff}},
		{ID: "first", SchemaDigest: schema.Digest(), Source: fmt.Appendf(nil, good, "first"), Normal: bytes.ReplaceAll(stored.JSON, []byte("current"), []byte("first"))},
		{ID: "older", SchemaDigest: "another", Source: fmt.Appendf(nil, good, "older"), Normal: []byte("{}"), Message: []byte("?")},
		{ID: "other", SchemaDigest: schema.Digest(), Normal: stored.JSON, Message: stored.Message},
		{ID: "refused", SchemaDigest: "another", Source: []byte("service_id: refused\n")},
	} {
		r.Revision = uint64(i + 1)
		if err := st.SaveService(t.Context(), r, ""); err != nil {
			t.Fatal(err)
		}
	}
	r, rejected, err := engine.LoadRegistry(t.Context(), st, schema)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for service := range r.All() {
		got = append(got, service.ID())
	}
	if want := []string{"current", "first", "older"}; !slices.Equal(got, want) || r.Revision() != 6 {
		t.Errorf("services %v at revision %d, want %v at 6", got, r.Revision(), want)
	}
	for i, id := range []string{"damaged", "other", "refused"} {
		if len(rejected) != 3 || !strings.Contains(rejected[i].Error(), "contract "+id+": ") {
			t.Fatalf("rejected: %v, want damaged, other, refused", rejected)
		}
	}
}

// TestAContractIsValidatedAnewOnce: the next start takes it as it is.
func TestAContractIsValidatedAnewOnce(t *testing.T) {
	h := newHouse(t, defaults(nil))
	c := h.parse(t, service("a", ""))
	if err := h.store.SaveService(t.Context(), store.ServiceRecord{ID: "a", Source: c.Source(), SchemaDigest: "another", Revision: 7}, ""); err != nil {
		t.Fatal(err)
	}
	first, _, err := engine.LoadRegistry(t.Context(), h.store, h.schema)
	if err != nil || first.Len() != 1 {
		t.Fatal(first, err)
	}
	records, last, err := h.store.Services(t.Context())
	if err != nil || len(records) != 1 || last != 7 {
		t.Fatal(records, last, err)
	}
	if r := records[0]; r.Revision != 7 || r.SchemaDigest != h.schema.Digest() || !bytes.Equal(r.Source, c.Source()) || !bytes.Equal(r.Normal, c.JSON()) || r.Message == nil {
		t.Errorf("stored: %+v", r)
	}
	again, _, err := engine.LoadRegistry(t.Context(), h.store, h.schema)
	if err != nil || again.Digest() != first.Digest() {
		t.Errorf("the second time: %v, %v", again, err)
	}
}

// BenchmarkLoadRegistry starts from a store on disk that holds 10,000 contracts.
func BenchmarkLoadRegistry(b *testing.B) {
	const services = 10_000
	schema, err := contract.NewSchema()
	if err != nil {
		b.Fatal(err)
	}
	const template = "service-00000"
	c, err := schema.Parse("template.yaml", []byte(`{service_id: `+template+`, name: Template, version: 1.0.0, capabilities: [chat, code],
guarantees: {accuracy: 0.9, p95_latency_ms: 400, determinism: true}, constraints: {context_length: 8192, max_tokens_per_request: 4096},
cost: {per_token: 0.00001}, privacy: {data_locality: region}, api: {protocol: http, base_url: "https://models.example/v1"},
adapter: {plugin: openai}, required_permissions: [chat], metadata: {tenant: acme}}
`))
	if err != nil {
		b.Fatal(err)
	}
	stored, err := c.Stored()
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	for i := range services {
		id := fmt.Sprintf("service-%05d", i)
		named := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(template), []byte(id)) }
		record := store.ServiceRecord{
			ID: id, Filename: id + ".yaml", Source: named(c.Source()), Normal: named(c.JSON()), Message: named(stored.Message), SchemaDigest: schema.Digest(),
			Revision: uint64(i + 1), Time: time.Unix(int64(i), 0),
		}
		if err := st.SaveService(b.Context(), record, ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		r, rejected, err := engine.LoadRegistry(b.Context(), st, schema)
		if err != nil || len(rejected) > 0 || r.Len() != services {
			b.Fatal(r.Len(), rejected, err)
		}
	}
}

// BenchmarkRegister brings one contract into force among 10,000 services and 1,000 rules, from the parsed contract to the
// snapshot by which the next request is decided, and takes it out again. The store is in memory: syncing is the disk's
// affair.
func BenchmarkRegister(b *testing.B) {
	size := enginetest.Large()
	checker, err := contract.NewSchema()
	if err != nil {
		b.Fatal(err)
	}
	registry, err := size.Registry(checker)
	if err != nil {
		b.Fatal(err)
	}
	h := newHouseFrom(b, engine.Options{Registry: registry}, size.Policies())
	c := h.parse(b, service("new", ""))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Register(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Remove(b.Context(), "new", nil); err != nil {
			b.Fatal(err)
		}
	}
}
