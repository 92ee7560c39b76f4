package policy

import (
	"slices"

	"github.com/agnivade/levenshtein"
	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/reflect/protoreflect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// documents returns what input holds, by name.
func documents() map[string]protoreflect.MessageDescriptor {
	return map[string]protoreflect.MessageDescriptor{
		"request":  (*caiov1.Request)(nil).ProtoReflect().Descriptor(),
		"service":  (*caiov1.Contract)(nil).ProtoReflect().Descriptor(),
		"result":   (*caiov1.Result)(nil).ProtoReflect().Descriptor(),
		"observed": (*caiov1.Observed)(nil).ProtoReflect().Descriptor(),
	}
}

// A field is what the vocabulary knows of the place that a reference such as input.service.privacy.region names.
type field struct {
	unknown   string   // the part that does not exist there; empty: every part exists
	allowed   []string // instead of unknown; nil: nothing may follow
	mayMissed bool     // the value need not be there
	text      bool     // the value is text wherever it is there
	object    bool     // the value is an object wherever it is there
}

// look follows ref, which begins with input, through the vocabulary as far as its parts are known.
func look(ref ast.Ref) field {
	if len(ref) < 2 {
		return field{}
	}
	name, ok := ref[1].Value.(ast.String)
	if !ok {
		return field{mayMissed: true}
	}
	if name == "tenant" { // of packages that say what is kept, which see nothing else
		if len(ref) > 2 {
			return field{unknown: ref[2].String(), mayMissed: true}
		}
		return field{text: true, mayMissed: true}
	}
	all := documents()
	md := all[string(name)]
	if md == nil {
		return field{unknown: string(name), allowed: []string{"request", "service", "result", "observed"}, mayMissed: true}
	}
	return descend(md, ref[2:], name == "service", field{mayMissed: name == "result" || name == "observed"})
}

// descend follows parts from a message. In a contract every object is there; in a request those that are completed.
func descend(md protoreflect.MessageDescriptor, parts ast.Ref, contract bool, f field) field {
	if len(parts) == 0 || free(md) {
		f.object = len(parts) == 0 && (!free(md) || md.Name() == "Struct")
		f.mayMissed = f.mayMissed || len(parts) > 0
		return f
	}
	name, ok := parts[0].Value.(ast.String)
	if !ok {
		f.mayMissed = true
		return f
	}
	fd := md.Fields().ByName(protoreflect.Name(name))
	if fd == nil || hidden(fd) {
		f.unknown, f.mayMissed = string(name), true
		for i := range md.Fields().Len() {
			if seen := md.Fields().Get(i); !hidden(seen) {
				f.allowed = append(f.allowed, string(seen.Name()))
			}
		}
		return f
	}
	parts = parts[1:]
	switch {
	case fd.IsMap() || fd.IsList():
		if len(parts) == 0 {
			return f
		}
		f.mayMissed = true // this key, this element
		if fd.IsMap() {
			fd = fd.MapValue()
		}
		if fd.Message() != nil {
			return descend(fd.Message(), parts[1:], contract, f)
		}
		parts = parts[1:]
	case fd.Message() != nil && fd.Message().FullName() == "google.protobuf.Timestamp":
		f.mayMissed = true
	case fd.Message() != nil:
		f.mayMissed = f.mayMissed || !present(fd, contract)
		return descend(fd.Message(), parts, contract, f)
	default:
		f.mayMissed = f.mayMissed || fd.HasPresence()
	}
	if len(parts) == 0 {
		f.text = fd.Kind() == protoreflect.StringKind
		return f
	}
	if name, ok := parts[0].Value.(ast.String); ok {
		f.unknown = string(name)
	}
	f.mayMissed = true
	return f
}

// hidden tells what policies do not see: vectors of thousands of numbers, each of which would take a hundred bytes here,
// and what is recorded of a request in place of its intent's body. What else a request says beside its vectors is there; of
// a contract's field nothing is.
func hidden(fd protoreflect.FieldDescriptor) bool {
	if fd.Kind() != protoreflect.MessageKind {
		return false
	}
	name := fd.Message().FullName()
	return name == "caio.v1.Field" || name == "caio.v1.ServiceField" || name == "caio.v1.Payload"
}

// free tells whether a message holds any JSON.
func free(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
		return true
	}
	return false
}

// present tells whether the object in fd is always there: the contract schema fills in a contract's, the engine completes
// four of a request's.
func present(fd protoreflect.FieldDescriptor, contract bool) bool {
	switch fd.FullName() {
	case "caio.v1.Contract.constraints", "caio.v1.Contract.cost", "caio.v1.Contract.privacy", "caio.v1.Contract.alignment",
		"caio.v1.Contract.api", "caio.v1.Contract.adapter", "caio.v1.Contract.metadata",
		"caio.v1.Constraints.rate_limit", "caio.v1.Cost.per_token", "caio.v1.AdapterBinding.auth", "caio.v1.AdapterBinding.settings":
		return contract
	case "caio.v1.Request.data", "caio.v1.Request.constraints", "caio.v1.Request.principal", "caio.v1.Request.context":
		return true
	}
	return false
}

// alwaysThere tells whether what ref names, which begins with input, is there in every evaluation.
func alwaysThere(ref ast.Ref) bool {
	f := look(ref)
	return len(ref) > 1 && f.unknown == "" && !f.mayMissed
}

// nearest returns the name among allowed that name was probably meant to be. Empty: none is near.
func nearest(name string, allowed []string) string {
	best, distance := "", 1+len(name)/2
	for _, a := range slices.Sorted(slices.Values(allowed)) {
		if d := levenshtein.ComputeDistance(name, a); d < distance {
			best, distance = a, d
		}
	}
	return best
}
