package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// funnel lists the outcomes of those that fall in the order of the steps, each with the code of a request whose last
// candidates fell there and with what its sender can do.
var funnel = [...]struct{ outcome, code, hint string }{
	{"capability", "NO_MATCHING_SERVICE", "register a service with that capability, or ask for one that there is ('caio service list')"},
	{"guarantee", "NO_MATCHING_SERVICE", "demand what the reasons say is promised, or register a service that promises more"},
	{"constraint", "NO_MATCHING_SERVICE", "ask for what the reasons say there is, or register a service that meets the constraints"},
	{"rule", "RULE_VIOLATION", "change what the reasons name, in the request or in the contract, or the rule itself"},
	{"security", "SECURITY_VIOLATION", "change what the reasons name: who asks (principal), what is sent (data), or the service's contract"},
	{"traits", "NO_MATCHING_SERVICE", "demand less of field.trait_demands, or register a service that is minded like the caller"},
	{"budget", "BUDGET_EXCEEDED", "change the budget or the request as the reasons say, or register a cheaper service"},
	{"latency", "LATENCY_EXCEEDED", "ask without max_latency_ms, or register a service that promises a latency"},
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
	fell := 0
	for i := range c.entries {
		if c.entries[i].outcome == funnel[last].outcome {
			fell++
		}
	}
	text := fmt.Appendf(c.text[:0], "no service can serve: of %d in the registry the last %s fell at the step %q: ",
		c.considered(), count(fell), funnel[last].outcome)
	said := 0
	for i := range c.entries {
		e := &c.entries[i]
		if e.outcome != funnel[last].outcome || said == most {
			continue
		}
		if said++; said > 1 {
			text = append(text, " | "...)
		}
		text = appendSpoken(append(append(text, e.id...), ": "...), e.reasons)
	}
	if fell > said {
		text = fmt.Appendf(text, " | and %d more", fell-said)
	}
	c.text = text
	message := string(text)
	if funnel[last].outcome == "guarantee" {
		message += c.misnamed()
	}
	return &caiov1.Error{Code: funnel[last].code, Stage: funnel[last].outcome, Message: message, Hint: c.hint(last)}
}

// hint says what the sender of a request whose last candidates fell at a step can do: by the least change where that is
// a number.
func (c *choice) hint(last int) string {
	var nearest *entry
	var least float64
	for i := range c.entries {
		e := &c.entries[i]
		n := e.promised
		if e.outcome == "budget" {
			n = e.price.Cost
		}
		comparable := e.outcome == "latency" && e.promises() || e.outcome == "budget" && e.price.Known && e.price.Currency == c.req.Budget.Currency
		if e.outcome == funnel[last].outcome && comparable && (nearest == nil || n < least) {
			nearest, least = e, n
		}
	}
	switch {
	case nearest == nil:
		return funnel[last].hint
	case nearest.outcome == "budget":
		return fmt.Sprintf("raise budget.max_cost to %s (%s), or register a cheaper service", decimal(least), nearest.id)
	default:
		return fmt.Sprintf("raise max_latency_ms to %s (%s), or register a faster service", decimal(least), nearest.id)
	}
}

// considered counts the services that were looked at, or left aside because they offer nothing of what is asked.
func (c *choice) considered() int { return len(c.entries) + int(c.unlisted) }

func (c *choice) nobodyOffers() string {
	if len(c.req.Capabilities) == 0 {
		return "there is no service"
	}
	asked := strings.Join(c.req.Capabilities, ", ")
	switch {
	case len(c.req.Capabilities) > 1 && c.req.Match == "any":
		asked = "any of " + asked
	case len(c.req.Capabilities) > 1:
		asked = "all of " + asked
	}
	message := fmt.Sprintf("no service of %d in the registry offers %s", c.considered(), asked)
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

// appendSpoken appends reasons as an error says them: each with its rule and where that stands, if it has a file.
func appendSpoken(to []byte, reasons []*caiov1.Reason) []byte {
	for i, r := range reasons {
		if i > 0 {
			to = append(to, "; "...)
		}
		to = append(to, r.Message...)
		if r.File != "" {
			to = append(append(append(append(to, " ("...), r.Rule...), ", "...), r.File...)
			to = append(strconv.AppendInt(append(to, ':'), int64(r.Line), 10), ')')
		}
	}
	return to
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
