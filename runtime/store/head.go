package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// head is how far the store has come. It stands in a file beside the database, too, because Badger takes the damaged end
// of its own log for a write that a crash interrupted, drops it, and says nothing.
//
// The file is written after each commit and synced only at Open and Close: a process that is killed leaves it exact, a power cut
// perhaps older. It is never ahead of the database, so a database that is behind it has lost something.
type head struct {
	revision uint64 // last revision of the services
	policies uint64 // last version of the policies
}

// The file is revision and policies (eight bytes each, big-endian) and the CRC-32C of these (four bytes).
const (
	headFile = "head"
	headSize = 8 + 8 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (h head) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, headSize), h.revision)
	b = binary.BigEndian.AppendUint64(b, h.policies)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHead(b []byte) (head, error) {
	if len(b) == 0 {
		return head{}, nil // new, or removed to accept a loss
	}
	end := max(0, len(b)-4)
	if len(b) != headSize || crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return head{}, fmt.Errorf("%w: %s", trace.ErrDamaged, headFile)
	}
	return head{revision: binary.BigEndian.Uint64(b), policies: binary.BigEndian.Uint64(b[8:])}, nil
}

// openHead reads what the database holds and holds it against the file, which stays open for the writes to come.
func (s *Store) openHead() error {
	var is head
	err := s.read(func(txn *badger.Txn) (err error) {
		if is.revision, err = lastRevision(txn); err != nil {
			return err
		}
		is.policies, err = lastPolicies(txn)
		return err
	})
	if err != nil {
		return err
	}
	name := filepath.Join(s.dir, headFile)
	raw, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	was, err := decodeHead(raw)
	if err != nil {
		return fmt.Errorf("%w; if the data is known to be whole, remove %s", err, name)
	}
	if is.revision < was.revision || is.policies < was.policies {
		return fmt.Errorf("%w: %d changes of services and %d versions of policies that were acknowledged are missing "+
			"(it holds %d and %d); restore it from a backup, or remove %s to go on without them", trace.ErrDamaged,
			was.revision-min(is.revision, was.revision), was.policies-min(is.policies, was.policies), is.revision, is.policies, name)
	}
	if s.headFile, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	s.head = is
	// Synced once, so that from now on a write lies within one sector that is there: a power cut leaves it old or new.
	return errors.Join(s.writeHead(), s.headFile.Sync(), syncDir(s.dir))
}

// writeHead writes s.head in one call, so that a reader after a kill sees all of it or nothing. s.writing is held, or
// nobody else has the store yet.
func (s *Store) writeHead() error {
	if s.headFile == nil {
		return nil
	}
	_, err := s.headFile.WriteAt(s.head.encode(), 0)
	return err
}

func (s *Store) closeHead() error {
	if s.headFile == nil {
		return nil
	}
	return errors.Join(s.headFile.Sync(), s.headFile.Close())
}
