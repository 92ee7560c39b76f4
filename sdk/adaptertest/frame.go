package adaptertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// A Frame is a piece of a streamed body; see [adapter.Event].
type Frame struct {
	Name string
	Data []byte
}

// Frames reads all frames of a streamed body in one of the framings of ABI.md: "sse", "ndjson", "eventstream", "bytes". A body
// that ends within a frame is an error, beside the frames before it; for "sse" the last event may lack its blank line, because
// recordings are often trimmed.
func Frames(framing string, r io.Reader) ([]Frame, error) {
	switch framing {
	case "sse":
		return lines(r, sseFrames)
	case "ndjson":
		return lines(r, jsonFrames)
	case "eventstream":
		return eventFrames(r)
	case "bytes":
		return pieceFrames(r)
	}
	return nil, fmt.Errorf("framing %q is not known; there are sse, ndjson, eventstream, bytes", framing)
}

// lines reads the whole body first: here nobody waits for a frame, so the plainest reading is the best.
func lines(r io.Reader, cut func([]string) []Frame) ([]Frame, error) {
	raw, err := io.ReadAll(r)
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(raw), "\ufeff"))
	return cut(strings.Split(text, "\n")), err
}

func sseFrames(lines []string) (all []Frame) {
	var name string
	var data []string
	for _, line := range append(lines, "") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != nil {
				all = append(all, Frame{name, []byte(strings.Join(data, "\n"))})
			}
			name, data = "", nil
		case field == "event":
			name = value
		case field == "data":
			data = append(data, value)
		}
	}
	return all
}

func jsonFrames(lines []string) (all []Frame) {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, Frame{Data: []byte(line)})
		}
	}
	return all
}

// pieceFrames hands on what each read brings.
func pieceFrames(r io.Reader) (all []Frame, err error) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			all = append(all, Frame{Data: bytes.Clone(buf[:n])})
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// eventFrames reads AWS's application/vnd.amazon.eventstream: a prelude of total length, headers' length and their CRC,
// headers, payload, and the CRC of all before it.
func eventFrames(r io.Reader) (all []Frame, err error) {
	for {
		prelude := make([]byte, 12)
		if _, err := io.ReadFull(r, prelude); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return all, err
		}
		total, headers := binary.BigEndian.Uint32(prelude), binary.BigEndian.Uint32(prelude[4:])
		if crc32.ChecksumIEEE(prelude[:8]) != binary.BigEndian.Uint32(prelude[8:]) {
			return all, errors.New("the checksum of an event's prelude is wrong")
		}
		if total > 16<<20 || uint64(total) < 16+uint64(headers) {
			return all, fmt.Errorf("an event of %d bytes, %d of them headers, cannot be", total, headers)
		}
		rest := make([]byte, total-12)
		if _, err := io.ReadFull(r, rest); err != nil {
			return all, io.ErrUnexpectedEOF
		}
		body := rest[:len(rest)-4]
		if crc32.Update(crc32.ChecksumIEEE(prelude), crc32.IEEETable, body) != binary.BigEndian.Uint32(rest[len(body):]) {
			return all, errors.New("the checksum of an event is wrong")
		}
		name, err := eventName(body[:headers])
		if err != nil {
			return all, err
		}
		all = append(all, Frame{name, body[headers:]})
	}
}

// eventName finds what an event is called among its headers: name, type, value.
func eventName(h []byte) (string, error) {
	sizes := map[byte]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16} // of the types whose values have one
	found := map[string]string{}
	for len(h) > 0 {
		n := int(h[0])
		if len(h) < n+2 {
			return "", errors.New("an event's header is cut short")
		}
		name, kind := string(h[1:1+n]), h[1+n]
		h = h[n+2:]
		size, fixed := sizes[kind]
		if !fixed {
			if len(h) < 2 || kind != 6 && kind != 7 {
				return "", fmt.Errorf("an event's header %q is cut short, or of a type that is not known", name)
			}
			size = int(binary.BigEndian.Uint16(h))
			h = h[2:]
		}
		if len(h) < size {
			return "", fmt.Errorf("an event's header %q is cut short", name)
		}
		found[name] = string(h[:size])
		h = h[size:]
	}
	if found[":message-type"] == "exception" {
		return "exception/" + found[":exception-type"], nil
	}
	return found[":event-type"], nil
}
