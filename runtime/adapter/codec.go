package adapter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The boundary's documents, see sdk/adapter/ABI.md. A field is a tag of 2 bytes, a length of 4, and the value.

const (
	headBytes = 6
	critical  = 0x8000

	maxActions  = 256
	maxHeaders  = 128
	maxAdapters = 64
	maxMessage  = 2000
)

func sizeField(size int) int {
	if size == 0 {
		return 0
	}
	return headBytes + size
}

func sizeNumber(n int) int {
	if n == 0 {
		return 0
	}
	return headBytes + 4
}

func sizeHeader(h *Header) int { return sizeField(len(h.Name)) + sizeField(len(h.Value)) }

func sizeEvent(ev *Event) int {
	size := sizeNumber(int(ev.Kind)) + sizeField(len(ev.Intent)) + sizeField(len(ev.Contract)) + sizeNumber(ev.Status)
	if ev.Stream {
		size += headBytes + 4
	}
	for i := range ev.Headers {
		size += headBytes + sizeHeader(&ev.Headers[i])
	}
	for i := range ev.More {
		size += headBytes + sizeFrame(&ev.More[i])
	}
	return size + sizeField(len(ev.Body)) + sizeField(len(ev.Name)) + sizeField(len(ev.Data))
}

func sizeFrame(f *Frame) int { return sizeField(len(f.Name)) + sizeField(len(f.Data)) }

// sizeCall returns exactly what appendCall appends.
func sizeCall(adapter string, state []byte, ev *Event) int {
	return sizeField(len(adapter)) + sizeField(len(state)) + headBytes + sizeEvent(ev)
}

func appendCall(dst []byte, adapter string, state []byte, ev *Event) []byte {
	dst = appendField(dst, 1, adapter)
	dst = appendField(dst, 2, state)
	dst = appendHead(dst, 3, sizeEvent(ev))
	dst = appendNumber(dst, 1, int(ev.Kind))
	dst = appendField(dst, 2, ev.Intent)
	dst = appendField(dst, 3, ev.Contract)
	if ev.Stream {
		dst = appendNumber(dst, 4, 1)
	}
	dst = appendNumber(dst, 5, ev.Status)
	for i := range ev.Headers {
		h := &ev.Headers[i]
		dst = appendHead(dst, 6, sizeHeader(h))
		dst = appendField(dst, 1, h.Name)
		dst = appendField(dst, 2, h.Value)
	}
	dst = appendField(dst, 7, ev.Body)
	dst = appendField(dst, 8, ev.Name)
	dst = appendField(dst, 9, ev.Data)
	for i := range ev.More {
		f := &ev.More[i]
		dst = appendHead(dst, 10|critical, sizeFrame(f))
		dst = appendField(dst, 8, f.Name)
		dst = appendField(dst, 9, f.Data)
	}
	return dst
}

func appendHead(dst []byte, tag uint16, size int) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, tag)
	return binary.LittleEndian.AppendUint32(dst, uint32(size))
}

func appendField[T string | []byte](dst []byte, tag uint16, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(appendHead(dst, tag, len(value)), value...)
}

func appendNumber(dst []byte, tag uint16, n int) []byte {
	if n == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint32(appendHead(dst, tag, 4), uint32(n))
}

// decoder reads fields; the first fault sticks. Values share memory with the document.
type decoder struct {
	rest  []byte
	tag   uint16
	value []byte
	seen  uint64 // single fields below tag 64 that came
	err   error
}

func (d *decoder) next() bool {
	if d.err != nil || len(d.rest) == 0 {
		return false
	}
	if len(d.rest) < headBytes {
		d.err = errors.New("field is cut short")
		return false
	}
	d.tag = binary.LittleEndian.Uint16(d.rest)
	size := binary.LittleEndian.Uint32(d.rest[2:])
	if uint64(size) > uint64(len(d.rest)-headBytes) {
		d.err = fmt.Errorf("field %d is longer than its document", d.tag)
		return false
	}
	end := headBytes + int(size)
	d.value, d.rest = d.rest[headBytes:end:end], d.rest[end:]
	return true
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("field %d %s", d.tag, what)
	}
}

// once notes a field that may come only once.
func (d *decoder) once() {
	bit := uint64(1) << d.tag
	if d.seen&bit != 0 {
		d.fail("comes twice")
	}
	d.seen |= bit
}

func (d *decoder) bytes() []byte {
	d.once()
	if len(d.value) == 0 {
		return nil
	}
	return d.value
}

func (d *decoder) text() string {
	d.once()
	if !utf8.Valid(d.value) {
		d.fail("is no UTF-8")
	}
	return string(d.value)
}

