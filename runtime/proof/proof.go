// Package proof states what holds of a decision and recomputes it. A proof is a message (caio.v1.Proof): a statement,
// the evidence it rests on, and whether it holds. What makes it a proof and not a claim is that valid follows from
// evidence alone: Recompute needs no registry, no policy engine and no server, and refuses evidence that does not say
// everything it needs.
//
// Every proof is made here by computing valid from the finished evidence with the very function that Recompute uses,
// so a proof that does not verify cannot be made, only forged:
//
//	p := proof.Trust("tts-7", 3, 5)  // p.Valid == false: 3 < 5
//	err := proof.Verify(p)           // nil: the proof says truly that it does not hold
//
// Methods, by property:
//
//	matching         all of checks hold; a check is {subject, relation, promised, demanded}
//	rules            refusals is empty
//	SEC-0001         authenticated is true
//	SEC-0002         required is empty or shares an element with granted
//	SEC-0003         sensitive is false, or locality is "on_device" or "local", or encryption is true
//	SEC-0004         trust_level >= required_trust_level
//	access_boundary  service_tenant is empty or equals tenant
//	budget           max_cost is absent, or cost is present in the same currency and <= max_cost
//	latency          max_latency_ms is absent, or promised_ms is present and <= max_latency_ms
//	optimization     every score is the weighted sum of its terms, and ranking sorts by score, then by tie-break
//	composition      composed equals the composition of the parts
//	workflow         composed equals the composition of the parts along their needs
//	refusal          every outcome is a step at which candidates fall, none "selected" or "eligible"
//
// All functions are pure and safe for concurrent use.
package proof

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// The properties that proofs are about.
const (
	Matching       = "matching"
	Rules          = "rules"
	Authentication = "SEC-0001"
	Authorization  = "SEC-0002"
	Privacy        = "SEC-0003"
	AccessControl  = "SEC-0004"
	AccessBoundary = "access_boundary"
	Budget         = "budget"
	Latency        = "latency"
	Optimization   = "optimization"
	Composition    = "composition"
	Workflow       = "workflow"
	Refusal        = "refusal"
)

// ErrForged is returned by Verify when valid does not follow from the evidence.
var ErrForged = errors.New("proof does not follow from its evidence")

// A method recomputes one property from its evidence.
type method struct {
	step    string // the step of the decision it belongs to
	text    string // how valid follows, for people
	holds   func(evidence) (bool, error)
	subject string // what the statement says
}

func methodOf(property string) (method, bool) {
	switch property {
	case Matching:
		return method{"matching", "every check holds", checksHold,
			"%s offers what is required, promises what is demanded and needs nothing that is excluded"}, true
	case Rules:
		return method{"rules", "refusals is empty", refusalsEmpty, "no rule refuses %s"}, true
	case Authentication:
		return method{"security", "authenticated is true", authenticated, "the caller of %s is authenticated"}, true
	case Authorization:
		return method{"security", "required is empty or shares an element with granted", authorized,
			"the caller may use %s"}, true
	case Privacy:
		return method{"security", "not sensitive, or locality is on_device or local, or encryption", private,
			"%s keeps sensitive data private"}, true
	case AccessControl:
		return method{"security", "trust_level >= required_trust_level", trusted, "the caller's trust suffices for %s"}, true
	case AccessBoundary:
		return method{"security", "service_tenant is empty or equals tenant", withinBoundary,
			"%s is open to the caller's tenant"}, true
	case Budget:
		return method{"limits", "no max_cost, or cost <= max_cost in the same currency", withinBudget,
			"%s stays within the budget"}, true
	case Latency:
		return method{"limits", "no max_latency_ms, or promised_ms <= max_latency_ms", withinLatency,
			"%s stays within the latency cap"}, true
	case Optimization:
		return method{"optimization", "scores are the weighted sums of the terms; ranking sorts by score, then by sha256(seed, service_id)",
			ranked, "%s is the best of those that may serve"}, true
	case Composition:
		return method{"composition", "composed equals the composition of parts", composed,
			"the guarantees given for %s are those of its parts"}, true
	case Workflow:
		return method{"composition", "composed equals the composition of parts along their needs", joined,
			"workflow %s promises what its steps promise together"}, true
	case Refusal:
		return method{"optimization", "no outcome is selected or eligible", nobodyLeft, "no service may serve%s"}, true
	}
	return method{}, false
}

// subjectKey names in the evidence which service a proof is about, so that it cannot be moved to another.
const subjectKey = "service_id"

// prove makes the proof of property about service from its finished evidence. Evidence that cannot be read is a bug of
// this package's constructors, and yields a proof that does not hold.
func prove(property, service string, fields map[string]*structpb.Value) *caiov1.Proof {
	m, _ := methodOf(property)
	fields[subjectKey] = text(service)
	ev := evidence(fields)
	valid, err := m.holds(ev)
	return &caiov1.Proof{
		Step:      m.step,
		Property:  property,
		Statement: fmt.Sprintf(m.subject, service),
		Method:    m.text,
		Evidence:  &structpb.Struct{Fields: fields},
		Valid:     valid && err == nil,
	}
}

// Recompute tells whether p's statement holds, from p's evidence alone; p.Valid has no part in it. It fails on a
// property it does not know and on evidence that lacks something.
func Recompute(p *caiov1.Proof) (bool, error) {
	m, ok := methodOf(p.GetProperty())
	if !ok {
		return false, fmt.Errorf("proof of %q: unknown property", p.GetProperty())
	}
	valid, err := m.holds(p.GetEvidence().GetFields())
	if err != nil {
		return false, fmt.Errorf("proof of %s: %w", p.GetProperty(), err)
	}
	return valid, nil
}

// Verify checks that p says of itself what its evidence says, and of the service that the evidence names: nil for a true proof, valid or not; an error wrapping
// ErrForged, or telling what the evidence lacks, otherwise.
func Verify(p *caiov1.Proof) error {
	valid, err := Recompute(p)
	if err != nil {
		return err
	}
	if valid != p.GetValid() {
		return fmt.Errorf("proof of %s says %v, its evidence %v: %w", p.GetProperty(), p.GetValid(), valid, ErrForged)
	}
	service, err := evidence(p.GetEvidence().GetFields()).string(subjectKey)
	if err != nil {
		return fmt.Errorf("proof of %s: %w", p.GetProperty(), err)
	}
	m, _ := methodOf(p.GetProperty())
	if p.GetStatement() != fmt.Sprintf(m.subject, service) || p.GetStep() != m.step || p.GetMethod() != m.text {
		return fmt.Errorf("proof of %s states something else than its evidence, which is about %q: %w", p.GetProperty(), service, ErrForged)
	}
	return nil
}
