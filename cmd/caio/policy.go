package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Write, check, test, explain and change policies",
	}
	cmd.AddCommand(
		newPolicyCheckCommand(), newPolicyTestCommand(), newPolicyFmtCommand(), newPolicyListCommand(), newPolicyEjectCommand(),
		newPolicyExplainCommand(), newPolicyActivateCommand(), newPolicyRollbackCommand(), newPolicyVersionsCommand(),
		newPolicyShowCommand(), newPolicyDiffCommand(), newPolicyWhatIfCommand(), newPolicyShadowCommand(),
		newPolicyBenchCommand(),
	)
	return cmd
}

func newPolicyCheckCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Compile a policy set and tell everything that is wrong or odd about it",
		Long: "Compile the policy set in DIR (without it, the embedded one) as serve and decide do, and tell every fault at once.\n" +
			"Warnings tell what compiles but is probably not meant, such as a field that no contract has.\n\n" +
			"Each deny rule is listed with the way it goes: taken apart (factored), so that conditions are evaluated once a REQUEST,\n" +
			"once a SERVICE when it is registered, or on BOTH for candidates; or left to OPA in part, and why. COST is about what it\n" +
			"takes of a request with 1,000 candidates that its GUARD, a condition on the request alone, does not spare it.",
		Example: "  caio policy check policies/\n  caio policy check --policy-overlay mine/ --strict",
		Args:    cobra.MaximumNArgs(1),
	}
	out, sources := addOutput(cmd), addPolicySources(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 on warnings too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := sources.argument(args); err != nil {
			return err
		}
		set, err := sources.load()
		var faults policy.Faults
		if err != nil && !errors.As(err, &faults) {
			return failed(err)
		}
		report := policyReport{Faults: sources.placed(faults), Warnings: []*caiov1.Fault{}}
		if set != nil {
			report.Rules, report.Digest, report.Warnings = set.Len(), set.Digest(), sources.placed(set.Warnings())
			report.Uncovered, report.Plan = set.Uncovered(), set.Plan()
		}
		if err := report.write(cmd.OutOrStdout(), out.json()); err != nil {
			return err
		}
		switch {
		case len(faults) > 0, strict && len(report.Warnings) > 0:
			return refused(nil)
		case report.Rules == 0:
			return refused(errors.New("no policies here: a policy is a rule deny or violation in a file *.rego"))
		}
		return nil
	}
	return cmd
}

// policyReport is what check prints.
type policyReport struct {
	Rules     int             `json:"rules"`
	Digest    string          `json:"digest"`
	Faults    []*caiov1.Fault `json:"faults"`
	Warnings  []*caiov1.Fault `json:"warnings"`
	Uncovered []string        `json:"uncovered"` // invariants that no rule stands for
	Plan      []policy.Way    `json:"plan"`      // of deny rules
}

func (r policyReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		if r.Uncovered == nil {
			r.Uncovered = []string{}
		}
		if r.Plan == nil {
			r.Plan = []policy.Way{}
		}
		return document(w, r)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(w, "%s%s\n", policy.Place(f), f.GetMessage())
	}
	for _, f := range r.Warnings {
		fmt.Fprintf(w, "%swarning: %s\n", policy.Place(f), f.GetMessage())
	}
	if len(r.Faults) > 0 {
		fmt.Fprintf(w, "%s, %s\n", count(len(r.Faults), "fault"), count(len(r.Warnings), "warning"))
		return nil
	}
	if err := writePlan(w, r.Plan); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %s, digest %.12s\n", count(r.Rules, "rule"), count(len(r.Warnings), "warning"), r.Digest)
	for _, id := range r.Uncovered {
		fmt.Fprintf(w, "no rule stands for %s; 'caio serve' does not run with this set outside of --insecure-dev\n", id)
	}
	return nil
}

// writePlan tells for each deny rule which way it goes and what it costs.
func writePlan(w io.Writer, plan []policy.Way) error {
	if len(plan) == 0 {
		return nil
	}
	var rows [][]string
	var total time.Duration
	for _, way := range plan {
		guard := "-"
		if way.Guarded {
			guard = "yes"
		}
		total += way.Cost
		rows = append(rows, []string{
			cell(way.Rule.ID), string(way.Engine), strconv.Itoa(way.Request), strconv.Itoa(way.Service), strconv.Itoa(way.Both),
			strconv.Itoa(way.OPA), guard, microseconds(way.Cost), fmt.Sprintf("%s:%d", way.Rule.File, way.Rule.Line), orDash(cell(way.Why)),
		})
	}
	if err := table(w, []string{"RULE", "WAY", "REQUEST", "SERVICE", "BOTH", "OPA", "GUARD", "COST", "PLACE", "WHY OPA"}, rows); err != nil {
		return err
	}
	if total > policy.DearPlan {
		fmt.Fprintf(w, "\ndear: all rules together may take %s of a request with 1,000 candidates; 'caio policy bench' measures it\n", total.Round(time.Millisecond))
	}
	fmt.Fprintln(w)
	return nil
}

// count writes a number and what is counted.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func newPolicyListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the rules of a policy set, sorted by file and line",
		Example: "  caio policy list\n  caio policy list --policies policies/ -o json",
		Args:    noArguments,
	}
	out, sources := addOutput(cmd), addPolicySources(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		set, err := sources.load()
		if err != nil {
			return sources.explain(err)
		}
		rules := set.Rules()
		if out.json() {
			if rules == nil {
				rules = []policy.Rule{}
			}
			return document(cmd.OutOrStdout(), rules)
		}
		rows := make([][]string, 0, len(rules))
		for _, r := range rules {
			rows = append(rows, []string{r.ID, r.Kind, orDash(r.Invariant), orDash(r.Title), fmt.Sprintf("%s:%d", r.File, r.Line)})
		}
		return table(cmd.OutOrStdout(), []string{"RULE", "KIND", "INVARIANT", "TITLE", "PLACE"}, rows)
	}
	return cmd
}

// argument takes a command's [DIR], which means what --policies means.
func (s *policySources) argument(args []string) error {
	if len(args) == 0 {
		return nil
	}
	if s.dir != "" {
		return fmt.Errorf("DIR and --policies name the same thing; give one of them")
	}
	s.dir = args[0]
	return nil
}

// explain makes an error of loading policies fit to be returned: faults are a refusal, and stand under paths that an
// editor can open.
func (s *policySources) explain(err error) error {
	var faults policy.Faults
	if errors.As(err, &faults) {
		return refused(policy.Faults(s.placed(faults)))
	}
	return failed(err)
}

// placed returns faults under paths that an editor can open, where there is but one directory they can be in.
func (s *policySources) placed(faults []*caiov1.Fault) []*caiov1.Fault {
	placed := make([]*caiov1.Fault, len(faults))
	for i, f := range faults {
		placed[i] = proto.CloneOf(f)
		if s.dir != "" && s.overlay == "" && f.GetFile() != "" {
			placed[i].File = filepath.Join(s.dir, filepath.FromSlash(f.GetFile()))
		}
	}
	return placed
}
