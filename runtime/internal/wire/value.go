package wire

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"
)

// What follows writes google.protobuf.Struct, the form of evidence and facts. A Struct is a map from text to Value
// (field 1); a Value is null (1), a number (2), text (3), a boolean (4), a Struct (5) or a ListValue (6), whose values are
// its field 1. Keys go in descending order.

// Fields of a Value.
const (
	nullField   = 1
	numberField = 2
	stringField = 3
	boolField   = 4
	structField = 5
	listField   = 6
)

// Entry closes an entry of a Struct: what was written since mark is the Value at key.
func (w *Writer) Entry(key string, mark int) {
	start := mark
	w.Message(2, mark)
	w.PresentString(1, key)
	w.Message(1, start)
}

// Element closes an element of a list: what was written since mark is its Value.
func (w *Writer) Element(mark int) { w.Message(1, mark) }

// List closes a list: the elements written since mark become a Value.
func (w *Writer) List(mark int) { w.Message(listField, mark) }

// Object closes an object: the entries written since mark become a Value.
func (w *Writer) Object(mark int) { w.Message(structField, mark) }

// StringEntry writes the text that parts make together as an entry of a Struct.
func (w *Writer) StringEntry(key string, parts ...string) {
	mark := w.Len()
	w.text(parts)
	w.Message(stringField, mark)
	w.Entry(key, mark)
}

// NumberEntry writes n as an entry of a Struct.
func (w *Writer) NumberEntry(key string, n float64) {
	mark := w.Len()
	w.PresentDouble(numberField, n)
	w.Entry(key, mark)
}

// BoolEntry writes b as an entry of a Struct.
func (w *Writer) BoolEntry(key string, b bool) {
	mark := w.Len()
	w.boolValue(b)
	w.Entry(key, mark)
}

// NullEntry writes null as an entry of a Struct.
func (w *Writer) NullEntry(key string) {
	mark := w.Len()
	w.nullValue(structpb.NullValue_NULL_VALUE)
	w.Entry(key, mark)
}

// StringsEntry writes a list of texts as an entry of a Struct.
func (w *Writer) StringsEntry(key string, texts []string) {
	mark := w.Len()
	for i := len(texts) - 1; i >= 0; i-- {
		w.StringElement(texts[i])
	}
	w.List(mark)
	w.Entry(key, mark)
}

// StringElement writes s as an element of a list.
func (w *Writer) StringElement(s string) {
	mark := w.Len()
	w.PresentString(stringField, s)
	w.Element(mark)
}

// NumberElement writes n as an element of a list.
func (w *Writer) NumberElement(n float64) {
	b := w.space(11)
	b[0], b[1], b[2] = 1<<3|bytes, 9, numberField<<3|fixed64
	binary.LittleEndian.PutUint64(b[3:], math.Float64bits(n))
}

// A Value of a oneof is written even where it is zero.

func (w *Writer) boolValue(b bool) {
	var n byte
	if b {
		n = 1
	}
	w.byte(n)
	w.tag(boolField, varint)
}

func (w *Writer) nullValue(n structpb.NullValue) {
	w.uvarint(uint64(n))
	w.tag(nullField, varint)
}

// Struct writes the entries of s, keys sorted. nil has none.
func (w *Writer) Struct(s *structpb.Struct) {
	var few [16]string
	keys := few[:0]
	for key := range s.GetFields() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i := len(keys) - 1; i >= 0; i-- {
		mark := w.Len()
		w.value(s.Fields[keys[i]])
		w.Entry(keys[i], mark)
	}
}

func (w *Writer) value(v *structpb.Value) {
	mark := w.Len()
	switch kind := v.GetKind().(type) {
	case *structpb.Value_NullValue:
		w.nullValue(kind.NullValue)
	case *structpb.Value_NumberValue:
		w.PresentDouble(numberField, kind.NumberValue)
	case *structpb.Value_StringValue:
		w.PresentString(stringField, kind.StringValue)
	case *structpb.Value_BoolValue:
		w.boolValue(kind.BoolValue)
	case *structpb.Value_StructValue:
		w.Struct(kind.StructValue)
		w.Object(mark)
	case *structpb.Value_ListValue:
		values := kind.ListValue.GetValues()
		for i := len(values) - 1; i >= 0; i-- {
			start := w.Len()
			w.value(values[i])
			w.Element(start)
		}
		w.List(mark)
	}
}
