package engine

import (
	"fmt"
	"math"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A profile is what decisions ask of a service, read from its contract once. It is immutable but for what it remembers.
type profile struct {
	id, digest string
	contract   *caiov1.Contract
	facts      *policy.Facts
	offered    []string // capability types

	pricing   pricing
	promised  float64 // latency in ms; NaN: none is promised
	guarantee float64 // terms of the objective that are the same in every decision
	risk      float64

	fields *serviceField // nil: the contract states none

	chosen atomic.Pointer[chosen] // nil until the service was first chosen
}

// chosen is what a decision for a service says of it in the same words every time: fields of a Decision, serialized.
type chosen struct {
	composition []byte // the proof, field proofs
	guarantees  []byte // field guarantees
}

func newProfile(s *contract.Service) (*profile, error) {
	facts, err := policy.NewFacts(s.JSON())
	if err != nil {
		return nil, fmt.Errorf("prepare contract %s: %w", s.ID(), err)
	}
	m := s.Message()
	fields, err := newServiceField(m.GetField())
	if err != nil {
		return nil, fmt.Errorf("prepare contract %s: %w", s.ID(), err)
	}
	p := &profile{
		fields: fields,
		id:     s.ID(), digest: s.Digest(), contract: m, facts: facts, offered: proof.Offered(m),
		pricing: newPricing(m), promised: math.NaN(),
		guarantee: (promisedShare(m, "accuracy") + promisedShare(m, "availability")) / 2, risk: risk(m.GetPrivacy()),
	}
	if promised := proof.PromisedLatency(m); promised != nil {
		p.promised = *promised
	}
	return p, nil
}

// choose returns what every decision for p says, making it the first time.
func (p *profile) choose() (*chosen, error) {
	if c := p.chosen.Load(); c != nil {
		return c, nil
	}
	given := p.contract.GetGuarantees()
	composition, err := deterministic.Marshal(&caiov1.Decision{Proofs: []*caiov1.Proof{proof.Composed(p.contract, given)}})
	if err != nil {
		return nil, fmt.Errorf("write what %s guarantees: %w", p.id, err)
	}
	guarantees, err := deterministic.Marshal(&caiov1.Decision{Guarantees: given})
	if err != nil {
		return nil, fmt.Errorf("write what %s guarantees: %w", p.id, err)
	}
	c := &chosen{composition, guarantees}
	p.chosen.Store(c)
	return c, nil
}

// promises tells whether p promises a latency.
func (p *profile) promises() bool { return !math.IsNaN(p.promised) }

// deterministic is how messages become bytes that enter a decision or a digest.
var deterministic = proto.MarshalOptions{Deterministic: true}
