package meter

import (
	"encoding/binary"
	"unicode/utf8"
)

// reader reads the binary format. The first fault sticks, and everything read after it is zero, so that callers may check
// once; loops over counts must check each turn.
type reader struct {
	buf    []byte
	at     int
	broken bool
}

func (r *reader) left() int { return len(r.buf) - r.at }

func (r *reader) byte() byte {
	if r.broken || r.at >= len(r.buf) {
		r.broken = true
		return 0
	}
	r.at++
	return r.buf[r.at-1]
}

// bytes returns the next n bytes, shared with the module.
func (r *reader) bytes(n uint32) []byte {
	if r.broken || uint64(n) > uint64(r.left()) {
		r.broken = true
		return nil
	}
	r.at += int(n)
	return r.buf[r.at-int(n) : r.at]
}

// leb passes over a LEB128 number of at most bits bits and returns its lower 64 bits, without a sign. Overlong numbers
// within the permitted length are accepted as the specification has it; the engine may be stricter, never longer.
func (r *reader) leb(bits uint) uint64 {
	var v uint64
	for shift := uint(0); shift < bits; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.broken = true
	return 0
}

func (r *reader) u32() uint32 {
	v := r.leb(32)
	if v > 1<<32-1 {
		r.broken = true
	}
	return uint32(v)
}

// s32 reads a signed number of 32 bits.
func (r *reader) s32() int32 {
	from := r.at
	v := r.leb(32)
	if bits := uint(7 * (r.at - from)); bits < 32 && r.at > 0 && !r.broken && r.buf[r.at-1]&0x40 != 0 {
		v |= ^uint64(0) << bits
	}
	return int32(v)
}

func (r *reader) name() string {
	b := r.bytes(r.u32())
	if !utf8.Valid(b) {
		r.broken = true
		return ""
	}
	return string(b)
}

// count reads the length of a vector whose elements have at least one byte each, so that it cannot promise more than is there.
func (r *reader) count() int {
	n := r.u32()
	if uint64(n) > uint64(r.left()) {
		r.broken = true
		return 0
	}
	return int(n)
}

func appendU32(dst []byte, v uint32) []byte { return binary.AppendUvarint(dst, uint64(v)) }

// appendS64 appends a signed LEB128.
func appendS64(dst []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}
