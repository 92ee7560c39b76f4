package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// A showing is a reading of a rule, prepared to be shown without making all of input.
type showing struct {
	name string
	spot *spot       // of the request; nil: it is of the service
	keys []*ast.Term // of the service
	none bool        // it is of neither, and there is nothing
}

// showingsOf prepares what shown would show.
func showingsOf(readings []reading) []showing {
	out := make([]showing, 0, len(readings))
	for _, r := range readings[:min(len(readings), maxFacts)] {
		s := showing{name: r.name()}
		switch r.path[0] {
		case "request":
			at := newSpot(r.path[1:])
			s.spot = &at
		case "service":
			for _, name := range r.path[1:] {
				s.keys = append(s.keys, ast.StringTerm(name))
			}
		default:
			s.none = true
		}
		out = append(out, s)
	}
	return out
}

// show is shown for a request that was found valid and a service.
func show(all []showing, request protoreflect.Message, service *ast.Term) *structpb.Struct {
	if len(all) == 0 {
		return nil
	}
	left := maxFactBytes
	out := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(all))}
	for i := range all {
		s := &all[i]
		var t *ast.Term
		switch {
		case s.none:
		case s.spot != nil:
			t = s.spot.term(request, nil)
		default:
			t = below(service, s.keys)
		}
		v := ast.NullValue
		if t != nil {
			v = t.Value
		}
		out.Fields[s.name] = structOf(v, &left)
	}
	return out
}

func below(t *ast.Term, keys []*ast.Term) *ast.Term {
	for _, key := range keys {
		object, ok := t.Value.(ast.Object)
		if !ok {
			return nil
		}
		if t = object.Get(key); t == nil {
			return nil
		}
	}
	return t
}
