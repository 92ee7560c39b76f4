package audit

import (
	"fmt"
	"slices"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// execution looks whether what was executed is what was decided.
func (c *inquiry) execution() verdict {
	t := c.trace
	if t.GetErasure() != nil || t.GetWorkflow() != nil {
		return skipped("nothing was executed by this trace itself")
	}
	var f faults
	c.status(&f)
	attempts, place := t.GetAttempts(), map[string]int{}
	for i, id := range t.GetDecision().GetRanking() {
		place[id] = i
	}
	for i, a := range attempts {
		at, may := place[a.GetServiceId()]
		switch {
		case !may:
			f.add("attempt %d is of %.64q, which the decision does not let serve", i+1, a.GetServiceId())
		case t.GetStep() == nil && at != i:
			f.add("attempt %d is of %.64q, and the ranking has that at place %d", i+1, a.GetServiceId(), at+1)
		case i < len(attempts)-1 && a.GetOutcome() == "ok":
			f.add("attempt %d of %d brought a result, after which no other is made", i+1, len(attempts))
		}
	}
	if len(attempts) == 0 {
		if f.n == 0 {
			return skipped("nothing was executed")
		}
		return f.verdict("")
	}
	return f.verdict(fmt.Sprintf("%d attempts in the order of the ranking, status %.40q", len(attempts), t.GetStatus()))
}

// status looks whether the trace's status is what its decision and attempts come to.
func (c *inquiry) status(f *faults) {
	t := c.trace
	refused := t.GetDecision().GetError() != nil
	var last *caiov1.Attempt
	if n := len(t.GetAttempts()); n > 0 {
		last = t.GetAttempts()[n-1]
	}
	switch s := t.GetStatus(); s {
	case "ok":
		if last.GetOutcome() != "ok" || last.GetServiceId() != t.GetServiceId() {
			f.add("the trace says that %.64q answered, and its last attempt, of %.64q, %.40q", t.GetServiceId(), last.GetServiceId(), last.GetOutcome())
		}
	case "decided", "refused":
		if last != nil {
			f.add("the trace is %q, and something was executed", s)
		}
		if refused && s == "decided" || s == "refused" && !refused && t.GetError() == nil {
			f.add("the trace is %q, and its decision says otherwise", s)
		}
	case "failed", "canceled":
		if refused {
			f.add("the trace is %q, and its decision says that nobody can serve", s)
		}
	default:
		f.add("the trace's status is %.40q, which there is not", s)
	}
	if t.GetServiceId() != "" && t.GetStatus() != "ok" && last.GetOutcome() != "ok" {
		f.add("the trace says that %.64q answered, and is %.40q", t.GetServiceId(), t.GetStatus())
	}
}

// payloads holds payloads that were kept against their digests.
func (c *inquiry) payloads() verdict {
	piece, there := c.pieces[keptOfTrace]
	if !there || c.trace.GetKept() == nil {
		return skipped("no payload was kept")
	}
	var f faults
	kept, err := splitAs(piece, c.trace.GetKept().ProtoReflect().Descriptor())
	if err != nil {
		f.add("%v", err)
		return f.verdict("")
	}
	var said string
	if intent, there := kept[intentOfKept]; there {
		said += c.payload(intent, "the intent", c.trace.GetRequest().GetPayload().GetDigest(), &f)
	}
	if result, there := kept[resultOfKept]; there {
		said += c.payload(result, "the result", c.trace.GetResultDigest(), &f)
	}
	return f.verdict("kept: " + said)
}

// payload holds the bytes of one payload against its digest.
func (c *inquiry) payload(raw []byte, what, digest string, f *faults) string {
	salted := schema.Digest(append(slices.Clone(c.trace.GetSalt()), raw...))
	f.digest(what+" that was kept, with the salt,", salted, digest)
	return what + ", whose digest it is; "
}
