package contract

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Faults is everything that is wrong with one file, in the order of the file, one fault for each thing. As an error it
// reads one line a fault, `file:line:column: path: message`, the form that compilers use and editors jump to.
type Faults []*caiov1.Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = Line(fault)
	}
	return strings.Join(lines, "\n")
}

// Line writes one fault as `file:line:column: path: message`; what is not known is left out.
func Line(f *caiov1.Fault) string {
	var b strings.Builder
	b.WriteString(f.GetFile())
	if f.GetLine() > 0 {
		fmt.Fprintf(&b, ":%d", f.GetLine())
		if f.GetColumn() > 0 {
			fmt.Fprintf(&b, ":%d", f.GetColumn())
		}
	}
	b.WriteString(": ")
	if f.GetPath() != "" {
		b.WriteString(f.GetPath() + ": ")
	}
	b.WriteString(f.GetMessage())
	return b.String()
}

// maxFaults bounds what is said of one file: a machine wrote it, or nobody reads it.
const maxFaults = 500

// report collects faults of one file.
type report struct {
	file   string
	faults Faults
	seen   map[string]bool
	more   int // faults beyond maxFaults
}

func (r *report) add(pos position, path, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	key := fmt.Sprintf("%d:%d:%s:%s", pos.line, pos.column, path, message)
	if r.seen[key] {
		return
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[key] = true
	if len(r.faults) == maxFaults {
		r.more++
		return
	}
	r.faults = append(r.faults, &caiov1.Fault{
		File: r.file, Line: int32(pos.line), Column: int32(pos.column), Path: path, Message: message,
	})
}

// err returns the faults in the order of the file, nil if there are none.
func (r *report) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(r.faults, func(a, b *caiov1.Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	if r.more > 0 {
		last := r.faults[len(r.faults)-1]
		return append(r.faults, &caiov1.Fault{
			File: r.file, Line: last.Line, Column: last.Column, Message: fmt.Sprintf("%d more faults are not listed", r.more),
		})
	}
	return r.faults
}

// Nearest returns the allowed name that somebody who wrote name most likely meant, or "" if none comes near: at most
// two edits away, or one in three characters of a long name, or the only one of which name is a whole word ("id" of
// "service_id"). Among equally near names the first of allowed wins.
func Nearest(name string, allowed []string) string {
	best, limit := "", max(2, len(name)/3)
	if len(name) <= 3 {
		limit = 1
	}
	for _, candidate := range allowed {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate)); d <= limit && candidate != "" {
			best, limit = candidate, d-1
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range allowed {
		if slices.Contains(strings.Split(candidate, "_"), name) {
			if best != "" {
				return ""
			}
			best = candidate
		}
	}
	return best
}

// hint is the end of a message: the nearest name in q's quotes, if there is one.
func hint(name string, allowed []string) string {
	if near := Nearest(name, allowed); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// join extends a path by a member.
func join(path, name string) string {
	if !plainName.MatchString(name) {
		return fmt.Sprintf("%s[%s]", path, quoteShort(name))
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// nth extends a path by an item.
func nth(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
