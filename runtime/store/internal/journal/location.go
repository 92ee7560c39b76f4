package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// A Location is where a body lies.
type Location struct {
	Segment uint32
	Offset  uint64
	Length  uint32
	Sum     uint32 // CRC-32C of the body
}

// LocationSize is the length of a location as Append writes it.
const LocationSize = 4 + 8 + 4 + 4

// Append appends l in LocationSize bytes, big-endian.
func (l Location) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, l.Segment)
	b = binary.BigEndian.AppendUint64(b, l.Offset)
	b = binary.BigEndian.AppendUint32(b, l.Length)
	return binary.BigEndian.AppendUint32(b, l.Sum)
}

// DecodeLocation is the inverse of Append.
func DecodeLocation(b []byte) (Location, error) {
	if len(b) != LocationSize {
		return Location{}, damaged("the place of a trace has %d bytes", len(b))
	}
	return Location{
		binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:]),
	}, nil
}

// Read returns the body at l. trace.ErrErased: it was erased, or its day was dropped.
func (j *Journal) Read(l Location) ([]byte, error) {
	s := j.find(l.Segment)
	if s == nil {
		return nil, trace.ErrErased
	}
	if l.Length > maxBodyBytes || l.Offset+uint64(l.Length) > uint64(s.written()) {
		return nil, damaged("its place is none: %d bytes at %d of %s, which has %d", l.Length, l.Offset, s.name(), s.written())
	}
	body := make([]byte, l.Length)
	if err := j.readers.readAt(s, body, int64(l.Offset)); err != nil {
		if j.find(l.Segment) == nil {
			return nil, trace.ErrErased // dropped meanwhile
		}
		return nil, fmt.Errorf("%w: %s at %d: %w", trace.ErrDamaged, s.name(), l.Offset, err)
	}
	if crc32.Checksum(body, castagnoli) != l.Sum {
		if erased(body) {
			return nil, trace.ErrErased
		}
		return nil, damaged("%s at %d: %d bytes do not have their checksum", s.name(), l.Offset, l.Length)
	}
	return body, nil
}