func (d *decoder) number() uint32 {
	d.once()
	if len(d.value) != 4 {
		d.fail("is no number")
		return 0
	}
	return binary.LittleEndian.Uint32(d.value)
}

func (d *decoder) flag() bool {
	n := d.number()
	if n > 1 {
		d.fail("is no truth value")
	}
	return n == 1
}

// skip passes over a field of a later version, unless it must be understood.
func (d *decoder) skip() {
	if d.tag&critical != 0 {
		d.fail("is critical and not known")
	}
}

// decodeReply reads a reply; its bytes share memory with doc.
func decodeReply(doc []byte) (r Reply, err error) {
	d := decoder{rest: doc}
	for d.next() {
		switch d.tag {
		case 1:
			r.State = d.bytes()
		case 2:
			if len(r.Actions) == maxActions {
				return Reply{}, fmt.Errorf("reply: more than %d actions", maxActions)
			}
			var a Action
			a, d.err = decodeAction(d.value)
			r.Actions = append(r.Actions, a)
		default:
			d.skip()
		}
	}
	if d.err != nil {
		return Reply{}, fmt.Errorf("reply: %w", d.err)
	}
	return r, nil
}

func decodeAction(doc []byte) (a Action, err error) {
	d := decoder{rest: doc}
	for d.next() {
		switch d.tag {
		case 1:
			kind := d.number()
			if a.Kind = ActionKind(kind); d.err == nil && (kind < uint32(ActionHTTP) || kind > uint32(ActionFail)) {
				d.err = fmt.Errorf("kind %d is not known", kind)
			}
		case 2:
			a.Method = d.text()
		case 3:
			a.URL = d.text()
		case 4:
			if len(a.Headers) == maxHeaders {
				return Action{}, fmt.Errorf("action: more than %d headers", maxHeaders)
			}
			var h Header
			h, d.err = decodeHeader(d.value)
			a.Headers = append(a.Headers, h)
		case 5:
			a.Body = d.bytes()
		case 6:
			a.Framing = d.text()
		case 7:
			a.DelayMS = d.number()
		case 8:
			a.Data = d.bytes()
		case 9:
			a.Code = d.text()
		case 10:
			a.Message = bound(d.text())
		case 11:
			a.Status = int(d.number())
			if a.Status > 999 {
				d.fail("is no HTTP status")
			}
		case 12:
			a.Retryable = d.flag()
		case 13:
			if reason := d.text(); slices.Contains(reasons, reason) {
				a.Reason = reason
			}
		default:
			d.skip()
		}
	}
	if d.err != nil {
		return Action{}, fmt.Errorf("action: %w", d.err)
	}
	return a, nil
}

func decodeHeader(doc []byte) (h Header, err error) {
	d := decoder{rest: doc}
	for d.next() {
		switch d.tag {
		case 1:
			h.Name = d.text()
		case 2:
			h.Value = d.text()
		default:
			d.skip()
		}
	}
	if d.err != nil {
		return Header{}, fmt.Errorf("header: %w", d.err)
	}
	return h, nil
}

// bound cuts a message, at a rune's start.
func bound(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "..."
}

// decodeInfos reads a description: at least one adapter, names of their own.
func decodeInfos(doc []byte) ([]Info, error) {
	var infos []Info
	d := decoder{rest: doc}
	for d.next() {
		if d.tag != 1 {
			d.skip()
			continue
		}
		if len(infos) == maxAdapters {
			return nil, fmt.Errorf("description: more than %d adapters", maxAdapters)
		}
		var info Info
		info, d.err = decodeInfo(d.value)
		for _, other := range infos {
			if other.Name == info.Name && d.err == nil {
				d.err = fmt.Errorf("adapter %q comes twice", info.Name)
			}
		}
		infos = append(infos, info)
	}
	if d.err == nil && len(infos) == 0 {
		d.err = errors.New("the module has no adapter; was adapter.Serve called from an init function?")
	}
	if d.err != nil {
		return nil, fmt.Errorf("description: %w", d.err)
	}
	return infos, nil
}

func decodeInfo(doc []byte) (info Info, err error) {
	d := decoder{rest: doc}
	for d.next() {
		switch d.tag {
		case 1:
			info.Name = d.text()
		case 2:
			info.Version = bound(d.text())
		case 3:
			info.Description = bound(d.text())
		case 4:
			info.Frames = d.flag()
		default:
			d.skip()
		}
	}
	if d.err == nil && !validName(info.Name) {
		d.err = fmt.Errorf("name %q is not [a-z0-9_-]{1,64}", clip(info.Name))
	}
	return info, d.err
}

func validName(name string) bool {
	return len(name) > 0 && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}
