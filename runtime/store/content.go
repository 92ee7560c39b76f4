package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// Content is what decided, under its sha256: contracts in their normal form, sets of policies, modules of adapters. The
// digests are those by which decisions name them, so whatever is read is held against its name, and what is the same is
// stored once. Nothing removes content.

// ErrNoContent: nothing of that digest is stored.
var ErrNoContent = errors.New("no such content")

// contentPiece is how much of a content one value holds: large ones are modules of megabytes, and Badger takes no more
// than 1 MB in memory.
const contentPiece = 512 << 10

// maxContent is the most that one content has; also what a damaged length can make this release allocate.
const maxContent = 256 << 20

// A content is stored in pieces of contentPiece bytes, the last one shorter, under their numbers from 0. Before the first
// stand a version (one byte) and the length of the whole (eight bytes, big-endian). The first is written last: with it the
// content is there.
const (
	contentVersion = 1
	contentHeader  = 1 + 8
)

// PutContent stores content unless it is there already, and returns its digest, 64 hex digits, once that is durable.
// What a crash leaves of large content is not there, and takes its place when it is put again. Errors: trace.ErrTooLarge,
// ErrLowSpace, ErrBroken, ErrClosed; content is not there then. ctx is looked at before each write, which it does not
// interrupt.
func (s *Store) PutContent(ctx context.Context, content []byte) (digest string, err error) {
	sum := sha256.Sum256(content)
	digest = hex.EncodeToString(sum[:])
	there := false
	err = s.read(func(txn *badger.Txn) (err error) {
		there, err = has(txn, contentKey(sum, 0))
		return err
	})
	if err == nil && !there {
		err = s.putPieces(ctx, sum, content)
	}
	if err != nil {
		return "", fmt.Errorf("put content %.12s: %w", digest, err)
	}
	return digest, nil
}

func (s *Store) putPieces(ctx context.Context, sum [sha256.Size]byte, content []byte) error {
	for piece := pieces(len(content)) - 1; piece > 0; piece-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.write(func(txn *badger.Txn, _ *head) error { return s.setPiece(txn, sum, piece, content) }); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.write(func(txn *badger.Txn, _ *head) error { return s.setPiece(txn, sum, 0, content) })
}

// pieces returns how many pieces n bytes are stored in, at least one.
func pieces(n int) int { return max(1, (n+contentPiece-1)/contentPiece) }

func (s *Store) setPiece(txn *badger.Txn, sum [sha256.Size]byte, piece int, content []byte) error {
	if len(content) > maxContent {
		return fmt.Errorf("%w: %d bytes, at most %d can be stored", trace.ErrTooLarge, len(content), maxContent)
	}
	from := piece * contentPiece
	part := content[from:min(len(content), from+contentPiece)]
	if piece == 0 {
		first := make([]byte, 0, contentHeader+len(part))
		first = binary.BigEndian.AppendUint64(append(first, contentVersion), uint64(len(content)))
		part = append(first, part...)
	}
	return s.set(txn, contentKey(sum, piece), part)
}

// putContent stores content, as one among other writes of txn, unless it is there already.
func (s *Store) putContent(txn *badger.Txn, content []byte) (sum [sha256.Size]byte, err error) {
	sum = sha256.Sum256(content)
	there, err := has(txn, contentKey(sum, 0))
	if err != nil || there {
		return sum, err
	}
	for piece := range pieces(len(content)) {
		if err := s.setPiece(txn, sum, piece, content); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Content returns the content of that digest, the caller's own. Errors: ErrNoContent; trace.ErrDamaged if it is not what
// it was.
func (s *Store) Content(_ context.Context, digest string) (content []byte, err error) {
	err = s.read(func(txn *badger.Txn) (err error) {
		content, err = readContent(txn, digest)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("content %.64q: %w", digest, err)
	}
	return content, nil
}

func readContent(txn *badger.Txn, digest string) ([]byte, error) {
	sum, ok := digestOf(digest)
	if !ok {
		return nil, ErrNoContent
	}
	first, err := value(txn, contentKey(sum, 0))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNoContent
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trace.ErrDamaged, err)
	}
	size, content, err := decodeFirst(first)
	if err != nil {
		return nil, err
	}
	for piece := 1; piece < pieces(size); piece++ {
		more, err := value(txn, contentKey(sum, piece))
		if err != nil {
			return nil, fmt.Errorf("%w: piece %d: %w", trace.ErrDamaged, piece, err)
		}
		content = append(content, more...)
	}
	if sha256.Sum256(content) != sum {
		return nil, fmt.Errorf("%w: its bytes do not have its digest", trace.ErrDamaged)
	}
	return content, nil
}

// decodeFirst reads the first piece: the length of the whole, and its beginning.
func decodeFirst(b []byte) (size int, content []byte, err error) {
	d := decoder{rest: b}
	version, n := d.byte(), d.uint64()
	switch {
	case d.err != nil:
		return 0, nil, d.err
	case version != contentVersion:
		return 0, nil, fmt.Errorf("%w: content of version %d, this release knows %d", trace.ErrDamaged, version, contentVersion)
	case n > maxContent || len(d.rest) != min(int(n), contentPiece):
		return 0, nil, fmt.Errorf("%w: it begins with %d bytes of %d", trace.ErrDamaged, len(d.rest), n)
	}
	return int(n), d.rest, nil
}

func contentKey(sum [sha256.Size]byte, piece int) []byte {
	key := append(make([]byte, 0, 1+len(sum)+4), kindContent)
	return binary.BigEndian.AppendUint32(append(key, sum[:]...), uint32(piece))
}

// digestOf reads 64 hex digits.
func digestOf(digest string) (sum [sha256.Size]byte, ok bool) {
	raw, err := hex.DecodeString(digest)
	return sum, err == nil && copy(sum[:], raw) == len(sum) && len(raw) == len(sum)
}

func has(txn *badger.Txn, key []byte) (bool, error) {
	_, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}
