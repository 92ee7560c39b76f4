package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// Every change of the registry is noted, numbered from 1: which service, and the digest of its contract, which is stored
// as content. The state after a change is the last row of each service up to it; so a registry of thousands costs
// a row for each change, and any state that ever decided can be told.

// A Registration is a service of a state of the registry.
type Registration struct {
	ID       string // of the service
	Contract string // digest of its contract, 64 hex digits: that of its normal form as Content has it
}

// A noted change is: version 1 (one byte); the service's id (its length as uvarint, and its bytes); the digest of its
// contract (32 bytes), or nothing where it was removed.
const changeVersion = 1

// A lastChange is how far the notes have come: the number of the last change (eight bytes, big-endian), and the digest of the
// registry after it (32 bytes), or nothing where nobody named it.
type lastChange struct {
	seq      uint64
	registry string // hex; empty: not named
}

// noteContract notes that the contract of the service of that id is now normal. registry is the digest of the registry
// with it, under which RegistryAt finds its state; empty: it is not to be found.
func (s *Store) noteContract(txn *badger.Txn, id string, normal []byte, registry string) error {
	sum, err := s.putContent(txn, normal)
	if err != nil {
		return err
	}
	return s.note(txn, append(appendString([]byte{changeVersion}, id), sum[:]...), registry)
}

// noteRemoval notes that there is no service of that id any more.
func (s *Store) noteRemoval(txn *badger.Txn, id, registry string) error {
	return s.note(txn, appendString([]byte{changeVersion}, id), registry)
}

func (s *Store) note(txn *badger.Txn, change []byte, registry string) error {
	last, err := readLast(txn)
	if err != nil {
		return err
	}
	last.seq++
	if err := s.set(txn, changeKey(last.seq), change); err != nil {
		return err
	}
	last.registry = registry
	return s.setLast(txn, last)
}

// setLast stores how far the notes have come, and that the registry that is named is then.
func (s *Store) setLast(txn *badger.Txn, last lastChange) error {
	b := binary.BigEndian.AppendUint64(nil, last.seq)
	if sum, ok := digestOf(last.registry); ok {
		key := registryKey(sum)
		there, err := has(txn, key)
		if err != nil {
			return err
		}
		if !there { // else an earlier state was the same, and is quicker to tell
			if err := txn.Set(key, slices.Clone(b)); err != nil {
				return err
			}
		}
		b = append(b, sum[:]...)
	}
	return txn.Set(metaKey("changes"), b)
}

func readLast(txn *badger.Txn) (last lastChange, err error) {
	b, err := value(txn, metaKey("changes"))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return last, nil
	}
	if err != nil {
		return last, fmt.Errorf("changes of the registry: %w: %w", trace.ErrDamaged, err)
	}
	if len(b) != 8 && len(b) != 8+sha256.Size {
		return last, fmt.Errorf("changes of the registry: %w: the last has %d bytes", trace.ErrDamaged, len(b))
	}
	last.seq = binary.BigEndian.Uint64(b)
	if len(b) > 8 {
		last.registry = hex.EncodeToString(b[8:])
	}
	return last, nil
}

// NoteRegistry makes the last state that is noted the registry of that digest, whose services' contracts are given in their
// normal form by id, and returns once that is durable. It costs one read where that is so already; else it notes what is
// different: a store of before there were notes, or contracts that a new schema reads otherwise. What was noted when it
// fails stays and is harmless. ctx is looked at before each write.
func (s *Store) NoteRegistry(ctx context.Context, registry string, normal map[string][]byte) error {
	known := false
	was := map[string]string{}
	err := s.read(func(txn *badger.Txn) error {
		last, err := readLast(txn)
		if err != nil || last.registry == registry {
			known = err == nil
			return err
		}
		was, err = stateAt(ctx, txn, last.seq)
		return err
	})
	if err == nil && !known {
		err = s.noteAll(ctx, registry, was, normal)
	}
	if err != nil {
		return fmt.Errorf("note the registry: %w", err)
	}
	return nil
}

