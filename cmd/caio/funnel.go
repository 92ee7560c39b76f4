package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// steps at which a candidate may fall, in their order.
func steps() []string {
	return []string{"capability", "guarantee", "constraint", "rule", "security", "traits", "budget", "latency"}
}

// showFunnel writes a decision as a funnel: how many services were left after each step, who fell there and why, and
// how those that were left were ranked.
func showFunnel(w io.Writer, d *caiov1.Decision) error {
	left := len(d.GetCandidates()) + int(d.GetUnlisted())
	rows := [][]string{{"registry", strconv.Itoa(left), "", ""}}
	for _, step := range steps() {
		if step == "traits" && d.GetField() == nil {
			continue // a step that requests without fields do not go through
		}
		fallen := outcome(d, step)
		gone := len(fallen)
		if step == "capability" {
			gone += int(d.GetUnlisted())
		}
		left -= gone
		rows = append(rows, []string{step, strconv.Itoa(left), "", ""})
		if step == "capability" && d.GetUnlisted() > 0 {
			rows = append(rows, []string{"", "", fmt.Sprintf("(%d more)", d.GetUnlisted()), "offer nothing of what is asked"})
		}
		for _, c := range fallen {
			rows = append(rows, []string{"", "", c.GetServiceId(), cell(reasonsText(c.GetReasons()))})
		}
	}
	for i, id := range d.GetRanking() {
		place := "ranked"
		if i == 0 {
			place = "chosen"
		}
		rows = append(rows, []string{place, strconv.Itoa(i + 1), id, scoreText(candidate(d, id))})
	}
	return table(w, []string{"STEP", "LEFT", "SERVICE", "WHY"}, rows)
}

func outcome(d *caiov1.Decision, name string) []*caiov1.Candidate {
	var out []*caiov1.Candidate
	for _, c := range d.GetCandidates() {
		if c.GetOutcome() == name {
			out = append(out, c)
		}
	}
	return out
}

func candidate(d *caiov1.Decision, id string) *caiov1.Candidate {
	for _, c := range d.GetCandidates() {
		if c.GetServiceId() == id {
			return c
		}
	}
	return nil
}

// scoreText is a score and the terms it is made of.
func scoreText(c *caiov1.Candidate) string {
	if c == nil || c.Score == nil {
		return ""
	}
	parts := []string{"score " + strconv.FormatFloat(c.GetScore(), 'f', 3, 64)}
	for _, name := range slices.Sorted(maps.Keys(c.GetTerms())) {
		parts = append(parts, cell(name)+" "+strconv.FormatFloat(c.GetTerms()[name], 'f', 2, 64))
	}
	return strings.Join(parts, "  ")
}

// showAttempts writes what was executed, in order.
func showAttempts(w io.Writer, attempts []*caiov1.Attempt) error {
	var rows [][]string
	for i, a := range attempts {
		why := a.GetError().GetMessage()
		for _, v := range a.GetViolations() {
			if v.GetReaction() == "accept" {
				why = strings.TrimPrefix(why+"; accepted: "+v.GetReason().GetMessage(), "; ")
			}
		}
		o := a.GetObserved()
		rows = append(rows, []string{
			strconv.Itoa(i + 1), a.GetServiceId(), a.GetOutcome(), milliseconds(o.GetLatencyMs()),
			strconv.Itoa(int(o.GetCalls())), statusText(o.GetHttpStatus()), spentText(o), cell(why),
		})
	}
	return table(w, []string{"ATTEMPT", "SERVICE", "OUTCOME", "TOOK", "CALLS", "HTTP", "COST", "WHY"}, rows)
}

func statusText(status int32) string {
	if status == 0 {
		return "-"
	}
	return strconv.Itoa(int(status))
}

func spentText(o *caiov1.Observed) string {
	if o == nil || o.Cost == nil {
		return "-"
	}
	return number(o.GetCost()) + " " + cell(o.GetCurrency())
}

// requestText is what a request asks for, on one line.
func requestText(r *caiov1.Request) string {
	var parts []string
	if len(r.GetCapabilities()) > 0 {
		joint := " and "
		if r.GetMatch() == "any" {
			joint = " or "
		}
		parts = append(parts, strings.Join(r.GetCapabilities(), joint))
	} else if r.GetIntent().GetType() != "" {
		parts = append(parts, r.GetIntent().GetType())
	}
	for _, name := range slices.Sorted(maps.Keys(r.GetGuarantees())) {
		parts = append(parts, name+demandText(r.GetGuarantees()[name]))
	}
	if b := r.GetBudget(); b != nil {
		parts = append(parts, "cost <= "+number(b.GetMaxCost())+" "+b.GetCurrency())
	}
	if r.MaxLatencyMs != nil {
		parts = append(parts, "within "+number(r.GetMaxLatencyMs())+" ms")
	}
	if d := r.GetData(); d.GetContainsPii() || d.GetContainsPhi() {
		parts = append(parts, "sensitive data")
	}
	if residency := r.GetData().GetResidency(); residency != "" {
		parts = append(parts, "data stays in "+residency)
	}
	if n := len(r.GetField().GetIntent().GetRe()); n > 0 {
		parts = append(parts, fmt.Sprintf("an intent field of dimension %d", n))
	}
	return strings.Join(parts, ", ")
}

func demandText(d *caiov1.Demand) string {
	var parts []string
	for _, bound := range []struct {
		sign  string
		value *float64
	}{{">=", d.Min}, {"<=", d.Max}, {"deviation <=", d.Deviation}, {"ratio <=", d.Ratio}, {"multiple >=", d.Multiple}} {
		if bound.value != nil {
			parts = append(parts, bound.sign+" "+number(*bound.value))
		}
	}
	if d.GetBoolean() {
		parts = append(parts, "true")
	}
	return strings.TrimRight(" "+strings.Join(parts, " and "), " ")
}
