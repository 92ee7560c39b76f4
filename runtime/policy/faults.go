package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Faults is everything that is wrong in a set of policies, sorted by file, line and column. As an error it has one line
// for each, "file:line:column: message".
type Faults []*caiov1.Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = Place(fault) + fault.GetMessage()
	}
	return strings.Join(lines, "\n")
}

// Place returns "file:line:column: " as far as it is known, for messages.
func Place(f *caiov1.Fault) string {
	switch {
	case f.GetFile() == "":
		return ""
	case f.GetLine() == 0:
		return f.GetFile() + ": "
	default:
		return fmt.Sprintf("%s:%d:%d: ", f.GetFile(), f.GetLine(), f.GetColumn())
	}
}

// sorted returns f in order of place, each fault once.
func (f Faults) sorted() Faults {
	slices.SortFunc(f, func(a, b *caiov1.Fault) int {
		return cmp.Or(cmp.Compare(a.GetFile(), b.GetFile()), cmp.Compare(a.GetLine(), b.GetLine()),
			cmp.Compare(a.GetColumn(), b.GetColumn()), cmp.Compare(a.GetMessage(), b.GetMessage()))
	})
	return slices.CompactFunc(f, func(a, b *caiov1.Fault) bool {
		return a.GetFile() == b.GetFile() && a.GetLine() == b.GetLine() && a.GetColumn() == b.GetColumn() && a.GetMessage() == b.GetMessage()
	})
}

func faultAt(loc *ast.Location, format string, args ...any) *caiov1.Fault {
	f := &caiov1.Fault{Message: clean(fmt.Sprintf(format, args...))}
	if loc != nil {
		f.File, f.Line, f.Column = clean(loc.File), int32(loc.Row), int32(max(loc.Col, 1))
	}
	return f
}

// faultsOf turns what OPA complains about in file into faults, with a hint where a newcomer would need one.
func faultsOf(file string, err error) Faults {
	var list ast.Errors
	if !errors.As(err, &list) {
		var single *ast.Error
		if !errors.As(err, &single) {
			return Faults{{File: clean(file), Message: clean(err.Error())}}
		}
		list = ast.Errors{single}
	}
	var faults Faults
	for _, e := range list {
		fault := faultAt(e.Location, "%s%s", e.Message, hint(e.Message))
		if fault.File == "" {
			fault.File = clean(file)
		}
		fault.Message += details(e)
		faults = append(faults, fault)
	}
	return faults
}

// details keeps of OPA's details the lines that explain a type error; for a parse error they repeat the source.
func details(e *ast.Error) string {
	if e.Details == nil || e.Code == ast.ParseErr {
		return ""
	}
	var parts []string
	for _, line := range e.Details.Lines() {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return clean(" (" + strings.Join(parts, "; ") + ")")
}

func hint(message string) string {
	if name, ok := strings.CutPrefix(message, "undefined function "); ok {
		if nondeterministic(name) {
			return "; policies have no network, clock, random numbers or environment, so that a decision can be repeated: " +
				"the time is input.request.context.time, other facts belong in data.json or input.request.context.attributes"
		}
		return "; is its package imported, and does it lie in this directory?"
	}
	if strings.Contains(message, "`if` keyword is required") || strings.Contains(message, "`contains` keyword is required") {
		return "; write `deny contains reason if { ... }`"
	}
	return ""
}

// clean makes any string fit for a message: the wire takes only UTF-8.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
