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

// showWorkflowDecision writes who would do each step, what they promise together, and why it may not be.
func showWorkflowDecision(w io.Writer, name string, answer *caiov1.WorkflowServiceDecideResponse) error {
	d := answer.GetDecision()
	if e := d.GetError(); e != nil {
		fmt.Fprintf(w, "%s may not run: %s\n%s\n", name, e.GetCode(), cell(e.GetMessage()))
		if e.GetHint() != "" {
			fmt.Fprintf(w, "next: %s\n", cell(e.GetHint()))
		}
	} else {
		fmt.Fprintf(w, "%s may run\n", name)
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, s := range d.GetSteps() {
		place := "-"
		if s.GetPlace() > 0 {
			place = fmt.Sprintf("%d of %d", s.GetPlace(), len(s.GetDecision().GetRanking()))
		}
		row := []string{s.GetId(), orDash(strings.Join(s.GetNeeds(), " ")), orDash(s.GetServiceId()), place}
		if answer.GetTraceId() != "" {
			row = append(row, s.GetTraceId())
		}
		rows = append(rows, row)
	}
	header := []string{"STEP", "NEEDS", "SERVICE", "PLACE"}
	if answer.GetTraceId() != "" {
		header = append(header, "TRACE")
	}
	if err := table(w, header, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	pairs(w, [2]string{"together", composedText(d.GetComposed())}, [2]string{"proofs", proofsText(d.GetProofs())}, [2]string{"trace", answer.GetTraceId()})
	return nil
}

// showWorkflowRun writes what the last steps answered, then what became of all.
func showWorkflowRun(w io.Writer, workflow *caiov1.Workflow, response *caiov1.WorkflowServiceRunResponse) error {
	last := lastSteps(workflow)
	for _, s := range response.GetSteps() {
		if s.GetResult() == nil || !slices.Contains(last, s.GetId()) {
			continue
		}
		text, err := resultText(s.GetResult())
		if err != nil {
			return err
		}
		if len(last) > 1 {
			fmt.Fprintf(w, "%s: ", s.GetId())
		}
		fmt.Fprintf(w, "%s\n\n", printableText(text))
	}
	var rows [][]string
	for _, s := range response.GetSteps() {
		took := "-"
		if s.GetStatus() != "skipped" {
			took = milliseconds(s.GetDurationMs())
		}
		rows = append(rows, []string{s.GetId(), s.GetStatus(), orDash(s.GetServiceId()), took, s.GetTraceId(), cell(s.GetError().GetMessage())})
	}
	if err := table(w, []string{"STEP", "STATUS", "SERVICE", "TOOK", "TRACE", "WHY"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	pairs(w, [2]string{"status", response.GetStatus()}, [2]string{"together", composedText(response.GetComposed())},
		[2]string{"took", milliseconds(response.GetDurationMs())}, [2]string{"trace", response.GetTraceId()})
	return nil
}

// lastSteps are the steps that no other needs.
func lastSteps(workflow *caiov1.Workflow) []string {
	needed := map[string]bool{}
	for _, s := range workflow.GetSteps() {
		for _, id := range s.GetNeeds() {
			needed[id] = true
		}
		for _, in := range s.GetInputs() {
			needed[in.GetFrom()] = true
		}
	}
	var out []string
	for _, s := range workflow.GetSteps() {
		if !needed[s.GetId()] {
			out = append(out, s.GetId())
		}
	}
	return out
}

// composedText is what services promise together, on one line.
func composedText(c *caiov1.Composed) string {
	if c == nil {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.GetGuarantees())) {
		g := c.GetGuarantees()[name]
		if property := g.GetProperty(); property != "" {
			name = property
		}
		parts = append(parts, name+" "+boundText(g.GetBound()))
	}
	if c.Cost != nil {
		// Sums of decimal prices end in digits that mean nothing.
		parts = append(parts, "cost "+strconv.FormatFloat(c.GetCost(), 'g', 6, 64)+" "+cell(c.GetCurrency()))
	}
	privacy := "data " + c.GetPrivacy().GetDataLocality()
	if c.GetPrivacy().GetEncryption() {
		privacy += ", encrypted"
	}
	return strings.Join(append(parts, privacy), ", ")
}

// proofsText counts proofs, and names those that do not hold.
func proofsText(proofs []*caiov1.Proof) string {
	if len(proofs) == 0 {
		return ""
	}
	text := fmt.Sprintf("%d", len(proofs))
	for _, p := range proofs {
		if !p.GetValid() {
			text += "; does not hold: " + p.GetProperty()
		}
	}
	return text
}

// showWorkflowTrace writes what a trace says of a workflow's steps.
func showWorkflowTrace(w io.Writer, t *caiov1.WorkflowTrace) error {
	var rows [][]string
	for _, s := range t.GetSteps() {
		rows = append(rows, []string{s.GetId(), orDash(strings.Join(s.GetNeeds(), " ")), s.GetStatus(), orDash(s.GetServiceId()), s.GetTraceId()})
	}
	return table(w, []string{"STEP", "NEEDS", "STATUS", "SERVICE", "TRACE"}, rows)
}

// workflowText says of a trace which workflow it is of, "" if of none.
func workflowText(t *caiov1.Trace) string {
	switch {
	case t.GetWorkflow() != nil:
		return t.GetWorkflow().GetName()
	case t.GetStep() != nil:
		return fmt.Sprintf("step %s of %s, trace %s", t.GetStep().GetStep(), t.GetStep().GetWorkflow(), t.GetStep().GetWorkflowTraceId())
	}
	return ""
}
