package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// funnel lists the outcomes of those that fall in the order of the steps, each with the code of a request whose last
// candidates fell there and with what its sender can do.
var funnel = [...]struct{ outcome, code, hint string }{
	{"capability", "NO_MATCHING_SERVICE", "register a service with that capability, or ask for one that there is ('caio service list')"},
	{"guarantee", "NO_MATCHING_SERVICE", "demand less, or register a service that promises more ('caio service discover')"},
	{"constraint", "NO_MATCHING_SERVICE", "relax the constraints, or register a service that meets them"},
	{"rule", "RULE_VIOLATION", "change the request, the service's contract, or the rule named in the reasons"},
	{"security", "SECURITY_VIOLATION", "use a principal with the permissions and trust the reasons name, or another service"},
	{"traits", "NO_MATCHING_SERVICE", "demand less of field.trait_demands, or register a service that is minded like the caller"},
	{"budget", "BUDGET_EXCEEDED", "raise budget.max_cost, or register a cheaper service"},
	{"latency", "LATENCY_EXCEEDED", "raise max_latency_ms, or register a faster service"},
}

// step returns the position of outcome in the funnel, -1 for candidates that did not fall.
func step(outcome string) int {
	for i := range funnel {
		if funnel[i].outcome == outcome {
			return i
		}
	}
	return -1
}

// nobody says at which step the last candidates fell and why.
func (c *choice) nobody() *caiov1.Error {
	last := 0
	for i := range c.entries {
		last = max(last, step(c.entries[i].outcome))
	}
	if last == 0 {
		return &caiov1.Error{Code: funnel[0].code, Stage: funnel[0].outcome, Message: c.nobodyOffers(), Hint: funnel[0].hint}
	}
	var said []string
	fell := 0
	for i := range c.entries {
		if e := &c.entries[i]; e.outcome == funnel[last].outcome {
			if fell++; len(said) < most {
				said = append(said, e.id+": "+messages(e.reasons))
			}
		}
	}
	message := fmt.Sprintf("no service can serve: of %d in the registry the last %s fell at the step %q: %s",
		c.considered(), count(fell), funnel[last].outcome, enumerateFirst(said, fell))
	if funnel[last].outcome == "guarantee" {
		message += c.misnamed()
	}
	return &caiov1.Error{Code: funnel[last].code, Stage: funnel[last].outcome, Message: message, Hint: funnel[last].hint}
}

// considered counts the services that were looked at, or left aside because they offer nothing of what is asked.
func (c *choice) considered() int { return len(c.entries) + int(c.unlisted) }

func (c *choice) nobodyOffers() string {
	if len(c.req.Capabilities) == 0 {
		return "there is no service"
	}
	message := fmt.Sprintf("no service of %d in the registry offers %s", c.considered(), strings.Join(c.req.Capabilities, ", "))
	for _, asked := range c.req.Capabilities {
		if near := c.Registry.NearestCapability(asked, c.visible); near != "" && near != asked {
			message += fmt.Sprintf("; did you mean %q instead of %q?", near, asked)
		}
	}
	return message
}

// misnamed says what demands that nobody promises may have meant.
func (c *choice) misnamed() (hints string) {
	hint := func(asked, near string) bool {
		if near != "" && near != asked {
			hints += fmt.Sprintf("; did you mean %q instead of %q?", near, asked)
		}
		return near == asked
	}
	for _, name := range slices.Sorted(maps.Keys(c.req.Guarantees)) {
		promised := hint(name, c.Registry.NearestGuarantee(name, c.visible))
		if property := c.req.Guarantees[name].GetProperty(); promised && property != "" {
			hint(property, c.Registry.NearestProperty(name, property, c.visible))
		}
	}
	return hints
}

func messages(reasons []*caiov1.Reason) string {
	out := make([]string, len(reasons))
	for i, r := range reasons {
		out[i] = r.Message
	}
	return strings.Join(out, "; ")
}

func count(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

// most is how many candidates an error names, so that it stays readable when thousands fell; all are in the trace.
const most = 5

// enumerate joins at most the first few.
func enumerate(said []string) string { return enumerateFirst(said[:min(len(said), most)], len(said)) }

// enumerateFirst joins what is said of the first, and counts the rest of all.
func enumerateFirst(said []string, all int) string {
	joined := strings.Join(said, " | ")
	if all > len(said) {
		joined += fmt.Sprintf(" | and %d more", all-len(said))
	}
	return joined
}

// why says in one sentence what speaks for the service chosen.
func (d *Decision) why() string {
	if len(d.Ranking) > 1 {
		return fmt.Sprintf("best score of %d, %.3f before %s's %.3f", len(d.Ranking), d.tally.best, d.Ranking[1], d.tally.second)
	}
	if d.tally.candidates == 1 {
		return "the only service that offers it"
	}
	var parts []string
	for i, n := range d.tally.fell {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d by %s", n, funnel[i].outcome))
		}
	}
	return fmt.Sprintf("the only one left of %d: %s fell", d.tally.candidates, strings.Join(parts, ", "))
}
