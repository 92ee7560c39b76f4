package policy

import (
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// language returns OPA's capabilities without every builtin whose answer depends on more than its arguments, and with no
// host that may be reached: what is left gives the same answer everywhere and for ever, and using anything else is an
// error when the policy is loaded. The schema builtins fall too: they follow `$ref` to files and hosts.
var language = sync.OnceValue(func() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(ast.RegoV1))
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return nondeterministic(b.Name) })
	c.AllowNet = []string{}
	return c
})

// nondeterministic tells of a builtin whether OPA marks it so, or it reads the clock or the environment by some argument.
func nondeterministic(name string) bool {
	switch name {
	case "http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "time.now_ns", "uuid.rfc4122",
		"io.jwt.decode_verify", "io.jwt.encode_sign", "io.jwt.encode_sign_raw", "json.match_schema", "json.verify_schema":
		return true
	}
	return slices.ContainsFunc(ast.Builtins, func(b *ast.Builtin) bool { return b.Name == name && b.IsNondeterministic() })
}

// parse reads one module. The keyword `not` is asked for in every module: without it a composite negation such as
// `not input.service.privacy.region in {"eu"}` is taken apart before it is negated, is undefined when the field is
// missing, and lets through whom it was written to stop.
func parse(file string, source []byte) (*ast.Module, error) {
	return ast.ParseModuleWithOpts(file, string(source), ast.ParserOptions{
		Capabilities:      language(),
		ProcessAnnotation: true,
		FutureKeywords:    []string{"not"},
		RegoVersion:       ast.RegoV1,
	})
}

// newCompiler returns a compiler of the language, strict: unused variables and imports are errors, since both are
// mostly a condition that was meant to be there.
func newCompiler() *ast.Compiler {
	return ast.NewCompiler().
		WithCapabilities(language()).
		WithDefaultRegoVersion(ast.RegoV1).
		WithStrict(true).
		SetErrorLimit(0)
}