func (s *Store) noteAll(ctx context.Context, registry string, was map[string]string, normal map[string][]byte) error {
	var changed []string
	for id, contract := range normal {
		sum := sha256.Sum256(contract)
		if was[id] != hex.EncodeToString(sum[:]) {
			changed = append(changed, id)
		}
	}
	for id := range was {
		if _, there := normal[id]; !there {
			changed = append(changed, id)
		}
	}
	slices.Sort(changed)
	for from := 0; from < len(changed); {
		if err := ctx.Err(); err != nil {
			return err
		}
		to, size := from, 0
		for to < len(changed) && (to == from || size < renewBytes) {
			size += len(normal[changed[to]])
			to++
		}
		err := s.write(func(txn *badger.Txn, _ *head) error {
			for _, id := range changed[from:to] {
				var err error
				if contract, there := normal[id]; there {
					err = s.noteContract(txn, id, contract, "")
				} else {
					err = s.noteRemoval(txn, id, "")
				}
				if err != nil {
					return fmt.Errorf("service %s: %w", id, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		from = to
	}
	return s.write(func(txn *badger.Txn, _ *head) error {
		last, err := readLast(txn)
		if err != nil {
			return err
		}
		last.registry = registry
		return s.setLast(txn, last)
	})
}

// RegistryAt returns the services that the registry of that digest had, sorted by id; empty: none. That they have that
// digest is for the caller to see. Errors: ErrNoContent if no registry of that digest was noted; trace.ErrDamaged.
func (s *Store) RegistryAt(ctx context.Context, digest string) (services []Registration, err error) {
	err = s.read(func(txn *badger.Txn) error {
		sum, ok := digestOf(digest)
		if !ok {
			return ErrNoContent
		}
		b, err := value(txn, registryKey(sum))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return ErrNoContent
		}
		if err != nil {
			return fmt.Errorf("%w: %w", trace.ErrDamaged, err)
		}
		if len(b) != 8 {
			return fmt.Errorf("%w: the number of its change has %d bytes", trace.ErrDamaged, len(b))
		}
		state, err := stateAt(ctx, txn, binary.BigEndian.Uint64(b))
		for _, id := range slices.Sorted(maps.Keys(state)) {
			services = append(services, Registration{id, state[id]})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registry %.64q: %w", digest, err)
	}
	return services, nil
}

// stateAt returns the digests of the contracts after change seq, by service.
func stateAt(ctx context.Context, txn *badger.Txn, seq uint64) (map[string]string, error) {
	state := map[string]string{}
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{kindChange}, PrefetchValues: true, PrefetchSize: 100})
	defer it.Close()
	next := uint64(1)
	for it.Rewind(); it.Valid() && next <= seq; it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if key := it.Item().Key(); string(key) != string(changeKey(next)) {
			break
		}
		err := it.Item().Value(func(b []byte) error {
			id, contract, err := decodeChange(b)
			if err != nil {
				return err
			}
			if contract == "" {
				delete(state, id)
			} else {
				state[id] = contract
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("change %d of the registry: %w", next, err)
		}
		next++
	}
	if next <= seq {
		return nil, fmt.Errorf("%w: change %d of the registry is missing, there were %d", trace.ErrDamaged, next, seq)
	}
	return state, nil
}

// decodeChange reads a noted change; contract is empty where the service was removed.
func decodeChange(b []byte) (id, contract string, err error) {
	d := decoder{rest: b}
	if v := d.byte(); d.err == nil && v != changeVersion {
		return "", "", fmt.Errorf("%w: of version %d, this release knows %d", trace.ErrDamaged, v, changeVersion)
	}
	id = d.string()
	if n := len(d.rest); d.err == nil && n != 0 && n != sha256.Size {
		return "", "", fmt.Errorf("%w: a digest of %d bytes", trace.ErrDamaged, n)
	}
	return id, hex.EncodeToString(d.rest), d.err
}

func changeKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{kindChange}, seq) }

func registryKey(digest [sha256.Size]byte) []byte { return append([]byte{kindRegistry}, digest[:]...) }
