package audit

import (
	"fmt"
	"maps"

	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// inputs follows the digests of what decided: to the bytes of the trace where it holds them, to the snapshot where the
// bundle holds one, to the proofs where they say the same.
func (c *inquiry) inputs() verdict {
	d := c.trace.GetDecision()
	var f faults
	switch {
	case d != nil:
		c.recorded(d, &f)
	case c.trace.GetWorkflow() != nil:
		return skipped("the digest of a workflow is of its payloads, too, which no trace holds; its steps have traces of their own")
	case c.bundle.GetSnapshot() == nil:
		return skipped("nothing was decided")
	}
	said := "request, history and configuration have the digests that the decision names"
	if s := c.bundle.GetSnapshot(); s != nil {
		c.snapshot(s, d, &f)
		said += fmt.Sprintf(", and so do the %d contracts and %d files of policies of the bundle", len(s.GetContracts()), len(s.GetPolicies()))
		if n := len(s.GetAdapters()); n > 0 {
			said += fmt.Sprintf(" and %d adapters", n)
		}
	} else {
		said += "; the bundle holds neither contracts nor policies, whose digests are taken as they stand"
	}
	return f.verdict(said)
}

// recorded holds d's digests against what the trace itself holds.
func (c *inquiry) recorded(d *caiov1.Decision, f *faults) {
	in := d.GetInputs()
	request, there := c.pieces[requestOfTrace]
	if !there {
		f.add("the trace holds no request, and the decision is about one")
	} else {
		f.digest("the request as it is recorded", schema.Digest(request), in.GetRequest())
	}
	f.digest("the history that the candidates show", proof.HistoryDigest(d.GetCandidates()), in.GetHistory())
	form, err := proof.FormOf(d.GetObjective())
	if err != nil {
		f.add("the decision was made by an objective that is not known here, %.40q", d.GetObjective())
		return
	}
	f.digest(fmt.Sprintf("the objective %q of this release", form), form.Digest(), in.GetConfiguration())
	if byField := c.trace.GetRequest().GetField().GetIntent() != nil; byField != (form == proof.ByField) {
		f.add("the request brings a field of intent: %v, and the decision was made by the objective %q", byField, form)
	}
	if !maps.Equal(d.GetCoefficients(), proof.Coefficients()) {
		f.add("the decision names other coefficients than the objective %q of this release has", form)
	}
	for _, m := range c.differ {
		if m.property == proof.Rules && m.key != "" {
			f.add("%s", m)
		}
	}
}

// digest holds a digest that was computed against the one that is named.
func (f *faults) digest(of, found, named string) {
	if found != named {
		f.add("%s has the digest %s, and the decision names %s", of, short(found), short(named))
	}
}

// short is the beginning of a digest, enough to find it by.
func short(digest string) string {
	if digest == "" {
		return "none"
	}
	return fmt.Sprintf("%.12q", digest)
}
