package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// testService builds a service without CUE, which would take seconds for 10,000; TestParse shows that such messages are
// what Parse makes.
func testService(t testing.TB, revision uint64, m *caiov1.Contract) *Service {
	t.Helper()
	c, err := newContract(m.GetServiceId()+".yaml", nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return &Service{Contract: c, Revision: revision, Time: time.Unix(int64(revision), 0)}
}

func minBound(v float64) *caiov1.Bound { return &caiov1.Bound{Type: "min", Min: proto.Float64(v)} }
func maxBound(v float64) *caiov1.Bound { return &caiov1.Bound{Type: "max", Max: proto.Float64(v)} }

var someCapabilities = []string{"chat", "embedding", "search", "speech", "transcription", "image", "code", "summary", "translation", "ocr"}

// randomService draws from few values, so that services share them and differ.
func randomService(t testing.TB, random *rand.Rand, id string, revision uint64) *Service {
	m := &caiov1.Contract{ServiceId: id, Name: id, Version: "1.0.0", Guarantees: map[string]*caiov1.Guarantee{}, Constraints: &caiov1.Constraints{RateLimit: &caiov1.RateLimit{}}}
	for _, at := range random.Perm(len(someCapabilities))[:1+random.IntN(3)] {
		m.Capabilities = append(m.Capabilities, &caiov1.Capability{Type: someCapabilities[at]})
	}
	if random.IntN(4) > 0 {
		m.Guarantees["accuracy"] = &caiov1.Guarantee{Property: "accuracy", Bound: minBound(float64(random.IntN(100)) / 100)}
	}
	if random.IntN(4) > 0 {
		m.Guarantees["latency"] = &caiov1.Guarantee{Property: []string{"p95_latency_ms", "max_latency_ms"}[random.IntN(2)], Bound: maxBound(float64(10 * (1 + random.IntN(100))))}
	}
	m.Constraints.RequiresGpu = random.IntN(4) == 0
	m.Constraints.RequiresInternet = random.IntN(2) == 0
	if random.IntN(2) == 0 {
		m.Constraints.RateLimit.RequestsPerMinute = proto.Float64(float64(60 * (1 + random.IntN(50))))
	}
	return testService(t, revision, m)
}

func randomServices(t testing.TB, n int) []*Service {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	services := make([]*Service, n)
	for i := range services {
		services[i] = randomService(t, random, fmt.Sprintf("service-%05d", i), uint64(i+1))
	}
	return services
}

// TestRegistryAgreesWithAListOfServices changes a registry at random and holds each snapshot against a plain map, and
// every match against one that judges all services one by one.
func TestRegistryAgreesWithAListOfServices(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	registry, model := NewRegistry(), map[string]*Service{}
	type snapshot struct {
		registry *Registry
		digest   string
		ids      []string
	}
	var past []snapshot
	for step := range 600 {
		id := fmt.Sprintf("s%d", random.IntN(90))
		if random.IntN(3) == 0 {
			registry = registry.Without(id)
			delete(model, id)
		} else {
			s := randomService(t, random, id, uint64(step))
			registry = registry.With(s)
			model[id] = s
		}
		compareRegistry(t, registry, model)
		request := randomRequest(random)
		for _, listAll := range []bool{false, true} {
			compareMatch(t, registry, model, request, listAll)
		}
		if step%50 == 0 {
			past = append(past, snapshot{registry, registry.Digest(), idsOf(registry)})
		}
	}
	for i, s := range past {
		fresh := NewRegistry(slices.Collect(s.registry.All())...)
		if s.registry.Digest() != s.digest || fresh.Digest() != s.digest || !slices.Equal(idsOf(s.registry), s.ids) {
			t.Errorf("snapshot %d changed after it was taken", i)
		}
	}
}

func idsOf(r *Registry) []string {
	ids := []string{}
	for s := range r.All() {
		ids = append(ids, s.ID())
	}
	return ids
}

func compareRegistry(t *testing.T, r *Registry, model map[string]*Service) {
	t.Helper()
	if r.Len() != len(model) || len(idsOf(r)) != len(model) || !slices.IsSorted(idsOf(r)) {
		t.Fatalf("%d services, want %d: %v", r.Len(), len(model), idsOf(r))
	}
	for id, want := range model {
		if got, ok := r.Get(id); !ok || got != want {
			t.Fatalf("%s: got %v, want the one put in last", id, got)
		}
		if slot, ok := r.Slot(id); !ok || slot >= r.Slots() || !r.Live().Has(slot) || r.Service(slot) != want {
			t.Fatalf("%s: slot %d of %d holds %v", id, slot, r.Slots(), r.Service(slot))
		}
	}
	byID := []string{}
	for slot := range r.ByID(r.Live()) {
		byID = append(byID, r.Service(slot).ID())
	}
	if !slices.Equal(byID, idsOf(r)) {
		t.Fatalf("by id: %v", byID)
	}
	if _, ok := r.Slot("nobody"); ok {
		t.Fatal("found the slot of a service that was never there")
	}
	if _, ok := r.Get("nobody"); ok {
		t.Fatal("found a service that was never there")
	}
	for m, set := range r.index.sets.all() {
		if set.empty() || set.words[0] == 0 || last(set.words) == 0 {
			t.Fatalf("%v: an empty set, or zeros at its ends, are kept", m)
		}
	}
}

func randomRequest(random *rand.Rand) *caiov1.Request {
	q := &caiov1.Request{Guarantees: map[string]*caiov1.Demand{}, Constraints: &caiov1.Demands{}}
	for range random.IntN(3) {
		if c := someCapabilities[random.IntN(len(someCapabilities))]; !slices.Contains(q.Capabilities, c) {
			q.Capabilities = append(q.Capabilities, c)
		}
	}
	if random.IntN(2) == 0 {
		q.Match = "any"
	}
	if random.IntN(2) == 0 {
		q.Guarantees["accuracy"] = &caiov1.Demand{Min: proto.Float64(random.Float64())}
	}
	if random.IntN(2) == 0 {
		q.Guarantees["latency"] = &caiov1.Demand{Property: []string{"", "p95_latency_ms"}[random.IntN(2)], Max: proto.Float64(1000 * random.Float64())}
	}
	if random.IntN(2) == 0 {
		q.Constraints.RequiresGpu = proto.Bool(random.IntN(2) == 0)
	}
	if random.IntN(4) == 0 {
		q.Constraints.RequestsPerSecond = proto.Float64(float64(random.IntN(50)))
	}
	return q
}

func compareMatch(t *testing.T, r *Registry, model map[string]*Service, q *caiov1.Request, listAll bool) {
	t.Helper()
	m, err := r.Match(q, nil, listAll)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for slot := range m.Passed.All() {
		got[r.Service(slot).ID()] = "matches"
		if outcome, reasons := m.Why(slot); outcome != "" || len(reasons) > 0 {
			t.Fatalf("%s passed in spite of %v", r.Service(slot).ID(), reasons)
		}
	}
	for slot := range m.Fallen.All() {
		outcome, reasons := m.Why(slot)
		got[r.Service(slot).ID()] = outcome
		if len(reasons) == 0 {
			t.Fatalf("%s fell without a reason", r.Service(slot).ID())
		}
	}
	unlisted := 0
	for id, s := range model {
		want := plainOutcome(s.Message(), q)
		if want == "none" {
			if !listAll {
				unlisted++
				want = ""
			} else {
				want = "capability"
			}
		}
		if got[id] != want {
			t.Fatalf("%s: %q, want %q, for %v of %v", id, got[id], want, q, s.Message())
		}
	}
	if unlisted != m.Unlisted || m.Passed.Count()+m.Fallen.Count()+m.Unlisted != len(model) {
		t.Fatalf("%d unlisted, want %d", m.Unlisted, unlisted)
	}
}

// plainOutcome is the rule book written down a second time, for the demands that randomRequest makes. "none": offers
// nothing of what is asked.
func plainOutcome(c *caiov1.Contract, q *caiov1.Request) string {
	offered := 0
	for _, want := range q.Capabilities {
		if slices.ContainsFunc(c.Capabilities, func(has *caiov1.Capability) bool { return has.Type == want }) {
			offered++
		}
	}
	switch {
	case len(q.Capabilities) > 0 && offered == 0:
		return "none"
	case q.Match != "any" && offered < len(q.Capabilities):
		return "capability"
	}
	if d := q.Guarantees["accuracy"]; d != nil {
		if g := c.Guarantees["accuracy"]; g == nil || g.Bound.GetMin() < d.GetMin() {
			return "guarantee"
		}
	}
	if d := q.Guarantees["latency"]; d != nil {
		if g := c.Guarantees["latency"]; g == nil || g.Bound.GetMax() > d.GetMax() || d.Property != "" && d.Property != g.Property {
			return "guarantee"
		}
	}
	if q.Constraints.RequiresGpu != nil && !*q.Constraints.RequiresGpu && c.Constraints.RequiresGpu {
		return "constraint"
	}
	if want := q.Constraints.RequestsPerSecond; want != nil {
		if has := c.Constraints.RateLimit.RequestsPerMinute; has == nil || *has < *want*60 {
			return "constraint"
		}
	}
	return "matches"
}

func TestOfTwoServicesWithOneIDTheLaterCounts(t *testing.T) {
	a := testService(t, 4, &caiov1.Contract{ServiceId: "a", Capabilities: []*caiov1.Capability{{Type: "chat"}}})
	again := testService(t, 3, &caiov1.Contract{ServiceId: "a", Capabilities: []*caiov1.Capability{{Type: "code"}}})
	for name, r := range map[string]*Registry{"at once": NewRegistry(a, again), "one by one": NewRegistry().With(a).With(again)} {
		if got, _ := r.Get("a"); r.Len() != 1 || got != again {
			t.Errorf("%s: %d services, %v", name, r.Len(), got)
		}
		if r.Revision() != 4 {
			t.Errorf("%s: revision %d, want 4, the highest seen", name, r.Revision())
		}
		if r.NearestCapability("chat", r.Live()) == "chat" {
			t.Errorf("%s: the capability of the replaced contract is still on offer", name)
		}
	}
}

func TestRevisionsCountChanges(t *testing.T) {
	s := testService(t, 7, &caiov1.Contract{ServiceId: "a"})
	r := NewRegistry().With(s)
	gone := r.Without("a")
	if r.Revision() != 7 || gone.Revision() != 8 || gone.Len() != 0 {
		t.Errorf("revisions %d and %d with %d services, want 7, 8, 0", r.Revision(), gone.Revision(), gone.Len())
	}
	if gone.Without("a") != gone {
		t.Error("removing nobody made a new snapshot")
	}
	at := r.At(40)
	if at.Revision() != 40 || at.Digest() != r.Digest() || r.Revision() != 7 {
		t.Errorf("At(40): revision %d, before %d", at.Revision(), r.Revision())
	}
}

func TestDigestIsOfIDsAndContractsOnly(t *testing.T) {
	services := randomServices(t, 20)
	forward, backward := NewRegistry(), NewRegistry()
	for i := range services {
		forward = forward.With(services[i])
		last := *services[len(services)-1-i]
		last.Revision, last.Time = 99, time.Now()
		backward = backward.With(&last)
	}
	if forward.Digest() != backward.Digest() {
		t.Error("the digest depends on the order or the revisions")
	}
	if forward.Without(services[0].ID()).Digest() == forward.Digest() {
		t.Error("the digest does not tell a service is gone")
	}
}

// TestDigestIsWhatItsCommentSays computes it from the services alone, through changes that fill and empty groups.
func TestDigestIsWhatItsCommentSays(t *testing.T) {
	want := func(services iter.Seq[*Service]) string {
		lines := map[byte]string{}
		for s := range services {
			lines[sha256.Sum256([]byte(s.ID()))[0]] += s.ID() + " " + s.Contract.Digest() + "\n"
		}
		all := ""
		for group := range 256 {
			if of, ok := lines[byte(group)]; ok {
				sum := sha256.Sum256([]byte(of))
				all += string([]byte{byte(group)}) + string(sum[:])
			}
		}
		sum := sha256.Sum256([]byte(all))
		return hex.EncodeToString(sum[:])
	}
	random := rand.New(rand.NewPCG(5, 5))
	r := NewRegistry()
	for step := range 400 {
		if id := fmt.Sprint("s", random.IntN(300)); step%3 == 2 {
			r = r.Without(id)
		} else {
			r = r.With(&Service{Contract: &Contract{message: &caiov1.Contract{ServiceId: id}, digest: fmt.Sprint(step)}})
		}
		if got := r.Digest(); got != want(r.All()) {
			t.Fatalf("digest %s, want %s", got, want(r.All()))
		}
		if fresh := NewRegistry(slices.Collect(r.All())...); fresh.Digest() != r.Digest() {
			t.Fatal("the digest of the same services at once is another")
		}
	}
}

// TestMatchTellsNothingOfWhatIsNotVisible: not who there is, nor how many.
func TestMatchTellsNothingOfWhatIsNotVisible(t *testing.T) {
	service := func(id, tenant, capability string) *Service {
		return testService(t, 1, &caiov1.Contract{
			ServiceId: id, Metadata: &caiov1.Metadata{Tenant: tenant}, Capabilities: []*caiov1.Capability{{Type: capability}},
		})
	}
	r := NewRegistry().With(service("shared", "", "chat")).With(service("a-chat", "a", "chat")).With(service("a-code", "a", "code")).
		With(service("b-chat", "b", "chat")).With(service("b-code", "b", "code"))
	request := &caiov1.Request{Capabilities: []string{"chat"}, Guarantees: map[string]*caiov1.Demand{"accuracy": {}}}
	for _, row := range []struct {
		name     string
		registry *Registry
		tenant   string
		all      bool
		fallen   []string
		unlisted int
	}{
		{"a tenant's user", r, "a", false, []string{"a-chat", "shared"}, 1},
		{"of no tenant", r, "", false, []string{"shared"}, 0},
		{"of a tenant without services", r, "c", false, []string{"shared"}, 0},
		{"who looks after all", r, "", true, []string{"a-chat", "b-chat", "shared"}, 2},
		{"a tenant's user, nothing is shared", r.Without("shared"), "a", false, []string{"a-chat"}, 1},
		{"of no tenant, nothing is shared", r.Without("shared"), "", false, nil, 0},
		{"of another tenant, nothing is shared", r.Without("shared"), "c", false, nil, 0},
	} {
		m, err := row.registry.Match(request, row.registry.Visible(row.tenant, row.all), false)
		if err != nil {
			t.Fatal(err)
		}
		var fallen []string
		for slot := range row.registry.ByID(m.Fallen) {
			fallen = append(fallen, row.registry.Service(slot).ID())
		}
		if !slices.Equal(fallen, row.fallen) || !m.Passed.Empty() || m.Unlisted != row.unlisted {
			t.Errorf("%s: fallen %v, unlisted %d; want %v, %d", row.name, fallen, m.Unlisted, row.fallen, row.unlisted)
		}
		if row.registry.Visible(row.tenant, row.all) == nil {
			t.Errorf("%s: visible is nil, which would be everybody", row.name)
		}
	}
	if NewRegistry().Visible("", true) == nil {
		t.Error("of no service: nil is visible")
	}
}
