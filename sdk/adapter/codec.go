package adapter

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Encoder writes fields of the ABI (ABI.md): tag, length, value. The zero value is ready. Adapters may keep their state
// in the same form. Fields with empty values are left out, because a reader takes an absent field as empty.
type Encoder struct{ buf []byte }

// Bytes returns what was written; it is valid until the next write.
func (e *Encoder) Bytes() []byte { return e.buf }

// Reset forgets what was written and keeps the memory.
func (e *Encoder) Reset() { e.buf = e.buf[:0] }

// Data writes a field of bytes.
func (e *Encoder) Data(tag uint16, value []byte) {
	if len(value) > 0 {
		e.head(tag, len(value))
		e.buf = append(e.buf, value...)
	}
}

// Text writes a field of text.
func (e *Encoder) Text(tag uint16, value string) {
	if value != "" {
		e.head(tag, len(value))
		e.buf = append(e.buf, value...)
	}
}

// Number writes a number of 32 bits.
func (e *Encoder) Number(tag uint16, value uint32) {
	if value != 0 {
		e.head(tag, 4)
		e.buf = binary.LittleEndian.AppendUint32(e.buf, value)
	}
}

// Flag writes a truth value.
func (e *Encoder) Flag(tag uint16, value bool) {
	if value {
		e.Number(tag, 1)
	}
}

// Open begins a field that holds fields, and Close ends it; unlike the others it is written even when empty, because
// lists count their elements.
func (e *Encoder) Open(tag uint16) (mark int) {
	e.head(tag, 0)
	return len(e.buf)
}

// Close ends the field that Open began.
func (e *Encoder) Close(mark int) {
	binary.LittleEndian.PutUint32(e.buf[mark-4:], uint32(len(e.buf)-mark))
}

func (e *Encoder) head(tag uint16, size int) {
	if e.buf == nil {
		e.buf = make([]byte, 0, max(256, size+64)) // not to grow from field to field
	}
	e.buf = binary.LittleEndian.AppendUint16(e.buf, tag)
	e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(size))
}

// Critical is set in tags that a reader must know: one that meets such a tag and does not know it refuses the document,
// while it skips any other tag it does not know.
const Critical uint16 = 0x8000

// Decoder reads fields. It never copies: values point into the document.
//
//	for d := (adapter.Decoder{Rest: doc}); d.Next(); {
//		switch d.Tag {
//		case 1:
//			name = d.Text()
//		default:
//			d.Skip()
//		}
//	}
//	return d.Err
type Decoder struct {
	Rest  []byte // what was not read yet
	Tag   uint16 // the field's tag, once Next returned true
	Value []byte // the field's value
	Err   error  // what is wrong with the document; Next returns false from then on
}

// Next advances to the next field and reports whether there is one.
func (d *Decoder) Next() bool {
	if d.Err != nil || len(d.Rest) == 0 {
		return false
	}
	if len(d.Rest) < 6 {
		d.Err = errors.New("field is cut short")
		return false
	}
	d.Tag = binary.LittleEndian.Uint16(d.Rest)
	size := binary.LittleEndian.Uint32(d.Rest[2:])
	if uint64(size) > uint64(len(d.Rest)-6) {
		d.Err = errors.New("field " + strconv.Itoa(int(d.Tag)) + " is longer than its document")
		return false
	}
	end := 6 + int(size)
	// The capacity ends here, so that an append to a value can never write into the next field.
	d.Value = d.Rest[6:end:end]
	d.Rest = d.Rest[end:]
	return true
}

// Text returns the value as text.
func (d *Decoder) Text() string { return string(d.Value) }

// Number returns the value as a number; another length than 4 is an error.
func (d *Decoder) Number() uint32 {
	if len(d.Value) != 4 {
		d.fail("is no number")
		return 0
	}
	return binary.LittleEndian.Uint32(d.Value)
}

// Flag returns the value as a truth value; another number than 0 and 1 is an error.
func (d *Decoder) Flag() bool {
	n := d.Number()
	if n > 1 {
		d.fail("is no truth value")
	}
	return n == 1
}

// Skip passes over a field the reader does not know, and refuses it when it is critical.
func (d *Decoder) Skip() {
	if d.Tag&Critical != 0 {
		d.fail("is critical and not known")
	}
}

func (d *Decoder) fail(what string) {
	if d.Err == nil {
		d.Err = errors.New("field " + strconv.Itoa(int(d.Tag)) + " " + what)
	}
}
