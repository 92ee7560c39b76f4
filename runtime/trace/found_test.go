package trace_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// refusal is a decision in which each of candidates fell by the rules named.
func refusal(rules ...[]string) *caiov1.Decision {
	d := &caiov1.Decision{}
	for i, names := range rules {
		c := &caiov1.Candidate{ServiceId: fmt.Sprint("s", i), Outcome: "rule"}
		for _, name := range names {
			c.Reasons = append(c.Reasons, &caiov1.Reason{Rule: name, Package: "caio.routing.x", Message: "no"})
		}
		d.Candidates = append(d.Candidates, c)
	}
	return d
}

// undecoded moves t's decision to where the engine leaves it: a field that the Go type does not know.
func undecoded(t testing.TB, m *caiov1.Trace) *caiov1.Trace {
	raw, err := proto.Marshal(m.Decision)
	if err != nil {
		t.Fatal(err)
	}
	m.Decision = nil
	field := protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), raw)
	m.ProtoReflect().SetUnknown(protoreflect.RawFields(field))
	return m
}

func violated(rule, reaction string) *caiov1.Violation {
	return &caiov1.Violation{Reason: &caiov1.Reason{Rule: rule}, Reaction: reaction}
}

func spent(cost float64, currency string) *caiov1.Attempt {
	return &caiov1.Attempt{ServiceId: "s", Observed: &caiov1.Observed{Cost: &cost, Currency: currency}}
}

