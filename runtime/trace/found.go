package trace

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Limits of what traces are found by.
const (
	// MaxRules is how many distinct rules a record names: of a trace with more, those that found a violation, then
	// those that refused candidates, in the order of the decision's.
	MaxRules = 256
	// MaxFound is how many bytes of a rule's or a request's id are looked at. Longer ones are cut off there, before a
	// character that would not fit, in records and in queries alike: ids that agree so far are found by one another.
	MaxFound = 256
)

// RecordOf returns the record of a trace as it came out of a log; its hash is that of its bytes, whatever s says. It
// fails on bytes that are no trace.
func RecordOf(s *caiov1.StoredTrace) (Record, error) {
	t := s.GetTrace()
	r := Record{
		Sequence: s.GetSequence(), TraceID: t.GetTraceId(), Tenant: t.GetRequest().GetPrincipal().GetTenant(), Services: servicesOf(t),
		Status: t.GetStatus(), Time: t.GetTime().AsTime(), Hash: sha256.Sum256(s.GetRaw()), Raw: s.GetRaw(),
	}
	if err := r.describe(t, s.GetRaw()); err != nil {
		return Record{}, fmt.Errorf("trace %.40q (sequence %d): %w: %v", r.TraceID, r.Sequence, ErrDamaged, err)
	}
	return r, nil
}

// RecordOfRaw returns the record of the very bytes of a trace, with which it is not told where it stands: its sequence is
// 0. It decodes only what a trace is found by, and is several times faster than RecordOf. It fails on bytes that are no
// trace.
func RecordOfRaw(raw []byte) (Record, error) {
	var decoded, carried []byte
	for rest := raw; len(rest) > 0; {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return Record{}, fmt.Errorf("%w: not a trace: %v", ErrDamaged, protowire.ParseError(n))
		}
		switch number {
		case 1, 2, 3, 4, 7, 10: // id, time, duration, status, attempts, service
			decoded = append(decoded, rest[:n]...)
		case 5: // request
			carried = append(carried, rest[:n]...)
		}
		rest = rest[n:]
	}
	t := &caiov1.Trace{}
	if err := proto.Unmarshal(decoded, t); err != nil {
		return Record{}, fmt.Errorf("%w: not a trace: %v", ErrDamaged, err)
	}
	t.ProtoReflect().SetUnknown(carried)
	r := Record{
		TraceID: t.TraceId, Tenant: tenantOf(t), Services: servicesOf(t), Status: t.Status, Time: t.Time.AsTime(),
		Hash: sha256.Sum256(raw), Raw: raw,
	}
	if err := r.describe(t, raw); err != nil {
		return Record{}, fmt.Errorf("%w: not a trace: %v", ErrDamaged, err)
	}
	return r, nil
}

// describe sets what r is found by, from t and the bytes it was serialized to. It fails on bytes that are no trace. What is
// stored is held against it when a store is checked: with other rules, stored records need another version.
func (r *Record) describe(t *caiov1.Trace, raw []byte) error {
	var rules ruleSet
	r.RequestID = cut(requestIDOf(t))
	r.DurationMs = t.GetDurationMs()
	r.Cost, _ = CostOf(t.GetAttempts())
	r.Violation = false
	for _, a := range t.GetAttempts() {
		for _, v := range a.GetViolations() {
			r.Violation = true
			rules.add([]byte(v.GetReason().GetRule()))
		}
	}
	// Most traces carry their decision undecoded, and decoding it would cost more than everything else here.
	if err := rules.walk(raw, pathToRule[:]); err != nil {
		return err
	}
	r.Rules = rules.names
	return nil
}

// CostOf sums what attempts cost, in one currency; where there are several, it is the largest of their sums. An empty
// currency: no cost is known.
func CostOf(attempts []*caiov1.Attempt) (cost float64, currency string) {
	for i, a := range attempts {
		if a.GetObserved().GetCurrency() == "" {
			continue
		}
		sum := 0.0
		for _, b := range attempts[i:] { // the first of its currency has the whole sum
			if b.GetObserved().GetCurrency() == a.GetObserved().GetCurrency() {
				sum += b.GetObserved().GetCost()
			}
		}
		if currency == "" || sum > cost {
			cost, currency = sum, a.GetObserved().GetCurrency()
		}
	}
	return cost, currency
}

// cut returns what of an id is looked at.
func cut(id string) string { return id[:cutAt(id)] }

func cutAt[T string | []byte](id T) int {
	if len(id) <= MaxFound {
		return len(id)
	}
	end := MaxFound
	for end > MaxFound-utf8.UTFMax && !utf8.RuneStart(id[end]) {
		end--
	}
	return end
}

// pathToRule leads from a serialized Trace to the rules of its decision's reasons: Trace.decision,
// Decision.candidates, Candidate.reasons, Reason.rule.
var pathToRule = [...]protowire.Number{6, 2, 3, 1}

// A ruleSet is ids of rules, sorted and distinct, at most MaxRules.
type ruleSet struct {
	names []string
	last  int // where the id added last stands: what speaks against one candidate mostly speaks against the next
}

// walk adds the text that path leads to, or the texts where messages on the way repeat, without decoding message. What
// cannot be read on the way is an error. The text is a field that does not repeat: what comes after it in its message is
// not looked at. Fields that are not on the path are skipped, as are those of its numbers that are of another type.
func (s *ruleSet) walk(message []byte, path []protowire.Number) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return protowire.ParseError(n)
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		switch {
		case number != path[0]:
		case len(path) == 1:
			s.add(value)
			return nil
		default:
			if err := s.walk(value, path[1:]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *ruleSet) add(id []byte) {
	id = id[:cutAt(id)]
	if len(id) == 0 || s.last < len(s.names) && s.names[s.last] == string(id) {
		return
	}
	at, known := slices.BinarySearchFunc(s.names, id, compareText)
	if !known {
		switch len(s.names) {
		case MaxRules:
			return
		case 0:
			s.names = make([]string, 0, 8)
		}
		s.names = slices.Insert(s.names, at, string(id))
	}
	s.last = at
}

func compareText(a string, b []byte) int {
	switch {
	case a < string(b):
		return -1
	case a > string(b):
		return 1
	}
	return 0
}
