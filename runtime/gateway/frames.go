package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// A framer cuts a streamed body into frames. next returns io.EOF once the body ended as its transport demands, and any
// other error when it broke off: the two are never confused. The data is the caller's to keep. Not for concurrent use.
type framer interface {
	next() (name string, data []byte, err error)
}

// A hasty framer also returns a frame that is there already, without reading; false: there is none, or no whole one.
type hasty interface {
	here() (name string, data []byte, ok bool)
}

// knownFraming tells whether an adapter may ask for a framing; "" is none.
func knownFraming(name string) bool {
	switch name {
	case "", "sse", "ndjson", "eventstream", "bytes":
		return true
	}
	return false
}

// newFramer returns the framer for a known framing. limit bounds one frame in bytes. proven tells that the transport
// itself shows where the body ends (a length, chunks, HTTP/2); where only the closing of the connection does, a cut in
// the middle of a frame is all that can be seen, and is an error. Of bytes not even that can be seen.
func newFramer(framing string, r io.Reader, limit int, proven bool) framer {
	switch framing {
	case "ndjson":
		return &ndjson{lines: lines{r: r, limit: limit}, proven: proven}
	case "eventstream":
		return &eventStream{r: bufio.NewReader(patient{r}), limit: limit}
	case "bytes":
		return &piecewise{r: patient{r}, buf: make([]byte, min(limit, maxPiece))}
	}
	return &sse{lines: lines{r: r, limit: limit, cr: true}, limit: limit, proven: proven}
}

// sse reads Server-Sent Events as the WHATWG HTML standard defines them (section 9.2.6): lines end in LF, CR or CRLF;
// one leading byte order mark is dropped; comments, id and retry are skipped; data lines are joined by LF; an event
// without a data line, and one not closed by a blank line, is no event. The name is empty when the event has none,
// where a browser would say "message". Bytes that are not UTF-8 are handed on as they are.
type sse struct {
	lines  lines
	limit  int
	proven bool
	begun  bool // the first line, where a byte order mark may stand, is behind us
}

func (s *sse) next() (string, []byte, error) {
	var name string
	var data []byte
	some := false // a data line was seen, even an empty one
	for {
		line, err := s.lines.next()
		if err != nil {
			if errors.Is(err, io.EOF) && !s.proven && (some || len(line) > 0) {
				err = io.ErrUnexpectedEOF
			}
			return "", nil, err
		}
		if !s.begun {
			s.begun = true
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(line) == 0 {
			if some {
				return name, data, nil
			}
			name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			if some {
				data = append(data, '\n')
			}
			some = true
			if data = append(data, value...); len(data) > s.limit {
				return "", nil, &tooLarge{"event of the streamed body", int64(s.limit)}
			}
		}
	}
}

func (s *sse) here() (name string, data []byte, ok bool) {
	before := *s
	s.lines.dry = true
	name, data, err := s.next()
	s.lines.dry = false
	if err != nil {
		*s = before // to be met again when it is waited for
	}
	return name, data, err == nil
}

// ndjson reads one JSON text a line, ended by LF or CRLF; blank lines are skipped, and the last line may lack its end.
type ndjson struct {
	lines  lines
	proven bool
}

func (n *ndjson) next() (string, []byte, error) {
	for {
		line, err := n.lines.next()
		line = bytes.TrimSpace(line)
		switch {
		case err == nil && len(line) == 0:
			continue
		case err == nil:
			return "", bytes.Clone(line), nil
		case !errors.Is(err, io.EOF) || len(line) == 0:
			return "", nil, err
		case !n.proven && !json.Valid(line):
			return "", nil, io.ErrUnexpectedEOF
		}
		return "", bytes.Clone(line), nil // the next call finds an empty rest and says io.EOF
	}
}

// maxPiece is the largest piece of a body that is handed on as it comes.
const maxPiece = 32 << 10

// piecewise hands on what comes as it comes: audio, for instance, which nobody but its player takes apart.
type piecewise struct {
	r   io.Reader
	buf []byte
	err error
}

func (p *piecewise) next() (string, []byte, error) {
	if p.err != nil {
		return "", nil, p.err
	}
	var n int
	if n, p.err = p.r.Read(p.buf); n == 0 {
		return "", nil, p.err
	}
	return "", bytes.Clone(p.buf[:n]), nil
}

// patient reads until something comes, and gives up on a reader that time and again brings nothing.
type patient struct{ r io.Reader }

func (p patient) Read(b []byte) (int, error) {
	for range 100 {
		if n, err := p.r.Read(b); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

func (n *ndjson) here() (name string, data []byte, ok bool) {
	before := *n
	n.lines.dry = true
	name, data, err := n.next()
	n.lines.dry = false
	if err != nil {
		*n = before
	}
	return name, data, err == nil
}
