package proof

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// NoRefusal proves that none of the rules of the policy set named by digest refuses service. Whoever doubts it evaluates
// the set of that digest on the request and contract named by theirs.
func NoRefusal(service, digest, request, contract string, rules int) *caiov1.Proof {
	return message(func(w *Writer) { w.NoRefusal(service, digest, request, contract, rules) })
}

// NoRefusal writes the proof that no rule refuses service.
func (w *Writer) NoRefusal(service, digest, request, contract string, rules int) {
	put(w, Rules, ruling{service: service, policies: digest, request: request, contract: contract, rules: float64(rules)})
}

type ruling struct {
	service                     string
	policies, request, contract string // digests
	rules                       float64
	refusals                    []string
}

func (e ruling) about() string { return e.service }

func (e ruling) holds() (bool, error) {
	if e.policies == "" || e.request == "" || e.contract == "" {
		return false, fmt.Errorf("evidence names no digest of policies, request or contract")
	}
	return len(e.refusals) == 0, nil
}

func (e ruling) write(w *wire.Writer) {
	w.StringEntry(subjectKey, e.service)
	w.NumberEntry("rules", e.rules)
	w.StringEntry("request", e.request)
	w.StringsEntry("refusals", e.refusals)
	w.StringEntry("policies", e.policies)
	w.StringEntry("contract", e.contract)
}

func readRules(from evidence) (e ruling, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.string(&e.policies, "policies")
	r.string(&e.request, "request")
	r.string(&e.contract, "contract")
	r.number(&e.rules, "rules")
	r.strings(&e.refusals, "refusals")
	return e, r.err
}

// A Fate is where a service fell.
type Fate struct{ Service, Outcome string }

// NobodyLeft proves that no candidate may serve; outcomes is where each fell, by service. unlisted services offer
// nothing of what is asked.
func NobodyLeft(candidates []*caiov1.Candidate, unlisted int32) *caiov1.Proof {
	fates := make([]Fate, len(candidates))
	for i, c := range candidates {
		fates[i] = Fate{c.GetServiceId(), c.GetOutcome()}
	}
	slices.SortFunc(fates, byService)
	return message(func(w *Writer) { w.NobodyLeft(fates, unlisted) })
}

func byService(a, b Fate) int { return strings.Compare(a.Service, b.Service) }

// NobodyLeft writes the proof that no candidate may serve. fates are sorted by service.
func (w *Writer) NobodyLeft(fates []Fate, unlisted int32) {
	put(w, Refusal, refusal{fates: fates, unlisted: float64(unlisted)})
}

type refusal struct {
	service  string // empty: it is about all
	fates    []Fate
	unlisted float64
}

func (e refusal) about() string { return e.service }

func (e refusal) holds() (bool, error) {
	left := false
	for _, fate := range e.fates {
		switch fate.Outcome {
		case "capability", "guarantee", "constraint", "rule", "security", "traits", "budget", "latency":
		case "selected", "eligible":
			left = true
		default:
			return false, fmt.Errorf("evidence %q: %q is no outcome", "outcomes", fate.Outcome)
		}
	}
	return !left, nil
}

func (e refusal) write(w *wire.Writer) {
	w.NumberEntry("unlisted", e.unlisted)
	w.StringEntry(subjectKey, e.service)
	mark := w.Len()
	for i := len(e.fates) - 1; i >= 0; i-- {
		w.StringEntry(e.fates[i].Service, e.fates[i].Outcome)
	}
	w.Object(mark)
	w.Entry("outcomes", mark)
}

func readRefusal(from evidence) (e refusal, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.number(&e.unlisted, "unlisted")
	var outcomes evidence
	r.object(&outcomes, "outcomes")
	inner := reader{from: outcomes}
	for service := range outcomes {
		fate := Fate{Service: service}
		inner.string(&fate.Outcome, service)
		e.fates = append(e.fates, fate)
	}
	if r.err == nil {
		r.err = inner.err
	}
	return e, r.err
}
