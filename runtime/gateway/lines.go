package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// tooLarge says that a body, or one frame of it, is larger than allowed.
type tooLarge struct {
	what  string
	limit int64
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("the %s is larger than the limit of %d bytes", e.what, e.limit)
}

// A lines reads lines of any length up to a limit, in whatever pieces they come. Not for concurrent use.
type lines struct {
	r     io.Reader
	limit int
	cr    bool // CR alone ends a line too (SSE); otherwise it is a byte like any other (NDJSON, where it is white space)

	buf        []byte
	start, end int  // buf[start:end] was read but not handed out
	scanned    int  // buf[start:scanned] holds no line end: long lines in small pieces are not searched again and again
	skipLF     bool // the last line ended in CR; an LF that follows belongs to it
	dry        bool // nothing is read: what is not there yet is errDry
	err        error
}

// errDry says that more would have to be read.
var errDry = errors.New("not there yet")

// next returns the next line without its end; the slice is good until the next call. With io.EOF comes what follows
// the last line end, which may be empty. Any other error means that the body broke off.
func (l *lines) next() ([]byte, error) {
	for {
		if l.skipLF && l.start < l.end {
			l.skipLF = false
			if l.buf[l.start] == '\n' {
				l.start++
				l.scanned = max(l.scanned, l.start)
			}
		}
		if i := l.lineEnd(); i >= 0 {
			line := l.buf[l.start:i]
			l.skipLF = l.buf[i] == '\r'
			l.start, l.scanned = i+1, i+1
			return line, nil
		}
		l.scanned = l.end
		if l.end-l.start > l.limit {
			return nil, &tooLarge{"line of the streamed body", int64(l.limit)}
		}
		if l.dry {
			return nil, errDry
		}
		if l.err != nil {
			rest := l.buf[l.start:l.end]
			l.start = l.end
			return rest, l.err
		}
		l.fill()
	}
}

// lineEnd returns the index of the first line end from scanned on, -1 if there is none. When CR counts, a CRLF is
// found as its CR, at once: the event it completes must not wait for a byte that may be long in coming.
func (l *lines) lineEnd() int {
	window := l.buf[l.scanned:l.end]
	i := bytes.IndexByte(window, '\n')
	if l.cr {
		before := window
		if i >= 0 {
			before = window[:i]
		}
		if j := bytes.IndexByte(before, '\r'); j >= 0 {
			i = j
		}
	}
	if i < 0 {
		return -1
	}
	return l.scanned + i
}

// fill reads once more, making room first.
func (l *lines) fill() {
	if l.start > 0 {
		copy(l.buf, l.buf[l.start:l.end])
		l.end -= l.start
		l.scanned -= l.start
		l.start = 0
	}
	if l.end == len(l.buf) {
		grown := make([]byte, max(4096, 2*len(l.buf)))
		copy(grown, l.buf[:l.end])
		l.buf = grown
	}
	for range 100 {
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		l.err = err
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}
