package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	preludeSize    = 12 // total length, length of the headers, checksum of the two; each of 4 bytes, big endian
	checksumSize   = 4
	maxHeaderBytes = 128 << 10 // of all headers of a message, as AWS limits them
)

// eventStream reads AWS event streams (application/vnd.amazon.eventstream): messages of a prelude, headers, a payload
// and a checksum of all that. Both checksums are CRC-32 (IEEE) and must hold. A frame's data is the payload; its name is
// the event's type, or "exception/" and the exception's type, or "exception/" and the code of an error that has no type.
// A body that ends within a message broke off; that it ends between two is all that can be seen of a clean end.
type eventStream struct {
	r     *bufio.Reader
	limit int // of one message, in bytes
}

func (s *eventStream) next() (string, []byte, error) {
	var prelude [preludeSize]byte
	if _, err := io.ReadFull(s.r, prelude[:]); err != nil {
		return "", nil, err // io.EOF only where nothing of a message came
	}
	sum := crc32.ChecksumIEEE(prelude[:8])
	if sum != binary.BigEndian.Uint32(prelude[8:]) {
		return "", nil, errors.New("the streamed body is no event stream, or was damaged: the checksum of a message's prelude does not hold")
	}
	total, headers := int64(binary.BigEndian.Uint32(prelude[:])), int64(binary.BigEndian.Uint32(prelude[4:]))
	switch {
	case total > int64(s.limit):
		return "", nil, &tooLarge{"message of the streamed body", int64(s.limit)}
	case headers > maxHeaderBytes, total < preludeSize+headers+checksumSize:
		return "", nil, fmt.Errorf("the streamed body holds a message of %d bytes with %d bytes of headers", total, headers)
	}
	rest, err := readRest(s.r, total-preludeSize)
	if err != nil {
		return "", nil, err
	}
	body := rest[:len(rest)-checksumSize]
	sum = crc32.Update(crc32.ChecksumIEEE(prelude[:]), crc32.IEEETable, body)
	if sum != binary.BigEndian.Uint32(rest[len(body):]) {
		return "", nil, errors.New("the streamed body was damaged: the checksum of a message does not hold")
	}
	said, err := messageHeaders(body[:headers])
	if err != nil {
		return "", nil, err
	}
	return said.frame(body[headers:])
}

// readRest reads n bytes. Memory is taken as they come, not as they are announced.
func readRest(r io.Reader, n int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, min(n, 64<<10)+bytes.MinRead))
	_, err := io.CopyN(b, r, n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b.Bytes(), err
}

// said are the headers that say what a message is; the others are of no use to a guest.
type said struct{ messageType, eventType, exceptionType, errorCode, errorMessage string }

// frame names a message. An unmodeled error says in headers what others say in their payload.
func (s said) frame(payload []byte) (string, []byte, error) {
	switch s.messageType {
	case "event":
		return s.eventType, payload, nil
	case "exception":
		return "exception/" + s.exceptionType, payload, nil
	case "error":
		if len(payload) == 0 && s.errorMessage != "" {
			payload, _ = json.Marshal(map[string]string{"message": s.errorMessage}) // text always is JSON
		}
		return "exception/" + s.errorCode, payload, nil
	}
	return "", nil, fmt.Errorf("the streamed body holds a message of :message-type %q, which is none of event, exception and error", clean(s.messageType, nil))
}

// valueSizes are the sizes of the values of fixed length, by type: true, false, byte, short, integer, long, -, -,
// timestamp, uuid. Byte arrays (6) and strings (7) say their length in two bytes.
var valueSizes = [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}

const stringType = 7

// messageHeaders reads a message's headers: each of a byte of length and a name, a byte of type, a value.
func messageHeaders(b []byte) (said, error) {
	var s said
	bad := errors.New("the streamed body holds a message whose headers cannot be read")
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 || len(b) < 1+n+1 {
			return said{}, bad
		}
		name, kind := string(b[1:1+n]), int(b[1+n])
		b = b[1+n+1:]
		if kind >= len(valueSizes) {
			return said{}, bad
		}
		size := valueSizes[kind]
		if size < 0 {
			if len(b) < 2 {
				return said{}, bad
			}
			size, b = int(binary.BigEndian.Uint16(b)), b[2:]
		}
		if len(b) < size {
			return said{}, bad
		}
		if kind == stringType {
			s.take(name, string(b[:size]))
		}
		b = b[size:]
	}
	return s, nil
}

func (s *said) take(name, value string) {
	switch name {
	case ":message-type":
		s.messageType = value
	case ":event-type":
		s.eventType = value
	case ":exception-type":
		s.exceptionType = value
	case ":error-code":
		s.errorCode = value
	case ":error-message":
		s.errorMessage = value
	}
}
