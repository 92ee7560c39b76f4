package store

import (
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// checkTables verifies every table that Badger is about to open. Badger could do it, but opens tables in goroutines of
// its own, where a damaged one ends the process out of reach of any recover; and unverified, an iterator that meets a
// damaged block takes it for the end: a listing would silently be shorter, a registry smaller. Tables hold keys and
// small values, so this reads a fraction of the store.
//
// orphans tells whether there are tables that the manifest does not name, which Badger is about to remove: a crash leaves
// one that was being made, but so does a manifest that lost its end.
func checkTables(o badger.Options) (orphans bool, err error) {
	there, err := filepath.Glob(filepath.Join(o.Dir, "*.sst"))
	if err != nil {
		return false, err
	}
	named, err := checkNamed(o)
	return len(there) > named, err
}

// checkNamed verifies the tables that the manifest names, and returns how many there are.
func checkNamed(o badger.Options) (int, error) {
	f, err := os.Open(filepath.Join(o.Dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // a new store; one that was in use is told apart by its format key
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	// Only what the manifest names: a crash may leave a table behind that was being made, which Badger removes.
	var m badger.Manifest
	err = guard(func() (err error) {
		m, _, err = badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", trace.ErrDamaged, badger.ManifestFilename, err)
	}
	keys, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{
		Dir: o.Dir, ReadOnly: true, EncryptionKey: o.EncryptionKey, EncryptionKeyRotationDuration: o.EncryptionKeyRotationDuration,
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", trace.ErrDamaged, badger.KeyRegistryFileName, err)
	}
	defer keys.Close()
	for id, t := range m.Tables {
		err := errors.New("it is compressed")
		if t.Compression == options.None {
			err = guard(func() error {
				key, err := keys.DataKey(t.KeyID)
				if err != nil {
					return err
				}
				return checkTable(table.NewFilename(id, o.Dir), key.GetData())
			})
		}
		if err != nil {
			return 0, fmt.Errorf("%w: table %06d.sst: %w", trace.ErrDamaged, id, err)
		}
	}
	return len(m.Tables), nil
}

// checkTable verifies index and blocks of a table. A table is: blocks; index (badger/fb), index size, checksum
// (badgerpb4.Checksum), checksum size. A block is: entries and their offsets; checksum; checksum size. Sizes have four
// bytes, big-endian. Of an encrypted table index and blocks are encrypted each by itself, the index's checksum is of what
// is encrypted, a block's a part of it. See Badger's table/builder.go.
func checkTable(name string, key []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := info.Size()
	sum, end, err := sizedBefore(f, end)
	if err != nil {
		return err
	}
	raw, _, err := sizedBefore(f, end)
	if err != nil {
		return err
	}
	if err := verify(raw, sum); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if raw, err = decrypt(raw, key); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	index, at, block := fb.GetRootAsTableIndex(raw, 0), new(fb.BlockOffset), []byte(nil)
	for i := range index.OffsetsLength() {
		if !index.Offsets(at, i) {
			return fmt.Errorf("block %d: the index does not say where it is", i)
		}
		block = append(block[:0], make([]byte, at.Len())...)
		if _, err := f.ReadAt(block, int64(at.Offset())); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		plain, err := decrypt(block, key)
		if err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		sum, rest, err := lastSized(plain)
		if err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		if err := verify(rest, sum); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

// decrypt returns what b, AES in counter mode with its initial vector at the end, is the cipher of; b itself without a key.
func decrypt(b, key []byte) ([]byte, error) {
	if len(key) == 0 {
		return b, nil
	}
	if len(b) < aes.BlockSize {
		return nil, io.ErrUnexpectedEOF
	}
	at := len(b) - aes.BlockSize
	return y.XORBlockAllocate(b[:at], key, b[at:])
}

// sizedBefore reads the bytes that end, with their size after them, before end; it returns where they begin.
func sizedBefore(f io.ReaderAt, end int64) ([]byte, int64, error) {
	var size [4]byte
	if end < 4 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if _, err := f.ReadAt(size[:], end-4); err != nil {
		return nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(size[:]))
	if n > end-4 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	_, err := f.ReadAt(b, end-4-n)
	return b, end - 4 - n, err
}

// lastSized is sizedBefore for bytes: it returns what the size at b's end counts, and what is before it.
func lastSized(b []byte) (last, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	b, size := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if uint64(size) > uint64(len(b)) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	at := len(b) - int(size)
	return b[at:], b[:at], nil
}

func verify(b, sum []byte) error {
	var expected pb.Checksum
	if err := proto.Unmarshal(sum, &expected); err != nil {
		return err
	}
	return y.VerifyChecksum(b, &expected)
}
