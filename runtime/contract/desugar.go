package contract

// synonyms are properties that authors may write for another one.
var synonyms = map[string]string{"latency_ms": "max_latency_ms"}

// desugar rewrites the accepted forms into the normal form's shape, in place; what it does not know stays as it is for
// the checker to complain of. Values keep the place and path at which they were written.
//
// A text that is empty where the normal form has another default counts as not written, so that a message whose fields
// were never set says the same as a file that is silent.
func (s *Schema) desugar(root *node, r *report) {
	unnest(root, r)
	if f := root.get("capabilities"); f != nil {
		for i, item := range f.value.items {
			if item.kind == kindText {
				f.value.items[i] = object(item, item.as("type"))
			}
		}
	}
	if f := root.get("guarantees"); f != nil && f.value.kind == kindObject {
		s.desugarGuarantees(f.value, r)
	}
	if f := root.get("cost"); f != nil {
		dropEmpty(f.value, "currency")
		desugarTokenCost(f.value, r)
	}
	if f := root.get("privacy"); f != nil {
		dropEmpty(f.value, "data_locality")
	}
	if f := root.get("adapter"); f != nil {
		if auth := f.value.get("auth"); auth != nil {
			if auth.value.kind == kindText {
				auth.value = object(auth.value, auth.value.as("scheme"))
			}
			dropEmpty(auth.value, "scheme")
		}
	}
	if f := root.get("api"); f != nil {
		desugarProtocol(f.value)
		if endpoints := f.value.get("endpoints"); endpoints != nil {
			for _, endpoint := range endpoints.value.items {
				dropEmpty(endpoint, "method")
			}
		}
	}
}

// desugarProtocol takes an address without a protocol for one of HTTP, which nearly all are.
func desugarProtocol(api *node) {
	dropEmpty(api, "protocol")
	address := api.get("base_url")
	if address != nil && address.value.text != "" && api.get("protocol") == nil {
		api.add(text(address.value, "http").as("protocol"))
	}
}

// unnest moves what stands under `service:` one level up. Fields may stand on both levels, but none on both.
func unnest(root *node, r *report) {
	service := root.get("service")
	if service == nil {
		return
	}
	root.take("service")
	if service.value.kind != kindObject {
		r.add(service.value.pos, service.value.path, "%s is not allowed: must be an object that holds the contract", service.value.found())
		return
	}
	for _, f := range service.value.fields {
		if f.name == "id" {
			f.name = "service_id"
		}
		if first := root.get(f.name); first != nil {
			again, line := f, first.pos.line
			if f.pos.before(first.pos) {
				again, line = first, f.pos.line
			}
			r.add(again.pos, again.value.path, "field %s is given twice: first on line %d", quoteShort(f.name), line)
			continue
		}
		root.add(f)
	}
}

func dropEmpty(n *node, name string) {
	if f := n.get(name); f != nil && f.value.kind == kindText && f.value.text == "" {
		n.take(name)
	}
}

// desugarTokenCost reads one price as the price of tokens in both directions, and the names that usage goes by.
func desugarTokenCost(cost *node, r *report) {
	f := cost.get("per_token")
	if f == nil {
		return
	}
	if f.value.kind == kindNumber {
		f.value = object(f.value, f.value.as("in"), f.value.as("out"))
		return
	}
	for _, name := range [][2]string{{"input", "in"}, {"output", "out"}} {
		price := f.value.get(name[0])
		if price == nil {
			continue
		}
		if twin := f.value.get(name[1]); twin != nil {
			f.value.take(name[0])
			r.add(price.pos, price.value.path, "another name of %s, which is given on line %d: must be left out", name[1], twin.pos.line)
			continue
		}
		price.name = name[1]
	}
}

