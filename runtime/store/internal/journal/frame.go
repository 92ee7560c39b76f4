package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A frame is a group of traces: a head, and the bodies one after the other. The head is, all numbers big-endian:
//
//	magic                                 4 bytes
//	number of traces                      4
//	sequence of the first                 8
//	bytes of the checkpoint               4
//	for each trace: bytes of its body     4
//	                CRC-32C of its body   4
//	                what its entry commits to   32
//	the checkpoint
//	CRC-32C of all of the head before     4
//
// A body that was erased is zeros; the head stays as it was.
const (
	frameMagic   = 0xca10f4a3
	framePrefix  = 4 + 4 + 8 + 4
	itemSize     = 4 + 4 + 32
	maxItems     = 1 << 16
	maxNote      = 1 << 16
	maxBodyBytes = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A frame is the head of one, read.
type frame struct {
	first      uint64
	items      []item
	checkpoint []byte
	end        int64 // offset in the file of what follows it
}

type item struct {
	offset uint64 // of the body, in its file
	length uint32
	sum    uint32 // CRC-32C
	commit [32]byte
}

func (f *frame) next() uint64 { return f.first + uint64(len(f.items)) }

// appendFrame appends the frame of b, which is going to lie at offset at of its file.
func appendFrame(buf []byte, b *Batch, at int64) ([]byte, []item) {
	n := len(b.Sums)
	items := make([]item, n)
	start := len(buf)
	head := framePrefix + n*itemSize + len(b.Checkpoint) + 4
	buf = append(buf, make([]byte, head)...)
	for i := range items {
		from := len(buf)
		buf = b.Encode(buf, i)
		items[i] = item{
			offset: uint64(at) + uint64(from-start), length: uint32(len(buf) - from),
			sum: crc32.Checksum(buf[from:], castagnoli), commit: b.Sums[i],
		}
	}
	h := buf[start:start:len(buf)]
	h = binary.BigEndian.AppendUint32(h, frameMagic)
	h = binary.BigEndian.AppendUint32(h, uint32(n))
	h = binary.BigEndian.AppendUint64(h, b.First)
	h = binary.BigEndian.AppendUint32(h, uint32(len(b.Checkpoint)))
	for i := range items {
		h = binary.BigEndian.AppendUint32(h, items[i].length)
		h = binary.BigEndian.AppendUint32(h, items[i].sum)
		h = append(h, items[i].commit[:]...)
	}
	h = append(h, b.Checkpoint...)
	binary.BigEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	return buf, items
}

// errTorn: at this place there is no whole frame.
var errTorn = errors.New("no whole frame")

// readFrame reads the head of the frame at offset at of a file of size bytes. errTorn: there is none, or it does not fit
// into the file.
func readFrame(r io.ReaderAt, at, size int64) (*frame, error) {
	var prefix [framePrefix]byte
	if at+framePrefix > size {
		return nil, errTorn
	}
	if _, err := r.ReadAt(prefix[:], at); err != nil {
		return nil, err
	}
	n, note := binary.BigEndian.Uint32(prefix[4:]), binary.BigEndian.Uint32(prefix[16:])
	if binary.BigEndian.Uint32(prefix[:]) != frameMagic || n == 0 || n > maxItems || note > maxNote {
		return nil, errTorn
	}
	length := int64(framePrefix) + int64(n)*itemSize + int64(note) + 4
	if at+length > size {
		return nil, errTorn
	}
	head := make([]byte, length)
	if _, err := r.ReadAt(head, at); err != nil {
		return nil, err
	}
	if crc32.Checksum(head[:length-4], castagnoli) != binary.BigEndian.Uint32(head[length-4:]) {
		return nil, errTorn
	}
	f := &frame{first: binary.BigEndian.Uint64(head[8:]), items: make([]item, n), end: at + length}
	for i := range f.items {
		b := head[framePrefix+i*itemSize:]
		f.items[i] = item{offset: uint64(f.end), length: binary.BigEndian.Uint32(b), sum: binary.BigEndian.Uint32(b[4:])}
		copy(f.items[i].commit[:], b[8:])
		f.end += int64(f.items[i].length)
	}
	f.checkpoint = head[length-4-int64(note) : length-4]
	if f.end > size {
		return nil, errTorn
	}
	return f, nil
}

// errChecksum: a body is not what was written.
var errChecksum = errors.New("it does not have its checksum")

// read returns the body, nil if it was erased, and the memory it lies in, which is buf if that suffices.
func (it *item) read(r io.ReaderAt, buf []byte) (body, memory []byte, err error) {
	if cap(buf) < int(it.length) {
		buf = make([]byte, it.length)
	}
	buf = buf[:it.length]
	if _, err := r.ReadAt(buf, int64(it.offset)); err != nil {
		return nil, buf, err
	}
	if crc32.Checksum(buf, castagnoli) == it.sum {
		return buf, buf, nil
	}
	if erased(buf) {
		return nil, buf, nil
	}
	return nil, buf, errChecksum
}

// check reads the bodies and returns the first that is damaged, -1 if none is.
func (f *frame) check(r io.ReaderAt, buf []byte) (bad int, _ []byte, err error) {
	for i := range f.items {
		if _, buf, err = f.items[i].read(r, buf); errors.Is(err, errChecksum) {
			return i, buf, nil
		} else if err != nil {
			return i, buf, err
		}
	}
	return -1, buf, nil
}

func erased(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
