package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// A stored trace is: version 1 (one byte); sequence and time (eight bytes each, as in keys); sha256 of the body (32
// bytes); trace id, tenant, status (each its length as uvarint, and its bytes); number of services (uvarint) and each
// service; request id; number of rules and each rule; 1 if a guarantee was broken, else 0 (one byte); duration and cost (each
// a float64 in eight bytes); the body, to the end.
const recordVersion = 1

func appendRecord(b []byte, r *trace.Record) []byte {
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, r.Sequence)
	b = binary.BigEndian.AppendUint64(b, flip(r.Time))
	b = append(b, r.Hash[:]...)
	b = appendString(b, r.TraceID)
	b = appendString(b, r.Tenant)
	b = appendString(b, r.Status)
	b = appendStrings(b, r.Services)
	b = appendString(b, r.RequestID)
	b = appendStrings(b, r.Rules)
	b = append(b, 0)
	if r.Violation {
		b[len(b)-1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(r.DurationMs))
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(r.Cost))
	return append(b, r.Raw...)
}

// decodeRecord reads a stored trace. The record's Raw is b's end, so b must be the caller's own copy.
func decodeRecord(b []byte) (*trace.Record, error) {
	d := decoder{rest: b}
	if v := d.byte(); d.err == nil && v != recordVersion {
		return nil, fmt.Errorf("%w: a trace of version %d, this release knows %d", trace.ErrDamaged, v, recordVersion)
	}
	r := &trace.Record{Sequence: d.uint64(), Time: unflip(d.uint64())}
	copy(r.Hash[:], d.take(len(r.Hash)))
	r.TraceID, r.Tenant, r.Status = d.string(), d.string(), d.string()
	r.Services = d.strings(trace.MaxServices)
	r.RequestID = d.string()
	r.Rules = d.strings(trace.MaxRules)
	r.Violation = d.byte() == 1
	r.DurationMs, r.Cost = math.Float64frombits(d.uint64()), math.Float64frombits(d.uint64())
	if d.err != nil {
		return nil, fmt.Errorf("trace: %w", d.err)
	}
	r.Raw = d.rest
	return r, nil
}

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// decoder reads from the front of rest. After the first error everything it returns is empty.
type decoder struct {
	rest []byte
	err  error
}

var errShort = fmt.Errorf("%w: it ends too early", trace.ErrDamaged)

func (d *decoder) fail() {
	if d.err == nil {
		d.err, d.rest = errShort, nil
	}
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n > len(d.rest) {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.err != nil || n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) string() string { return string(d.prefixed()) }

// strings returns a list of at most limit; nil if it is empty.
func (d *decoder) strings(limit uint64) (list []string) {
	n := d.uvarint()
	if n > limit {
		d.fail()
	}
	for i := uint64(0); i < n && d.err == nil; i++ {
		list = append(list, d.string())
	}
	return list
}

// bytes returns a copy; nil if there are none.
func (d *decoder) bytes() []byte { return bytes.Clone(d.prefixed()) }

// prefixed returns as many bytes as the uvarint before them says; nil if there are none.
func (d *decoder) prefixed() []byte {
	n := d.uvarint()
	if n == 0 {
		return nil
	}
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) end() error {
	if d.err == nil && len(d.rest) != 0 {
		d.err = errors.Join(trace.ErrDamaged, errors.New("bytes after the end"))
	}
	return d.err
}
