// Package wire writes protobuf messages directly, without building them first: what a decision says is known field by
// field, and a message of thousands of objects would only be made to be read once by a serializer.
//
// A Writer writes backwards, from the last byte to the first: fields in descending order of their numbers, elements of
// a list from the last to the first, entries of a map in descending order of their keys. That way the length of whatever
// is nested is known when its header is written, which comes last:
//
//	mark := w.Len()
//	w.String(2, "inner")     // the nested message, its last field first
//	w.Double(1, 4.2)
//	w.Message(5, mark)       // closes it: what was written since mark is field 5
//	raw := w.Bytes()
//
// Written so, the bytes are those of proto.MarshalOptions{Deterministic: true}. Field numbers must be 1 to 15, which is
// all that the house's hot messages have; text must be UTF-8, as everywhere in protobuf. A Writer belongs to one
// goroutine; the zero Writer is empty and ready. Only Proto and Fields can fail.
package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"google.golang.org/protobuf/proto"
)

// Wire types, the low three bits of a tag.
const (
	varint  = 0
	fixed64 = 1
	bytes   = 2
)

// A Writer holds one message, or the end of one. See the package's comment.
type Writer struct {
	buf []byte // only buf[at:] is written
	at  int
}

// Reset empties w and keeps its memory.
func (w *Writer) Reset() { w.at = len(w.buf) }

// Len returns how many bytes there are: the mark of what is written next.
func (w *Writer) Len() int { return len(w.buf) - w.at }

// Bytes returns what was written. It is w's own and changes with the next write or Reset.
func (w *Writer) Bytes() []byte { return w.buf[w.at:] }

// Between returns what was written between the marks from and to, as Bytes does.
func (w *Writer) Between(from, to int) []byte { return w.buf[len(w.buf)-to : len(w.buf)-from] }

// space makes room for n bytes and returns it, to be filled.
func (w *Writer) space(n int) []byte {
	if w.at < n {
		w.grow(n)
	}
	w.at -= n
	return w.buf[w.at : w.at+n]
}

func (w *Writer) grow(n int) {
	have := w.Bytes()
	next := make([]byte, max(512, 2*len(w.buf), len(have)+n))
	w.at = len(next) - copy(next[len(next)-len(have):], have)
	w.buf = next
}

func (w *Writer) byte(b byte) { w.space(1)[0] = b }

func (w *Writer) tag(field int, kind byte) { w.byte(byte(field)<<3 | kind) }

// uvarint writes n in base 128.
func (w *Writer) uvarint(n uint64) {
	if n < 0x80 {
		w.byte(byte(n))
		return
	}
	binary.PutUvarint(w.space((bits.Len64(n)+6)/7), n)
}

// Raw writes b as it stands: whole fields that were serialized before.
func (w *Writer) Raw(b []byte) { copy(w.space(len(b)), b) }

// Message closes a nested message: what was written since mark becomes field.
func (w *Writer) Message(field, mark int) {
	n := w.Len() - mark
	if n < 0x80 { // as most are
		b := w.space(2)
		b[0], b[1] = byte(field)<<3|bytes, byte(n)
		return
	}
	w.uvarint(uint64(n))
	w.tag(field, bytes)
}

// text writes the concatenation of parts without a header.
func (w *Writer) text(parts []string) {
	for i := len(parts) - 1; i >= 0; i-- {
		copy(w.space(len(parts[i])), parts[i])
	}
}

// String writes the concatenation of parts, or nothing where that is empty.
func (w *Writer) String(field int, parts ...string) {
	mark := w.Len()
	if w.text(parts); w.Len() > mark {
		w.Message(field, mark)
	}
}

// PresentString writes s even if it is empty: an element of a list, an optional field, a key.
func (w *Writer) PresentString(field int, s string) {
	mark := w.Len()
	copy(w.space(len(s)), s)
	w.Message(field, mark)
}

// Double writes f, or nothing for 0.
func (w *Writer) Double(field int, f float64) {
	if math.Float64bits(f) != 0 { // -0 is written
		w.PresentDouble(field, f)
	}
}

// PresentDouble writes f even if it is 0.
func (w *Writer) PresentDouble(field int, f float64) {
	b := w.space(9)
	b[0] = byte(field)<<3 | fixed64
	binary.LittleEndian.PutUint64(b[1:], math.Float64bits(f))
}

// DoubleEntry writes an entry of a map<string, double>.
func (w *Writer) DoubleEntry(field int, key string, f float64) {
	mark := w.Len()
	w.PresentDouble(2, f)
	w.PresentString(1, key)
	w.Message(field, mark)
}

// Uint writes n, or nothing for 0.
func (w *Writer) Uint(field int, n uint64) {
	if n != 0 {
		w.uvarint(n)
		w.tag(field, varint)
	}
}

// Int writes n, or nothing for 0: an int32 or int64 field.
func (w *Writer) Int(field int, n int64) { w.Uint(field, uint64(n)) }

// PresentInt writes n even if it is 0: an optional field.
func (w *Writer) PresentInt(field int, n int64) {
	w.uvarint(uint64(n))
	w.tag(field, varint)
}

// Bool writes b, or nothing for false.
func (w *Writer) Bool(field int, b bool) {
	if b {
		w.Uint(field, 1)
	}
}

// Proto writes m, which is not nil, as protobuf's own serializer does. It fails, and leaves w as it was, on text in m
// that is not UTF-8.
func (w *Writer) Proto(field int, m proto.Message) error {
	mark := w.Len()
	if err := w.Fields(m); err != nil {
		return err
	}
	w.Message(field, mark)
	return nil
}

// Fields writes the fields of m, which is not nil, without a header around them. It fails as Proto does.
func (w *Writer) Fields(m proto.Message) error {
	n := proto.Size(m)
	to := w.space(n)
	written, err := proto.MarshalOptions{Deterministic: true, UseCachedSize: true}.MarshalAppend(to[:0:n], m)
	if err != nil || len(written) != n {
		w.at += n
		return fmt.Errorf("write %s, %d of %d bytes: %w", m.ProtoReflect().Descriptor().Name(), len(written), n, err)
	}
	return nil
}
