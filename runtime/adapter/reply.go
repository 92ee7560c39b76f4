package adapter

import (
	"fmt"
	"slices"
	"strings"
)

// failCodes are what a guest may call its failure. The other codes of caio.v1.Error say what the house did, which no guest
// may claim.
var failCodes = []string{"", "INVALID_REQUEST", "TRANSFORMATION_FAILED", "EXECUTION_FAILED", "TIMEOUT", "OVERLOADED", "UNAVAILABLE"}

// checkReply holds a reply to the step machine: what may follow what, and what an action must say.
func checkReply(r *Reply, ev *Event) error {
	for i := range r.Actions {
		a := &r.Actions[i]
		if i < len(r.Actions)-1 && a.Kind != ActionEmit {
			return fmt.Errorf("reply: action %d of %d is no emit; only the last may be another", i+1, len(r.Actions))
		}
		if err := checkAction(a); err != nil {
			return fmt.Errorf("reply: action %d: %w", i+1, err)
		}
	}
	waits := len(r.Actions) == 0 || r.Actions[len(r.Actions)-1].Kind == ActionEmit
	if waits && ev.Kind != KindFrame && ev.Kind != KindResponse {
		return fmt.Errorf("reply: no action says how it goes on, and no frame can follow an event of kind %d", ev.Kind)
	}
	return nil
}

func checkAction(a *Action) error {
	switch a.Kind {
	case ActionHTTP:
		if a.Method == "" || !strings.HasPrefix(a.URL, "http://") && !strings.HasPrefix(a.URL, "https://") {
			return fmt.Errorf("an http action needs a method and an absolute http or https URL, it has %q and %q", clip(a.Method), clip(a.URL))
		}
		if a.Framing != "" && a.Framing != "sse" && a.Framing != "ndjson" {
			return fmt.Errorf("framing %q is not known, there are sse and ndjson", clip(a.Framing))
		}
	case ActionEmit, ActionDone:
		if len(a.Data) == 0 {
			return fmt.Errorf("kind %d without data", a.Kind)
		}
	case ActionFail:
		if !slices.Contains(failCodes, a.Code) {
			return fmt.Errorf("code %q is none that a guest may use", clip(a.Code))
		}
	case ActionWait:
	default:
		return fmt.Errorf("kind %d is not known", a.Kind)
	}
	return nil
}
