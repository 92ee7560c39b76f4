package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/policy"
)

func newPolicyTestCommand() *cobra.Command {
	var opts policy.TestOptions
	var verbose bool
	var least float64
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests that lie beside policies",
		Long: "Run the tests of the policy set in DIR (without it, the embedded one): every rule test_... of its files *_test.rego.\n" +
			"A rule todo_test_... is skipped. Policies mean in tests exactly what they mean in service.",
		Example: "  caio policy test policies/\n  caio policy test policies/ --run privacy -v\n  caio policy test policies/ --coverage --least 90",
		Args:    cobra.MaximumNArgs(1),
	}
	out, sources := addOutput(cmd), addPolicySources(cmd)
	f := cmd.Flags()
	f.BoolVarP(&verbose, "verbose", "v", false, "list tests that passed too, and what tests print")
	f.StringVar(&opts.Run, "run", "", "only tests whose package.name matches this regular expression")
	f.DurationVar(&opts.Timeout, "timeout", 5*time.Second, "for each test")
	f.BoolVar(&opts.Coverage, "coverage", false, "tell which lines no test reaches")
	f.Float64Var(&least, "least", 0, "exit with 1 if tests reach less than this, in percent (turns on --coverage)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := sources.argument(args); err != nil {
			return err
		}
		opts.Coverage = opts.Coverage || least > 0
		files, err := sources.files()
		if err != nil {
			return failed(err)
		}
		report, err := policy.Test(cmd.Context(), files, opts)
		if err != nil {
			return sources.explain(err)
		}
		if err := writeTests(cmd.OutOrStdout(), report, out.json(), verbose); err != nil {
			return err
		}
		switch {
		case report.Failed() > 0:
			return refused(nil)
		case len(report.Tests) == 0 && opts.Run != "":
			return refused(fmt.Errorf("no test matches --run %s", opts.Run))
		case len(report.Tests) == 0:
			return refused(errors.New("no tests here: a test is a rule test_... in a file *_test.rego"))
		case opts.Coverage && report.Coverage.Percent < least:
			return refused(fmt.Errorf("tests reach %.1f %% of the policies; at least %.1f %% are asked for", report.Coverage.Percent, least))
		}
		return nil
	}
	return cmd
}

func writeTests(w io.Writer, report *policy.TestReport, asJSON, verbose bool) error {
	if asJSON {
		if report.Tests == nil {
			report.Tests = []policy.TestResult{}
		}
		return document(w, report)
	}
	var rows [][]string
	outcomes := make(map[string]int)
	for _, t := range report.Tests {
		outcomes[t.Outcome]++
		if t.Outcome == "pass" && !verbose {
			continue
		}
		rows = append(rows, []string{strings.ToUpper(t.Outcome), t.Package + "." + t.Name, fmt.Sprintf("%s:%d", t.File, t.Line), firstLine(t.FailedAt + t.Error)})
	}
	if len(rows) > 0 {
		if err := table(w, []string{"OUTCOME", "TEST", "PLACE", "WHY"}, rows); err != nil {
			return err
		}
	}
	for _, t := range report.Tests {
		if t.Output != "" && (verbose || t.Outcome != "pass") {
			fmt.Fprintf(w, "%s.%s printed:\n%s\n", t.Package, t.Name, strings.TrimRight(t.Output, "\n"))
		}
	}
	fmt.Fprintf(w, "%s: %d passed, %d failed, %d in error, %d skipped\n", count(len(report.Tests), "test"),
		outcomes["pass"], outcomes["fail"], outcomes["error"], outcomes["skip"])
	if c := report.Coverage; c != nil {
		fmt.Fprintf(w, "tests reach %.1f %% of the policies\n", c.Percent)
		for _, place := range c.Missed {
			fmt.Fprintf(w, "not reached: %s\n", place)
		}
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
