package proof

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
)

// A check is one demand held against what is promised: {subject, relation, promised, demanded}.
type check struct {
	subject            subject
	relation           string
	promised, demanded operand
}

// A subject names what a check is about, in pieces that make one text together.
type subject [3]string

func (c *check) holds() (bool, error) {
	p, d := &c.promised, &c.demanded
	switch c.relation {
	case ">=", "<=":
		if d.kind != aNumber || p.kind != aNumber && p.kind != aNothing {
			return false, c.mistyped("a number")
		}
		return p.kind == aNumber && (c.relation == ">=" && p.number >= d.number || c.relation == "<=" && p.number <= d.number), nil
	case "=":
		if p.kind != aText || d.kind != aText {
			return false, c.mistyped("text")
		}
		return p.text == d.text, nil
	case "contains_all", "contains_any":
		if p.kind != aList || d.kind != aList {
			return false, c.mistyped("a list of texts")
		}
		missing := 0
		for _, demanded := range d.list {
			if !slices.Contains(p.list, demanded) {
				missing++
			}
		}
		return missing == 0 && c.relation == "contains_all" || missing < len(d.list) && c.relation == "contains_any", nil
	case "stated", "demanded_implies_promised", "promised_implies_demanded":
		if p.kind != aTruth || d.kind != aTruth {
			return false, c.mistyped("a boolean")
		}
		if c.relation == "promised_implies_demanded" {
			return !p.truth || d.truth, nil
		}
		return p.truth || !d.truth, nil
	}
	return false, fmt.Errorf("unknown relation %q", c.relation)
}

func (c *check) mistyped(want string) error {
	return fmt.Errorf("evidence %q or %q is not %s", "promised", "demanded", want)
}

// write writes c as an element of a list.
func (c *check) write(w *wire.Writer) {
	mark := w.Len()
	w.StringEntry("subject", c.subject[:]...)
	w.StringEntry("relation", c.relation)
	c.promised.write(w, "promised")
	c.demanded.write(w, "demanded")
	w.Object(mark)
	w.Element(mark)
}

func readCheck(from evidence) (c check, err error) {
	r := reader{from: from}
	r.string(&c.subject[0], "subject")
	r.string(&c.relation, "relation")
	r.operand(&c.promised, "promised")
	r.operand(&c.demanded, "demanded")
	return c, r.err
}

// An operand is one side of a check. The zero operand is null: nothing is stated.
type operand struct {
	kind   kind
	truth  bool
	number float64
	text   string
	list   []string
}

type kind byte

const (
	aNothing kind = iota
	aTruth
	aNumber
	aText
	aList
)

func ofBool(b bool) operand   { return operand{kind: aTruth, truth: b} }
func ofText(s string) operand { return operand{kind: aText, text: s} }

// ofNumber returns what n points to, nothing for nil.
func ofNumber(n *float64) operand {
	if n == nil {
		return operand{}
	}
	return operand{kind: aNumber, number: *n}
}

func ofWhole(n *int32) operand {
	if n == nil {
		return operand{}
	}
	return operand{kind: aNumber, number: float64(*n)}
}

func (o *operand) write(w *wire.Writer, key string) {
	switch o.kind {
	case aNothing:
		w.NullEntry(key)
	case aTruth:
		w.BoolEntry(key, o.truth)
	case aNumber:
		w.NumberEntry(key, o.number)
	case aText:
		w.StringEntry(key, o.text)
	case aList:
		w.StringsEntry(key, o.list)
	}
}

// operand reads a value of any of the kinds.
func (r *reader) operand(to *operand, key string) {
	if r.err != nil {
		return
	}
	switch v := r.from[key].GetKind().(type) {
	case *structpb.Value_NullValue:
		*to = operand{}
	case *structpb.Value_BoolValue:
		*to = ofBool(v.BoolValue)
	case *structpb.Value_StringValue:
		*to = ofText(v.StringValue)
	case *structpb.Value_NumberValue:
		to.kind = aNumber
		r.number(&to.number, key)
	case *structpb.Value_ListValue:
		to.kind = aList
		r.strings(&to.list, key)
	default:
		r.err = fmt.Errorf("evidence lacks %q", key)
	}
}
