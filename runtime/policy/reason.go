package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"

	"github.com/smarthausgroup/caio/schema"
)

// The reactions to a violation.
const (
	reactionFail     = "fail"
	reactionFallback = "fallback"
	reactionAccept   = "accept"
)

// A written reason is a finding in the form of messages.
type written struct {
	message  *caiov1.Reason
	reaction string
}

// reasonOf reads what an author's rule gave over input.
func (f finding) reasonOf(input *ast.Term) written {
	return f.reasonWith(func() *structpb.Struct { return shown(f.from.facts, input) })
}

// reasonWith reads what an author's rule gave. Whatever it is, there is a reason in the end; facts makes those of a reason
// that brings none.
func (f finding) reasonWith(facts func() *structpb.Struct) written {
	rule := f.from.rule
	w := written{reaction: reactionFail, message: &caiov1.Reason{
		Rule: rule.Package + "." + rule.Name, Package: rule.Package, Title: rule.Title, File: rule.File, Line: int32(rule.Line),
	}}
	switch v := f.reason.(type) {
	case ast.String:
		w.message.Message = cut(string(v), maxMessage)
	case ast.Object:
		w.read(v, rule.Name)
	default:
		w.message.Message = notAReason(rule.Name, fmt.Sprintf("%s (%s)", article(f.reason), cut(f.reason.String(), maxFactText)))
	}
	if w.message.Message == "" {
		w.message.Message = notAReason(rule.Name, "no message")
	}
	if w.message.Facts == nil {
		w.message.Facts = facts()
	}
	return w
}

func notAReason(name, got string) string {
	return fmt.Sprintf("%s must give a string or {\"rule\", \"message\", \"facts\"} and gave %s; what is not understood refuses", name, got)
}

func (w *written) read(o ast.Object, name string) {
	if v := o.Get(ast.InternedTerm("rule")); v != nil {
		if id, ok := v.Value.(ast.String); ok && id != "" {
			w.message.Rule = cut(string(id), maxFactText)
		}
	}
	if v := o.Get(ast.InternedTerm("message")); v != nil {
		if s, ok := v.Value.(ast.String); ok {
			w.message.Message = cut(string(s), maxMessage)
		} else {
			w.message.Message = notAReason(name, "a message that is "+article(v.Value))
		}
	}
	if v := o.Get(ast.InternedTerm("facts")); v != nil {
		left := maxFactBytes
		facts := structOf(v.Value, &left)
		if facts.GetStructValue() == nil { // not names and values: keep it under a name of ours
			facts = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"facts": facts}})
		}
		w.message.Facts = facts.GetStructValue()
	}
	if v := o.Get(ast.InternedTerm("reaction")); v != nil && name == "violation" {
		w.reaction = reactionOf(v.Value, w.message)
	}
}

// reactionOf reads a reaction. One that is not known fails, and the message says so.
func reactionOf(v ast.Value, r *caiov1.Reason) string {
	s, _ := v.(ast.String)
	switch s {
	case reactionFail, reactionAccept, reactionFallback:
		return string(s)
	case "fall_back":
		return reactionFallback
	}
	r.Message = cut(fmt.Sprintf("%s (its reaction %s is none of fail, fallback, accept, so it fails)", r.Message, cut(v.String(), maxFactText)), maxMessage)
	return reactionFail
}

// broken is the refusal that follows from an error in a policy. It names the rule in which the error lies.
func (s *Set) broken(b breakage, input *ast.Term) *caiov1.Reason {
	r := &caiov1.Reason{Rule: b.pkg.pkg + "." + wordOf(b.pkg.kind), Package: b.pkg.pkg, Message: "this policy cannot be evaluated, which refuses: " + cut(b.message, maxMessage)}
	if b.loc == nil {
		return r
	}
	r.File, r.Line = clean(b.loc.File), int32(b.loc.Row)
	if m := s.compiler.Modules[b.loc.File]; m != nil {
		if i := enclosing(m, b.loc.Row); i >= 0 {
			rule := m.Rules[i]
			r.Package = packageName(m.Package)
			r.Rule = r.Package + "." + trimMark(headName(rule))
			r.Facts = shown(factsOf(rule, s.compiler), input)
			for _, o := range s.where {
				if o.inner == rule {
					r.Title, r.Facts = o.rule.Title, shown(o.facts, input)
				}
			}
		}
	}
	return r
}

func wordOf(kind string) string {
	if kind == KindGuarantee {
		return "violation"
	}
	return "deny"
}

// compareReasons orders reasons by everything they say, so that no order of evaluation shows.
func compareReasons(a, b *caiov1.Reason) int {
	if a == b {
		return 0
	}
	c := cmp.Or(
		strings.Compare(a.GetPackage(), b.GetPackage()), strings.Compare(a.GetFile(), b.GetFile()), cmp.Compare(a.GetLine(), b.GetLine()),
		strings.Compare(a.GetRule(), b.GetRule()), strings.Compare(a.GetMessage(), b.GetMessage()),
	)
	if c != 0 {
		return c
	}
	return strings.Compare(factsText(a), factsText(b)) // dear, and hardly ever needed
}

func factsText(r *caiov1.Reason) string {
	if r.GetFacts() == nil {
		return ""
	}
	raw, err := schema.JSON(r.GetFacts())
	if err != nil {
		return "" // facts hold what the wire takes: it does not fail
	}
	return string(raw)
}

// ordered sorts reasons and drops those that say the same twice.
func ordered(reasons []*caiov1.Reason) []*caiov1.Reason {
	if len(reasons) < 2 {
		return reasons
	}
	slices.SortFunc(reasons, compareReasons)
	return slices.CompactFunc(reasons, func(a, b *caiov1.Reason) bool { return compareReasons(a, b) == 0 })
}

func orderedViolations(all []*caiov1.Violation) []*caiov1.Violation {
	compare := func(a, b *caiov1.Violation) int {
		return cmp.Or(compareReasons(a.GetReason(), b.GetReason()), cmp.Compare(a.GetReaction(), b.GetReaction()))
	}
	slices.SortFunc(all, compare)
	return slices.CompactFunc(all, func(a, b *caiov1.Violation) bool { return compare(a, b) == 0 })
}
