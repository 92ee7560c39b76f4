package engine

import (
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A scale holds what cost and latency are measured against: the caller's limit, or else the largest among the
// candidates, so that a term is always a share in [0, 1].
type scale struct {
	cost, latency float64
}

func (c *choice) scale() scale {
	var s scale
	for i := range c.entries {
		e := &c.entries[i]
		if e.outcome != eligible {
			continue
		}
		if e.price.Known {
			s.cost = max(s.cost, e.price.Cost)
		}
		if e.promises() {
			s.latency = max(s.latency, e.past.latency(e.promised))
		}
	}
	if c.req.Budget != nil {
		s.cost = c.req.Budget.MaxCost
	}
	if c.req.MaxLatencyMs != nil {
		s.latency = *c.req.MaxLatencyMs
	}
	return s
}

// terms returns the terms of the objective for e, each in [0, 1]:
//
//	guarantee    mean of the promised accuracy and availability; what is not promised counts as 0
//	cost         estimated cost as a share of the scale; an unknown cost counts as the whole
//	cost_score   1 - cost
//	latency      promised latency, or the observed one if it is larger, as a share of the scale; no promise counts as the
//	             whole. Observed is the 95th percentile, once ten results stand behind it: see Record.latency
//	performance  1 - latency
//	reliability  share of past executions that neither failed nor broke a guarantee, each counted by its age, and one
//	             success counted in advance: (requests - failures + 1) / (requests + 1)
//	risk         how far from the caller data travels: on_device 0, local 1/4, region 1/2, cloud 1; halved if encrypted
func (s scale) terms(e *entry) proof.Terms {
	cost, latency := 1.0, 1.0
	if e.price.Known {
		cost = share(e.price.Cost, s.cost)
	}
	if e.promises() {
		latency = share(e.past.latency(e.promised), s.latency)
	}
	return proof.Terms{
		e.guarantee,
		1 - cost,
		1 - latency,
		(e.past.Requests - e.past.Failures + 1) / (e.past.Requests + 1),
		cost,
		e.risk,
		latency,
	}
}

// share returns part/whole in [0, 1]; nothing of nothing is nothing.
func share(part, whole float64) float64 {
	if part <= 0 {
		return 0
	}
	if part >= whole {
		return 1
	}
	return part / whole
}

// promisedShare returns the minimum that m promises for a guarantee measured as a share, 0 if it promises none.
func promisedShare(m *caiov1.Contract, guarantee string) float64 {
	return max(0, min(1, m.GetGuarantees()[guarantee].GetBound().GetMin()))
}

func risk(p *caiov1.Privacy) float64 {
	distance := 1.0
	switch p.GetDataLocality() {
	case "on_device":
		distance = 0
	case "local":
		distance = .25
	case "region":
		distance = .5
	}
	if p.GetEncryption() {
		distance /= 2
	}
	return distance
}
