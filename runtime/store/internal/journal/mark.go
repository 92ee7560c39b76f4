package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// A mark is the file of the newest checkpoint. It has two places, which are written in turn, so that a crash while one is
// written leaves the other: each is a number that grows with each write (eight bytes, big-endian), the checkpoint's
// length (four), the checkpoint, and the CRC-32C of these (four).
type mark struct {
	file  *os.File
	turn  uint64
	whole int // places that were as they should be when it was opened
}

const (
	markFile  = "checkpoint"
	markPlace = 4 << 10
	markHead  = 8 + 4
)

// createMark makes the file of a log that was never written.
func createMark(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(encodeMark(nil))
	return errors.Join(err, f.Sync(), f.Close())
}

// openMark returns the file, and the newest checkpoint in it: nil if the log was never written.
func openMark(name string) (*mark, []byte, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w; without it nobody can tell whether traces are missing: restore it from a backup", trace.ErrDamaged, err)
	}
	m := &mark{file: f}
	var newest []byte
	for place := range int64(2) {
		turn, checkpoint, ok := readPlace(f, place)
		if !ok {
			continue
		}
		m.whole++
		if turn >= m.turn {
			m.turn, newest = turn, checkpoint
		}
	}
	if m.whole == 0 {
		return nil, nil, errors.Join(damaged("%s: both of its places; restore it from a backup", name), f.Close())
	}
	if len(newest) == 0 {
		return m, nil, nil
	}
	if _, err := tree.ReadHead(newest); err != nil {
		return nil, nil, errors.Join(damaged("%s: %w", name, err), f.Close())
	}
	return m, newest, nil
}

// readPlace reads one of the places: what it is the turn of, and the checkpoint, empty if the log was never written then.
// false: it is not whole.
func readPlace(r io.ReaderAt, place int64) (turn uint64, checkpoint []byte, ok bool) {
	b := make([]byte, markPlace)
	if _, err := r.ReadAt(b, place*markPlace); err != nil {
		return 0, nil, false
	}
	turn, n := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])
	if n > markPlace-markHead-4 || crc32.Checksum(b[:markHead+n], castagnoli) != binary.BigEndian.Uint32(b[markHead+n:]) || turn%2 != uint64(place) {
		return 0, nil, false
	}
	return turn, b[markHead : markHead+n], true
}

// write makes checkpoint the newest, durably.
func (m *mark) write(checkpoint []byte) error {
	if len(checkpoint) > markPlace-markHead-4 {
		return fmt.Errorf("a checkpoint of %d bytes, at most %d are kept", len(checkpoint), markPlace-markHead-4)
	}
	m.turn++
	if _, err := m.file.WriteAt(encodePlace(m.turn, checkpoint), int64(m.turn%2)*markPlace); err != nil {
		return err
	}
	return syncData(m.file)
}

func encodePlace(turn uint64, checkpoint []byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 512), turn)
	b = binary.BigEndian.AppendUint32(b, uint32(len(checkpoint)))
	b = append(b, checkpoint...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// encodeMark returns the file of a log whose newest checkpoint is that one, which write took before.
func encodeMark(checkpoint []byte) []byte {
	b := make([]byte, 2*markPlace)
	for turn := range uint64(2) {
		copy(b[turn*markPlace:], encodePlace(2+turn, checkpoint))
	}
	return b
}
