package audit

import (
	"fmt"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// erasure looks whether a record of removed bodies is one that there can be, and tells what it says.
func (c *inquiry) erasure() verdict {
	e := c.trace.GetErasure()
	if e == nil {
		return skipped("the trace is of a request, not of a removal")
	}
	var f faults
	if c.trace.GetDecision() != nil || c.trace.GetWorkflow() != nil || len(c.trace.GetAttempts()) > 0 {
		f.add("the trace is of a removal and of a decision at once")
	}
	if r := e.GetReason(); r != "retention" && r != "request" {
		f.add("bodies are removed by \"retention\" or by \"request\", not by %.40q", r)
	}
	room, next := uint64(0), uint64(0)
	for i, r := range e.GetRanges() {
		switch {
		case r.GetLast() < r.GetFirst() || i > 0 && r.GetFirst() < next:
			f.add("range %d, entries %d to %d, ends before it begins or begins within the one before", i+1, r.GetFirst(), r.GetLast())
		case r.GetLast() >= c.log.GetIndex():
			f.add("range %d ends with entry %d, and this record is entry %d: nothing can be removed before it was there", i+1, r.GetLast(), c.log.GetIndex())
		default:
			room += r.GetLast() - r.GetFirst() + 1
			next = r.GetLast() + 1
		}
	}
	if n := e.GetCount(); f.n == 0 && (n < 0 || uint64(n) > room) {
		f.add("%d bodies were removed of the %d entries in its ranges", n, room)
	}
	return f.verdict(erasureText(e))
}

func erasureText(e *caiov1.Erasure) string {
	text := fmt.Sprintf("a record that %d bodies", e.GetCount())
	if e.GetTenant() != "" {
		text += fmt.Sprintf(" of %.128q", e.GetTenant())
	}
	if n := len(e.GetRanges()); n > 0 {
		text += fmt.Sprintf(" of entries %d to %d", e.GetRanges()[0].GetFirst(), e.GetRanges()[n-1].GetLast())
	}
	text += fmt.Sprintf(" were removed by %s", e.GetReason())
	if e.GetPrincipal() != nil {
		text += ", as " + who(e.GetPrincipal()) + " asked"
	}
	if e.GetNote() != "" {
		text += fmt.Sprintf(": %.1024q", e.GetNote())
	}
	return text + "; what they said cannot be found out, and their entries are still in the log"
}
