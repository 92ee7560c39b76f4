package adapter

import (
	"fmt"
	"slices"
	"strings"
)

// failCodes are what a guest may call its failure. The other codes of caio.v1.Error say what the house did, which no guest
// may claim.
var failCodes = []string{"", "INVALID_REQUEST", "TRANSFORMATION_FAILED", "EXECUTION_FAILED", "TIMEOUT", "OVERLOADED", "UNAVAILABLE"}

// reasons are those of caio.v1.Error.
var reasons = []string{"rate_limited", "out_of_credit", "context_too_long", "content_filtered", "bad_key", "model_not_found", "overloaded", "bad_request"}

// framings are those that the host knows how to cut.
var framings = []string{"", "sse", "ndjson", "eventstream", "bytes"}

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
	if goesOn(r) && ev.Kind != KindFrame && ev.Kind != KindResponse {
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
		if !slices.Contains(framings, a.Framing) {
			return fmt.Errorf("framing %q is not known, there are %s", clip(a.Framing), strings.Join(framings[1:], ", "))
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
