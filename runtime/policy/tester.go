package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestOptions says which tests run, and what is measured. The zero value runs all and measures nothing.
type TestOptions struct {
	Run      string        // regular expression over "package.name"; empty: every test
	Timeout  time.Duration // of each test; 0: 5 s
	Coverage bool
}

// A TestReport is what a run of tests gave.
type TestReport struct {
	Tests    []TestResult `json:"tests"`              // sorted by file, line, name
	Coverage *Coverage    `json:"coverage,omitempty"` // nil: not asked for
}

// TestResult is one rule named test_...
type TestResult struct {
	Package  string        `json:"package"`
	Name     string        `json:"name"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Outcome  string        `json:"outcome"` // "pass", "fail", "error", "skip" (named todo_test_...)
	Error    string        `json:"error,omitempty"`
	FailedAt string        `json:"failed_at,omitempty"` // "file:line: expression" that did not hold
	Output   string        `json:"output,omitempty"`    // what the test printed
	Duration time.Duration `json:"duration_ns"`
}

// Coverage is which lines of the policies, tests left out, the tests reached.
type Coverage struct {
	Percent float64            `json:"percent"` // of the lines that could be reached, 0..100
	Files   map[string]float64 `json:"files"`
	Missed  []string           `json:"missed"` // "file:line" or "file:line-line", sorted

	reached, lines int
}

// Failed counts the tests that neither passed nor were skipped.
func (r *TestReport) Failed() int {
	n := 0
	for _, t := range r.Tests {
		if t.Outcome == "fail" || t.Outcome == "error" {
			n++
		}
	}
	return n
}

// Test runs the tests of fsys, every rule test_... of its files *_test.rego, with OPA's own runner. Policies mean in tests
// exactly what they mean in Load; those of a tenant run over its set. Cancelling ctx stops the run.
//
// The error is Faults when the policies or their tests do not compile.
func Test(ctx context.Context, fsys fs.FS, opts TestOptions) (*TestReport, error) {
	t, err := readTree(fsys)
	if err != nil {
		return nil, err
	}
	if _, err := regexp.Compile(opts.Run); err != nil {
		return nil, fmt.Errorf("select tests: %w", err)
	}
	report := &TestReport{}
	if opts.Coverage {
		report.Coverage = &Coverage{Files: make(map[string]float64), Missed: []string{}}
	}
	if err := t.test(ctx, opts, report); err != nil {
		return nil, err
	}
	for _, name := range t.tested() {
		err := t.of(name).test(ctx, opts, report)
		var faults Faults
		if errors.As(err, &faults) {
			return nil, faults.under(name, true).sorted()
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	report.Coverage.sort()
	return report, nil
}

// test runs the tests of t that are no tenant's, and adds to report how they went.
func (t *tree) test(ctx context.Context, opts TestOptions, report *TestReport) error {
	modules, faults := t.parse(true)
	documents, more := t.documents()
	faults = append(faults, more...)
	tests := everybodys(t.tests)
	b := &builder{skip: make(map[string]bool, len(tests))}
	for _, f := range tests {
		b.skip[f.path] = true
	}
	// Once for the faults, as Load tells them; the runner compiles again for itself.
	store := inmem.NewFromObject(documents)
	_, more = compile(modules, store, b)
	if faults = append(faults, more...); len(faults) > 0 {
		return faults.sorted()
	}
	compiler := newCompiler().WithEnablePrintStatements(true).WithRewriteTestRules(true)
	b.install(compiler)
	var covered *cover.Cover
	runner := tester.NewRunner().
		SetCompiler(compiler).
		SetStore(store).
		SetParallel(1).
		CapturePrintOutput(true).
		RaiseBuiltinErrors(true).
		EnableTracing(true).
		SetTimeout(cmp.Or(opts.Timeout, 5*time.Second)).
		Filter(opts.Run).
		SetModules(modules)
	if opts.Coverage {
		covered = cover.New()
		runner.SetCoverageQueryTracer(covered)
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return fmt.Errorf("open policy data: %w", err)
	}
	defer store.Abort(ctx, txn)
	results, err := runner.RunTests(ctx, txn)
	if err != nil {
		var list ast.Errors
		if errors.As(err, &list) {
			return faultsOf("", err).sorted()
		}
		return fmt.Errorf("run policy tests: %w", err)
	}
	for r := range results {
		report.Tests = append(report.Tests, resultOf(r))
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("run policy tests: %w", err)
	}
	if covered != nil {
		report.Coverage.add(covered, t, modules)
	}
	return nil
}

func resultOf(r *tester.Result) TestResult {
	t := TestResult{
		Package: strings.TrimPrefix(r.Package, "data."), Name: r.Name, File: clean(r.Location.File), Line: r.Location.Row,
		Outcome: "pass", Output: clean(string(r.Output)), Duration: r.Duration,
	}
	switch {
	case r.Skip:
		t.Outcome = "skip"
	case r.Error != nil:
		t.Outcome, t.Error = "error", clean(r.Error.Error())
	case r.Fail:
		t.Outcome, t.FailedAt = "fail", failedAt(r)
	}
	return t
}

// failedAt finds the expression at which a test failed: the last one of its own file that did.
func failedAt(r *tester.Result) string {
	for _, e := range slices.Backward(r.Trace) {
		if e.Op != topdown.FailOp || e.Location == nil || e.QueryID == 0 || e.Location.File != r.Location.File {
			continue
		}
		text := strings.Join(strings.Fields(string(e.Location.Text)), " ")
		return fmt.Sprintf("%s:%d: %s", clean(e.Location.File), e.Location.Row, cut(text, 200))
	}
	return ""
}

// add counts what covered saw of t's modules that are not counted yet: a tenant's tests are for its own.
func (c *Coverage) add(covered *cover.Cover, t *tree, modules map[string]*ast.Module) {
	own := make(map[string]*ast.Module, len(t.modules))
	for _, f := range everybodys(t.modules) {
		if _, counted := c.Files[f.path]; modules[f.path] != nil && !counted {
			own[f.path] = modules[f.path]
		}
	}
	report := covered.Report(own)
	for name, f := range report.Files {
		if own[name] == nil {
			continue
		}
		c.Files[name] = f.Coverage
		c.reached += f.CoveredLines
		c.lines += f.CoveredLines + f.NotCoveredLines
		for _, r := range f.NotCovered {
			place := fmt.Sprintf("%s:%d", name, r.Start.Row)
			if r.End.Row > r.Start.Row {
				place += fmt.Sprintf("-%d", r.End.Row)
			}
			c.Missed = append(c.Missed, place)
		}
	}
}

// sort completes c; nil is complete.
func (c *Coverage) sort() {
	if c == nil {
		return
	}
	if c.lines > 0 {
		c.Percent = 100 * float64(c.reached) / float64(c.lines)
	}
	slices.Sort(c.Missed)
	c.Missed = slices.Compact(c.Missed)
}
