package json

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds nesting: a guest's stack is small, and a document that needs more is no answer of any provider.
const maxDepth = 1000

// Parse checks that text is one JSON document (RFC 8259, UTF-8, at most 1000 levels deep) and returns its value, which
// shares memory with text. The error says at which byte it ends to be one.
func Parse(text []byte) (Value, error) {
	p := parser{text: text}
	start := space(text, 0)
	end, ok := p.value(start, 0)
	if !ok {
		return nil, p.error()
	}
	if at := space(text, end); at != len(text) {
		return nil, errors.New("not JSON: more follows at byte " + strconv.Itoa(at))
	}
	return Value(text[start:end:end]), nil
}

type parser struct {
	text []byte
	at   int  // where it went wrong
	deep bool // it went wrong by nesting
}

func (p *parser) error() error {
	if p.deep {
		return errors.New("not JSON of this package: nested too deep at byte " + strconv.Itoa(p.at))
	}
	if p.at >= len(p.text) {
		return errors.New("not JSON: it ends at byte " + strconv.Itoa(len(p.text)) + ", too early")
	}
	return errors.New("not JSON: wrong at byte " + strconv.Itoa(p.at))
}

func (p *parser) wrong(at int) (int, bool) {
	p.at = at
	return at, false
}

// value returns the place behind the value at at.
func (p *parser) value(at, depth int) (int, bool) {
	if at >= len(p.text) {
		return p.wrong(at)
	}
	if depth > maxDepth {
		p.deep = true
		return p.wrong(at)
	}
	switch p.text[at] {
	case '{':
		return p.object(at, depth)
	case '[':
		return p.array(at, depth)
	case '"':
		return p.string(at)
	case 't':
		return p.word(at, "true")
	case 'f':
		return p.word(at, "false")
	case 'n':
		return p.word(at, "null")
	}
	return p.number(at)
}

func (p *parser) object(at, depth int) (int, bool) {
	at = space(p.text, at+1)
	if p.is(at, '}') {
		return at + 1, true
	}
	for {
		if !p.is(at, '"') {
			return p.wrong(at)
		}
		end, ok := p.string(at)
		if !ok {
			return end, false
		}
		if at = space(p.text, end); !p.is(at, ':') {
			return p.wrong(at)
		}
		if end, ok = p.value(space(p.text, at+1), depth+1); !ok {
			return end, false
		}
		at = space(p.text, end)
		if p.is(at, '}') {
			return at + 1, true
		}
		if !p.is(at, ',') {
			return p.wrong(at)
		}
		at = space(p.text, at+1)
	}
}

func (p *parser) array(at, depth int) (int, bool) {
	at = space(p.text, at+1)
	if p.is(at, ']') {
		return at + 1, true
	}
	for {
		end, ok := p.value(at, depth+1)
		if !ok {
			return end, false
		}
		at = space(p.text, end)
		if p.is(at, ']') {
			return at + 1, true
		}
		if !p.is(at, ',') {
			return p.wrong(at)
		}
		at = space(p.text, at+1)
	}
}

func (p *parser) is(at int, c byte) bool { return at < len(p.text) && p.text[at] == c }

func (p *parser) word(at int, word string) (int, bool) {
	for i := range len(word) {
		if !p.is(at+i, word[i]) {
			return p.wrong(at + i)
		}
	}
	return at + len(word), true
}

func (p *parser) string(at int) (int, bool) {
	text := p.text
	for at = plain(text, at+1); at < len(text); at = plain(text, at+1) {
		switch c := text[at]; {
		case c == '"':
			return at + 1, true
		case c == '\\':
			at++
			if at >= len(text) {
				return p.wrong(at)
			}
			switch text[at] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if at++; at >= len(text) || unhex(text[at]) > 15 {
						return p.wrong(at)
					}
				}
			default:
				return p.wrong(at)
			}
		case c < ' ':
			return p.wrong(at)
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(text[at:])
			if r == utf8.RuneError && size == 1 {
				return p.wrong(at)
			}
			at += size - 1
		}
	}
	return p.wrong(at)
}

func (p *parser) number(at int) (int, bool) {
	if p.is(at, '-') {
		at++
	}
	end := p.digits(at)
	if end == at || p.text[at] == '0' && end > at+1 {
		return p.wrong(at)
	}
	if at = end; p.is(at, '.') {
		if end = p.digits(at + 1); end == at+1 {
			return p.wrong(end)
		}
		at = end
	}
	if p.is(at, 'e') || p.is(at, 'E') {
		at++
		if p.is(at, '+') || p.is(at, '-') {
			at++
		}
		if end = p.digits(at); end == at {
			return p.wrong(end)
		}
		at = end
	}
	return at, true
}

func (p *parser) digits(at int) int {
	for at < len(p.text) && p.text[at] >= '0' && p.text[at] <= '9' {
		at++
	}
	return at
}

// unhex returns the value of a hexadecimal digit, and more than 15 for anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}
