// Package proof states what holds of a decision and recomputes it. A proof is a message (caio.v1.Proof): a statement,
// the evidence it rests on, and whether it holds. What makes it a proof and not a claim is that valid follows from
// evidence alone: Recompute needs no registry, no policy engine and no server, and refuses evidence that does not say
// everything it needs.
//
// Every proof is made here by computing valid from its evidence with the very function that Recompute uses, so a proof
// that does not verify cannot be made, only forged:
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
//	optimization     every score is the weighted sum of its terms, and ranking sorts by score, then by tie-break; it
//	                 begins with the service. scores and each list of terms go along with ranking
//	CONTROL-0001     signal^T gram signal, added row after row, is at most max_energy - intent_energy
//	CONTROL-0002     value - limit <= 0 for each of limits
//	composition      composed equals the composition of the parts
//	workflow         composed equals the composition of the parts along their needs
//	refusal          every outcome is a step at which candidates fall, none "selected" or "eligible"
//
// Whoever proves a decision writes all of its proofs with one Writer; the functions of the same names make one as a
// message. All functions are pure and safe for concurrent use.
package proof

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// The properties that proofs are about.
const (
	Matching         = "matching"
	Rules            = "rules"
	Authentication   = "SEC-0001"
	Authorization    = "SEC-0002"
	Privacy          = "SEC-0003"
	AccessControl    = "SEC-0004"
	AccessBoundary   = "access_boundary"
	Budget           = "budget"
	Latency          = "latency"
	Optimization     = "optimization"
	Stability        = "CONTROL-0001"
	TraitConstraints = "CONTROL-0002"
	Composition      = "composition"
	Workflow         = "workflow"
	Refusal          = "refusal"
)

// ErrForged is returned by Verify when valid does not follow from the evidence.
var ErrForged = errors.New("proof does not follow from its evidence")

// words are what a proof says beside its evidence and whether it holds.
type words struct {
	step          string // the step of the decision it belongs to
	method        string // how valid follows, for people
	before, after string // the statement, around the name of what it is about
}

func (w words) statement(about string) string { return w.before + about + w.after }

func wordsOf(property string) (words, bool) {
	switch property {
	case Matching:
		return words{"matching", "every check holds", "",
			" offers what is required, promises what is demanded and needs nothing that is excluded"}, true
	case Rules:
		return words{"rules", "refusals is empty", "no rule refuses ", ""}, true
	case Authentication:
		return words{"security", "authenticated is true", "the caller of ", " is authenticated"}, true
	case Authorization:
		return words{"security", "required is empty or shares an element with granted", "the caller may use ", ""}, true
	case Privacy:
		return words{"security", "not sensitive, or locality is on_device or local, or encryption", "",
			" keeps sensitive data private"}, true
	case AccessControl:
		return words{"security", "trust_level >= required_trust_level", "the caller's trust suffices for ", ""}, true
	case AccessBoundary:
		return words{"security", "service_tenant is empty or equals tenant", "", " is open to the caller's tenant"}, true
	case Budget:
		return words{"limits", "no max_cost, or cost <= max_cost in the same currency", "", " stays within the budget"}, true
	case Latency:
		return words{"limits", "no max_latency_ms, or promised_ms <= max_latency_ms", "", " stays within the latency cap"}, true
	case Optimization:
		return words{"optimization", "scores are the weighted sums of the terms; ranking sorts by score, then by sha256(seed, service_id)",
			"", " is the best of those that may serve"}, true
	case Stability:
		return words{"control", "u^T gram u <= max_energy - intent_energy", "the control signal given with ", " keeps its energy bound"}, true
	case TraitConstraints:
		return words{"traits", "value - limit <= 0 for each of limits", "", " violates no constraint"}, true
	case Composition:
		return words{"composition", "composed equals the composition of parts", "the guarantees given for ",
			" are those of its parts"}, true
	case Workflow:
		return words{"composition", "composed equals the composition of parts along their needs", "workflow ",
			" promises what its steps promise together"}, true
	case Refusal:
		return words{"optimization", "no outcome is selected or eligible", "no service may serve", ""}, true
	}
	return words{}, false
}

// A judged is the evidence of one property in its Go type. What makes a proof and what verifies one both go through
// holds, so that they cannot differ.
type judged interface {
	// about names the service.
	about() string
	// holds computes valid. It fails on what no evidence may say.
	holds() (bool, error)
	// write writes the fields of the Struct that read reads.
	write(*wire.Writer)
}

// recompute reads e as the evidence of property and computes valid.
func recompute(property string, e evidence) (bool, error) {
	switch property {
	case Matching:
		return holds(readMatching(e))
	case Rules:
		return holds(readRules(e))
	case Authentication:
		return holds(readAuthentication(e))
	case Authorization:
		return holds(readAuthorization(e))
	case Privacy:
		return holds(readPrivate(e))
	case AccessControl:
		return holds(readTrust(e))
	case AccessBoundary:
		return holds(readBoundary(e))
	case Budget:
		return holds(readBudget(e))
	case Latency:
		return holds(readLatency(e))
	case Optimization:
		return holds(readOptimum(e))
	case Stability:
		return holds(readStability(e))
	case TraitConstraints:
		return holds(readConstrained(e))
	case Composition:
		return composed(e)
	case Workflow:
		return joined(e)
	case Refusal:
		return holds(readRefusal(e))
	}
	return false, errors.New("unknown property")
}

func holds(e judged, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	return e.holds()
}

// subjectKey names in the evidence which service a proof is about, so that it cannot be moved to another.
const subjectKey = "service_id"

// prove makes the proof of property about service from its finished evidence, where that is no judged. Evidence that
// cannot be read is a bug of this package's constructors, and yields a proof that does not hold.
func prove(property, service string, fields map[string]*structpb.Value) *caiov1.Proof {
	w, _ := wordsOf(property)
	fields[subjectKey] = text(service)
	valid, err := recompute(property, fields)
	return &caiov1.Proof{
		Step:      w.step,
		Property:  property,
		Statement: w.statement(service),
		Method:    w.method,
		Evidence:  &structpb.Struct{Fields: fields},
		Valid:     valid && err == nil,
	}
}

// Recompute tells whether p's statement holds, from p's evidence alone; p.Valid has no part in it. It fails on a
// property it does not know and on evidence that lacks something.
func Recompute(p *caiov1.Proof) (bool, error) {
	valid, err := recompute(p.GetProperty(), p.GetEvidence().GetFields())
	if err != nil {
		return false, fmt.Errorf("proof of %q: %w", p.GetProperty(), err)
	}
	return valid, nil
}

// Verify checks that p says of itself what its evidence says, and of the service that the evidence names: nil for a true
// proof, valid or not; an error wrapping ErrForged, or telling what the evidence lacks, otherwise.
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
	w, _ := wordsOf(p.GetProperty())
	if p.GetStatement() != w.statement(service) || p.GetStep() != w.step || p.GetMethod() != w.method {
		return fmt.Errorf("proof of %s states something else than its evidence, which is about %q: %w", p.GetProperty(), service, ErrForged)
	}
	return nil
}
