package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// Format returns source, one Rego module, in OPA's form. A module that uses what only `import rego.v2` allows elsewhere,
// such as `not { ... }`, gains the import it needs for other tools to read it. Formatting what is formatted changes
// nothing. The error is Faults when source cannot be parsed.
func Format(file string, source []byte) ([]byte, error) {
	plain := ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: language()}
	out, err := format.SourceWithOpts(file, source, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &plain, Capabilities: language()})
	if err == nil {
		return out, nil
	}
	with := plain
	with.FutureKeywords = []string{"not"}
	out, again := format.SourceWithOpts(file, source, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &with, Capabilities: language()})
	if again != nil {
		return nil, faultsOf(file, err).sorted()
	}
	return out, nil
}
