package json

import (
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// Writer appends JSON; the zero value is ready. It sets the commas; that every object and array is closed, and that an
// object's values have keys, is the caller's care.
//
//	var w json.Writer
//	w.Begin('{')
//	w.Key("model")
//	w.String(model)
//	w.End('}')
type Writer struct{ buf []byte }

// Bytes returns what was written; it is valid until the next write.
func (w *Writer) Bytes() []byte { return w.buf }

// Begin opens an object ('{') or an array ('[').
func (w *Writer) Begin(open byte) {
	if w.buf == nil {
		w.buf = make([]byte, 0, 256)
	}
	w.comma()
	w.buf = append(w.buf, open)
}

// End closes an object ('}') or an array (']').
func (w *Writer) End(closing byte) { w.buf = append(w.buf, closing) }

// Key writes a field's name.
func (w *Writer) Key(name string) {
	w.String(name)
	w.buf = append(w.buf, ':')
}

// String writes a string. What is not UTF-8 becomes U+FFFD.
func (w *Writer) String(s string) {
	w.comma()
	w.buf = AppendString(w.buf, s)
}

// Int writes a whole number.
func (w *Writer) Int(n int64) {
	w.comma()
	w.buf = strconv.AppendInt(w.buf, n, 10)
}

// Float writes a number in as few digits as give it back; NaN and infinities, which JSON lacks, become null.
func (w *Writer) Float(f float64) {
	w.comma()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.buf = append(w.buf, "null"...)
		return
	}
	w.buf = strconv.AppendFloat(w.buf, f, 'g', -1, 64)
}

// Bool writes true or false.
func (w *Writer) Bool(b bool) {
	w.comma()
	w.buf = strconv.AppendBool(w.buf, b)
}

// Raw writes a value as it stands, null if there is none.
func (w *Writer) Raw(v Value) {
	w.comma()
	if len(v) == 0 {
		v = Value("null")
	}
	w.buf = append(w.buf, v...)
}

// comma separates the next value from the one before. A document that was begun by hand needs none: what stands before a
// first value is an opening bracket, a colon, or nothing.
func (w *Writer) comma() {
	if n := len(w.buf); n > 0 {
		switch w.buf[n-1] {
		case '{', '[', ':', ',':
		default:
			w.buf = append(w.buf, ',')
		}
	}
}

// AppendString appends s as a JSON string to dst.
func AppendString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	text := unsafe.Slice(unsafe.StringData(s), len(s)) // only read
	dst = append(dst, '"')
	start := 0
	for i := plain(text, 0); i < len(text); i = plain(text, i) {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, text[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, text[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, text[start:]...), '"')
}