// desugarGuarantees rewrites every promise to {property, bound, ...} under its type.
func (s *Schema) desugarGuarantees(n *node, r *report) {
	first := map[string]*field{}
	var keep []*field
	for _, f := range n.fields {
		t, property := s.guaranteeType(f.name)
		if t == nil {
			if f.value.kind == kindObject {
				hoistBound(f.value, nil)
			}
			keep = append(keep, f)
			continue
		}
		path := f.value.path
		f = &field{name: t.name, pos: f.pos, value: t.promise(f.value, property, r)}
		if before := first[t.name]; before != nil {
			r.add(f.pos, path, "%s is promised twice: first on line %d; a contract states one property of each type", t.name, before.pos.line)
			continue
		}
		first[t.name] = f
		keep = append(keep, f)
	}
	n.fields = keep
}

// guaranteeType returns the known type that a name under `guarantees` stands for and, where the name is that of a
// property, the property. nil: the name is not known.
func (s *Schema) guaranteeType(name string) (t *guaranteeType, property string) {
	for i := range s.guarantees {
		if s.guarantees[i].name == name {
			return &s.guarantees[i], ""
		}
	}
	if known, ok := synonyms[name]; ok {
		name = known
	}
	for i := range s.guarantees {
		for _, p := range s.guarantees[i].properties {
			if p == name {
				return &s.guarantees[i], p
			}
		}
	}
	return nil, ""
}

// promise rewrites the value of a known type.
func (t *guaranteeType) promise(v *node, property string, r *report) *node {
	switch {
	case v.kind == kindObject:
		hoistBound(v, t)
	case v.kind == kindBool && v.truth && t.defaulted:
		// "true" to a type whose bound has a default: the default. For determinism that is the promise itself.
		v = object(v)
	default:
		// Anything else is meant for the bound's number, rightly or not; then it is judged as such.
		v = object(v, object(v, v.as(t.number)).as("bound"))
	}
	if f := v.get("property"); f != nil {
		if known, ok := synonyms[f.value.text]; ok && f.value.kind == kindText {
			f.value.text = known
		}
		if property != "" && f.value.text != property {
			r.add(f.value.pos, f.value.path, "%s is not allowed: must be left out or %q, as the guarantee is named after its property", f.value.found(), property)
		}
		if f.value.kind == kindText && f.value.text == "" {
			v.take("property")
		}
	}
	if property != "" && v.get("property") == nil {
		v.add(text(v, property).as("property"))
	}
	return v
}

// boundFields may stand in the promise itself where it has no bound.
var boundFields = []string{"type", "min", "max", "deviation", "target", "ratio", "multiple", "boolean", "value", "unit", "formula"}

// hoistBound gives a promise its bound: a bare number, fields that stand in the promise itself, `value` for the number
// that belongs to the type, and the type that the number tells. t is nil for types of the author's own.
func hoistBound(promise *node, t *guaranteeType) {
	f := promise.get("bound")
	if f == nil {
		bound := object(promise)
		for _, name := range boundFields {
			if inner := promise.take(name); inner != nil {
				bound.add(inner)
			}
		}
		if len(bound.fields) > 0 {
			bound.path = join(promise.path, "bound")
			promise.add(bound.as("bound"))
		}
		f = promise.get("bound")
	}
	if f == nil {
		return
	}
	if f.value.kind != kindObject {
		if t == nil {
			return
		}
		f.value = object(f.value, f.value.as(t.number))
		return
	}
	bound := f.value
	dropEmpty(bound, "type")
	if bound.get("type") == nil && t == nil {
		inferType(bound)
	}
	if value := bound.get("value"); value != nil {
		number := ""
		switch boundType := bound.get("type"); {
		case boundType != nil && boundType.value.kind == kindText:
			number = numberOf(boundType.value.text)
		case t != nil:
			number = t.number
		}
		if number != "" && bound.get(number) == nil {
			value.name = number
		}
	}
}

// inferType adds the type that the only number of a bound belongs to.
func inferType(bound *node) {
	var only *field
	found := ""
	for _, boundType := range []string{"min", "max", "equality", "relative_max", "min_multiple", "boolean"} {
		if f := bound.get(numberOf(boundType)); f != nil {
			if only != nil {
				return
			}
			only, found = f, boundType
		}
	}
	if only != nil {
		bound.add(text(only.value, found).as("type"))
	}
}