func described(t *testing.T, m *caiov1.Trace) trace.Record {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trace.Describe(m, raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTheRecordOfBytesIsThatOfTheTrace holds what is read of the bytes alone against what is read of the decoded trace.
func TestTheRecordOfBytesIsThatOfTheTrace(t *testing.T) {
	full := newTrace(t, 1)
	full.Decision, full.Salt = refusal([]string{"SEC-2", "SEC-1"}, []string{"SEC-2"}), []byte("salt")
	full.Attempts = []*caiov1.Attempt{spent(0.5, "USD"), {ServiceId: "z", Violations: []*caiov1.Violation{violated("GUA-1", "accept")}}}
	full.Request.Context, full.Request.Principal = &caiov1.Context{RequestId: "order 7"}, &caiov1.Principal{Tenant: "acme", Subject: "u"}
	full.DurationMs, full.ServiceId = 12.5, "a"
	for _, m := range []*caiov1.Trace{{}, newTrace(t, 2), full} {
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := trace.RecordOf(&caiov1.StoredTrace{Raw: raw, Trace: m})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := trace.RecordOfRaw(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	for _, raw := range []string{"no trace", "\x0a\x05abc", "\x0a\x01\xff", "\x32\x02\x12\x07"} {
		if _, err := trace.RecordOfRaw([]byte(raw)); !errors.Is(err, trace.ErrDamaged) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func FuzzRecordOfRaw(f *testing.F) {
	m := &caiov1.Trace{TraceId: "x", Status: "ok", Decision: refusal([]string{"SEC-1"}), Attempts: []*caiov1.Attempt{spent(1, "USD")}}
	raw, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-2])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := trace.RecordOfRaw(raw); err == nil && len(r.Rules) > trace.MaxRules || err != nil && !errors.Is(err, trace.ErrDamaged) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestATraceIsFoundByWhatItsDecisionSaysDecodedOrNot(t *testing.T) {
	m := newTrace(t, 1)
	m.Decision = refusal([]string{"SEC-2", "SEC-1"}, nil, []string{"SEC-2"}, []string{"", "request.budget"})
	m.Attempts = []*caiov1.Attempt{{Violations: []*caiov1.Violation{violated("GUA-1", "accept"), violated("SEC-1", "fallback")}}}
	m.Request.Context = &caiov1.Context{RequestId: "order 7"}
	m.DurationMs = 12.5
	want := trace.Record{RequestID: "order 7", Rules: []string{"GUA-1", "SEC-1", "SEC-2", "request.budget"}, Violation: true, DurationMs: 12.5}
	if got := described(t, m); !reflect.DeepEqual(got, want) {
		t.Errorf("decoded: got %+v, want %+v", got, want)
	}
	if got := described(t, undecoded(t, m)); !reflect.DeepEqual(got, want) {
		t.Errorf("undecoded: got %+v, want %+v", got, want)
	}
	if got := described(t, &caiov1.Trace{}); !reflect.DeepEqual(got, trace.Record{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestTheCostIsOfOneCurrency(t *testing.T) {
	for _, c := range []struct {
		attempts []*caiov1.Attempt
		want     float64
	}{
		{nil, 0},
		{[]*caiov1.Attempt{{ServiceId: "s"}}, 0},
		{[]*caiov1.Attempt{spent(0.5, "USD"), {ServiceId: "s"}, spent(0.25, "USD")}, 0.75},
		{[]*caiov1.Attempt{spent(0.5, "USD"), spent(0.75, "EUR"), spent(0.5, "USD")}, 1},
	} {
		if got := described(t, &caiov1.Trace{Attempts: c.attempts}).Cost; got != c.want {
			t.Errorf("%v cost %v, want %v", c.attempts, got, c.want)
		}
	}
}

func TestNamesAndNumbersOfRulesAreBounded(t *testing.T) {
	var many [][]string
	for i := range 2 * trace.MaxRules {
		many = append(many, []string{fmt.Sprintf("R-%03d", i)})
	}
	m := &caiov1.Trace{Decision: refusal(many...), Attempts: []*caiov1.Attempt{{Violations: []*caiov1.Violation{violated("Z", "fail")}}}}
	got := described(t, m).Rules
	if len(got) != trace.MaxRules || !slices.IsSorted(got) || !slices.Contains(got, "Z") || got[0] != "R-000" {
		t.Errorf("%d rules, from %q to %q", len(got), got[0], got[len(got)-1])
	}
	for name, want := range map[string]int{
		strings.Repeat("x", 300):             trace.MaxFound,
		strings.Repeat("x", 255) + "äx":      255,
		strings.Repeat("x", 254) + "äx":      256,
		strings.Repeat("\U0001f600", 100):    trace.MaxFound,
		"y" + strings.Repeat("\u20ac", 100):  256,
		"yy" + strings.Repeat("\u20ac", 100): 254,
	} {
		m := &caiov1.Trace{Decision: refusal([]string{name}), Request: &caiov1.Request{Context: &caiov1.Context{RequestId: name}}}
		r := described(t, m)
		if len(r.Rules[0]) != want || !utf8.ValidString(r.Rules[0]) || r.RequestID != r.Rules[0] {
			t.Errorf("%q is cut to %q", name, r.Rules[0])
		}
	}
}

func TestEachFilterFindsWhatItNames(t *testing.T) {
	long := strings.Repeat("r", 400)
	l := openLog(t, trace.NewMemory(), trace.Options{})
	for i := range 6 {
		m := newTrace(t, int64(i))
		m.Decision = refusal([]string{fmt.Sprint("SEC-", i%3), long})
		m.Attempts = []*caiov1.Attempt{spent(float64(i), "USD")}
		if i%2 == 1 {
			m.Attempts[0].Violations = []*caiov1.Violation{violated("GUA-1", "accept")}
		}
		m.Request.Context = &caiov1.Context{RequestId: fmt.Sprint("order ", i)}
		m.DurationMs = float64(10 * i)
		if err := l.Append(t.Context(), undecoded(t, m), trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		q    trace.Query
		want []uint64
	}{
		{trace.Query{RequestID: "order 4"}, []uint64{4}},
		{trace.Query{Rule: "SEC-1"}, []uint64{4, 1}},
		{trace.Query{Rule: long[:300], MinCost: 5}, []uint64{5}}, // cut off as what it is compared with
		{trace.Query{Violations: true}, []uint64{5, 3, 1}},
		{trace.Query{Rule: "GUA-1", MinDurationMs: 30}, []uint64{5, 3}},
		{trace.Query{MinDurationMs: 40}, []uint64{5, 4}},
		{trace.Query{MinCost: 4.5}, []uint64{5}},
		{trace.Query{Violations: true, Rule: "SEC-0", MinCost: 1, MinDurationMs: 1, RequestID: "order 3"}, []uint64{3}},
		{trace.Query{Rule: "SEC"}, nil},
	} {
		found, _, err := l.List(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, s := range found {
			got = append(got, s.Sequence)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v finds %v, want %v", c.q, got, c.want)
		}
	}
}

func TestTheRecordOfATraceIsTheOneThatWasStored(t *testing.T) {
	storage := trace.NewMemory()
	l := openLog(t, storage, trace.Options{})
	m := newTrace(t, 1)
	m.Decision, m.DurationMs = refusal([]string{"SEC-2", "SEC-1"}), 7
	m.Attempts = append(m.Attempts, spent(2, "USD"))
	if err := l.Append(t.Context(), undecoded(t, m), trace.Durable); err != nil {
		t.Fatal(err)
	}
	want, err := storage.Get(t.Context(), m.TraceId)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := l.Get(t.Context(), m.TraceId)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := trace.RecordOf(stored); err != nil || !reflect.DeepEqual(got, *want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, *want)
	}
	stored.Raw = stored.Raw[:len(stored.Raw)-3]
	if _, err := trace.RecordOf(stored); !errors.Is(err, trace.ErrDamaged) {
		t.Errorf("of bytes cut short: %v", err)
	}
}

func TestADecisionThatCannotBeReadIsNotStored(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	m := newTrace(t, 1)
	m.ProtoReflect().SetUnknown([]byte{0x32, 3, 0x12, 9, 0}) // decision, candidates, cut short
	if err := l.Append(t.Context(), m, trace.Durable); !errors.Is(err, trace.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
}

// FuzzDescribe reads what a trace is found by off any bytes, and holds it against the decoded message.
func FuzzDescribe(f *testing.F) {
	seed, err := proto.Marshal(undecoded(f, &caiov1.Trace{Decision: refusal([]string{"b", "a"}, []string{"a"}), Status: "ok"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0x32, 3, 0x12, 9, 0})
	f.Add([]byte{0x33, 0x34})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &caiov1.Trace{}
		r, err := trace.Describe(m, raw)
		if len(r.Rules) > trace.MaxRules || !slices.IsSorted(r.Rules) || len(slices.Compact(slices.Clone(r.Rules))) != len(r.Rules) {
			t.Errorf("rules %q", r.Rules)
		}
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		if err != nil {
			t.Errorf("a trace was not read: %v", err)
		}
		again, err := proto.Marshal(m) // as the log writes it: each field once
		if err != nil {
			t.Fatal(err)
		}
		if r, err = trace.Describe(m, again); err != nil {
			t.Fatal(err)
		}
		for _, c := range m.GetDecision().GetCandidates() {
			for _, reason := range c.GetReasons() {
				if rule := reason.GetRule(); rule != "" && len(rule) <= trace.MaxFound && len(r.Rules) < trace.MaxRules && !slices.Contains(r.Rules, rule) {
					t.Errorf("rule %q is not among %q", rule, r.Rules)
				}
			}
		}
	})
}

func BenchmarkDescribe(b *testing.B) {
	for _, c := range []struct {
		name       string
		candidates int
	}{{"4KB", 10}, {"1000 candidates", 1000}} {
		facts, err := structpb.NewStruct(map[string]any{"request.data.contains_pii": true, "service.privacy.data_locality": "cloud"})
		if err != nil {
			b.Fatal(err)
		}
		m := newTrace(b, 1)
		m.Decision = &caiov1.Decision{ServiceId: "fast"}
		for i := range c.candidates {
			candidate := &caiov1.Candidate{ServiceId: fmt.Sprintf("service-%04d", i), Outcome: "security", ContractDigest: strings.Repeat("a", 64)}
			for j := range 1 + i%2 {
				candidate.Reasons = append(candidate.Reasons, &caiov1.Reason{
					Rule: fmt.Sprintf("SEC-%04d", (i/3+j)%5), Package: "caio.security.privacy", Title: "Personal data stays local",
					File: "security/privacy.rego", Line: 12, Message: "personal data must not leave the machine", Facts: facts,
				})
			}
			m.Decision.Candidates = append(m.Decision.Candidates, candidate)
		}
		m = undecoded(b, m)
		raw, err := proto.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%s, %d bytes", c.name, len(raw)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := trace.Describe(m, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
