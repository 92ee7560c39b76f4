package audit

import (
	"fmt"
	"strconv"
	"time"

	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// skew is how far the clocks of a server and of a witness may be apart.
const skew = time.Minute

// identity looks whether who asked and when is the same everywhere.
func (c *inquiry) identity() verdict {
	t := c.trace
	if t.GetTime() == nil {
		return verdict{Failed, "the trace does not say when it is of"}
	}
	var f faults
	if err := t.GetTime().CheckValid(); err != nil {
		f.add("the trace's time is none there can be")
		return f.verdict("")
	}
	for _, m := range c.differ {
		if m.personal() {
			f.add("%s", m)
		}
	}
	at := t.GetTime().AsTime()
	c.named(at, &f)
	for _, s := range c.cosigned {
		c.notAfter(at, s, c.checkpoint.Size, &f)
	}
	for _, earlier := range c.earlier {
		if c.log.GetIndex() >= earlier.Size {
			continue // it came later
		}
		for _, s := range earlier.cosigned {
			c.notAfter(at, s, earlier.Size, &f)
		}
	}
	said := fmt.Sprintf("the request of %s arrived at %s", who(t.GetRequest().GetPrincipal()), at.Format(time.RFC3339Nano))
	if t.GetErasure() != nil {
		said = fmt.Sprintf("recorded at %s", at.Format(time.RFC3339Nano))
	}
	if judged := t.GetRequest().GetContext().GetTime(); judged != nil && t.GetDecision() != nil {
		switch {
		case judged.CheckValid() != nil:
			f.add("the time at which policies judged is none there can be")
		case judged.AsTime().Equal(at):
			said += ", by which time it was judged"
		case t.GetStep() != nil:
			said += fmt.Sprintf(", and was judged by the time of its workflow, %s", judged.AsTime().Format(time.RFC3339Nano))
		default:
			said += fmt.Sprintf(", and was judged by a time of the caller's own, %s", judged.AsTime().Format(time.RFC3339Nano))
		}
	}
	return f.verdict(said)
}

// named looks whether the trace's id is of the trace's time: its first twelve hex digits are the milliseconds since 1970 at
// which a request arrived. A step of a workflow is named when its workflow arrives, and begins later.
func (c *inquiry) named(at time.Time, f *faults) {
	t := c.trace
	if t.GetErasure() != nil {
		return
	}
	id := t.GetTraceId()
	ms, err := strconv.ParseInt(id[:min(len(id), 12)], 16, 64)
	if named := time.UnixMilli(ms).UTC(); err != nil || ms > at.UnixMilli() || ms < at.UnixMilli() && t.GetStep() == nil {
		f.add("the trace's id was made at %s, and the trace says it is of %s", named.Format(time.RFC3339Nano), at.Format(time.RFC3339Nano))
	}
}

// notAfter adds a fault where a trace of that time was seen in the log before.
func (c *inquiry) notAfter(at time.Time, seen tree.Cosignature, size uint64, f *faults) {
	if !seen.Time.IsZero() && at.After(seen.Time.Add(skew)) {
		f.add("the trace says it is of %s, and %s saw the log of %d entries that holds it at %s, before that",
			at.Format(time.RFC3339Nano), seen.Name, size, seen.Time.Format(time.RFC3339))
	}
}

func who(p *caiov1.Principal) string {
	if p.GetSubject() == "" {
		return "nobody by name"
	}
	if p.GetTenant() == "" {
		return fmt.Sprintf("%.256q", p.GetSubject())
	}
	return fmt.Sprintf("%.256q of %.128q", p.GetSubject(), p.GetTenant())
}
