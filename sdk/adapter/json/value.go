// Package json reads and writes the JSON an adapter meets. It is there because encoding/json, with the reflection it
// needs, makes a Wasm guest larger by a megabyte and at least twice as slow.
//
// A [Value] is a piece of the text itself: nothing is copied or decoded before it is asked for, and what only has to be
// passed on, such as a schema or a number, keeps its very digits. A [Writer] appends. Both are pure, without goroutines.
//
//	v, err := json.Parse(body)
//	for choice := range v.Get("choices").Items() {
//		text := choice.Get("message").Get("content").Text()
//	}
package json

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Value is one JSON value as it stands in a text that [Parse] accepted, without surrounding space. nil: there is none,
// which is also what every method returns that finds nothing, so that lookups can be chained.
type Value []byte

// Kind tells what a value is.
type Kind uint8

// The kinds of values.
const (
	Absent Kind = iota // there is none
	Null
	Bool
	Number
	String
	Array
	Object
)

// Kind returns what v is.
func (v Value) Kind() Kind {
	if len(v) == 0 {
		return Absent
	}
	switch v[0] {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return Array
	case '{':
		return Object
	}
	return Number
}

// Exists reports whether v is there and not null, which providers use in the same sense.
func (v Value) Exists() bool { return len(v) > 0 && v[0] != 'n' }

// Empty reports whether v says nothing: absent, null, false, 0, "", [] or {}.
func (v Value) Empty() bool {
	switch v.Kind() {
	case Bool:
		return v[0] == 'f'
	case Number:
		n, ok := v.Float()
		return ok && n == 0
	case String:
		return len(v) == 2
	case Array, Object:
		return v[space(v, 1)] == v[len(v)-1]
	}
	return true
}

// Get returns the field key of an object: the first, should it come twice.
func (v Value) Get(key string) Value {
	if v.Kind() != Object {
		return nil
	}
	// Without Fields, which makes a string of each name: this is where an adapter spends its time.
	for at := space(v, 1); v[at] != '}'; {
		end := skipString(v, at)
		found := is(v[at+1:end-1], key)
		at = space(v, space(v, end)+1)
		end = skip(v, at)
		if found {
			return v[at:end:end]
		}
		if at = space(v, end); v[at] == ',' {
			at = space(v, at+1)
		}
	}
	return nil
}

// is tells whether name, as it stands in a text between its quotes, is key.
func is(name []byte, key string) bool {
	if string(name) == key && strings.IndexByte(key, '\\') < 0 {
		return true
	}
	if len(name) <= len(key) { // what is escaped is longer
		return false
	}
	i := bytes.IndexByte(name, '\\')
	return i >= 0 && unescape(name, i) == key
}

// Fields yields the fields of an object in their order, nothing for any other value.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		at := space(v, 1)
		for v[at] != '}' {
			end := skip(v, at)
			name := Value(v[at:end]).Text()
			at = space(v, space(v, end)+1)
			end = skip(v, at)
			if !yield(name, Value(v[at:end:end])) {
				return
			}
			if at = space(v, end); v[at] == ',' {
				at = space(v, at+1)
			}
		}
	}
}

// Items yields the elements of an array in their order, nothing for any other value.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		at := space(v, 1)
		for v[at] != ']' {
			end := skip(v, at)
			if !yield(Value(v[at:end:end])) {
				return
			}
			if at = space(v, end); v[at] == ',' {
				at = space(v, at+1)
			}
		}
	}
}

// Pointer returns what the JSON pointer (RFC 6901) names; "" is v itself. It returns nil where there is nothing, and for
// what is no pointer.
func (v Value) Pointer(pointer string) Value {
	for pointer != "" {
		if pointer[0] != '/' {
			return nil
		}
		var token string
		token, pointer = cutToken(pointer[1:])
		switch v.Kind() {
		case Object:
			v = v.Get(token)
		case Array:
			v = v.at(token)
		default:
			return nil
		}
	}
	return v
}

func (v Value) at(token string) Value {
	index, err := strconv.Atoi(token)
	if err != nil || index < 0 || strconv.Itoa(index) != token {
		return nil
	}
	for item := range v.Items() {
		if index == 0 {
			return item
		}
		index--
	}
	return nil
}

// cutToken returns the first token of a pointer, unescaped, and what follows it.
func cutToken(pointer string) (token, rest string) {
	if i := strings.IndexAny(pointer, "/~"); i < 0 {
		return pointer, ""
	} else if pointer[i] == '/' {
		return pointer[:i], pointer[i:]
	}
	var out []byte
	for i := 0; i < len(pointer); i++ {
		switch c := pointer[i]; {
		case c == '/':
			return string(out), pointer[i:]
		case c == '~' && i+1 < len(pointer) && pointer[i+1] == '1':
			out = append(out, '/')
			i++
		case c == '~' && i+1 < len(pointer) && pointer[i+1] == '0':
			out = append(out, '~')
			i++
		default:
			out = append(out, c)
		}
	}
	return string(out), ""
}

// Text returns the text of a string, "" for any other value. Halves of surrogate pairs become U+FFFD.
func (v Value) Text() string {
	if v.Kind() != String {
		return ""
	}
	body := v[1 : len(v)-1]
	if i := bytes.IndexByte(body, '\\'); i >= 0 {
		return unescape(body, i)
	}
	return string(body)
}

func unescape(body []byte, plain int) string {
	out := append(make([]byte, 0, len(body)), body[:plain]...)
	for i := plain; i < len(body); i++ {
		if body[i] != '\\' {
			next := i + 1 + bytes.IndexByte(body[i+1:], '\\')
			if next == i {
				next = len(body)
			}
			out = append(out, body[i:next]...)
			i = next - 1
			continue
		}
		i++
		switch c := body[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(body[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+6 < len(body) && body[i+1] == '\\' && body[i+2] == 'u' {
					low = hex4(body[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		r = r<<4 | rune(unhex(c))
	}
	return r
}

// True reports whether v is true.
func (v Value) True() bool { return len(v) > 0 && v[0] == 't' }

// Int returns a number that is whole and fits; 3.0 and 3e0 are whole.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n, true
	}
	f, ok := v.Float()
	if n := int64(f); ok && f >= -1<<53 && f <= 1<<53 && float64(n) == f {
		return n, true
	}
	return 0, false
}

// Float returns a number that a float64 can hold.
func (v Value) Float() (float64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	return f, err == nil
}

// space returns the first place from at on that is no white space.
func space(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}

// skip returns the place behind the value at at, in a text that Parse accepted.
func skip(b []byte, at int) int {
	switch b[at] {
	case '"':
		return skipString(b, at)
	case '{', '[':
		for depth := 0; ; at++ {
			switch b[at] {
			case '"':
				at = skipString(b, at) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
	}
	for at < len(b) && b[at] > ' ' && b[at] != ',' && b[at] != '}' && b[at] != ']' && b[at] != ':' {
		at++
	}
	return at
}

func skipString(b []byte, at int) int {
	for at = plain(b, at+1); b[at] != '"'; at = plain(b, at+1) {
		if b[at] == '\\' {
			at++
		}
	}
	return at + 1
}
