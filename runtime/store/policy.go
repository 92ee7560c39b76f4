package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// A PolicyVersion is one version of the policy set that was brought into force. The last is the one in force.
type PolicyVersion struct {
	Number      uint32    // from 1, without a gap
	Digest      string    // of the set, as the policies' room names it
	Author      string    // who wrote it, as was said; empty: nobody said
	ActivatedBy string    // subject of the principal that brought it into force; empty: the server itself
	Reason      string    // empty: nobody said
	Time        time.Time // when; in UTC and to the nanosecond when read back
	Restores    uint32    // an earlier version, whose files these are; 0: it has its own
	Rules       int       // >= 0
	FileCount   int       // >= 0
}

// A PolicyRecord is a version with its files, by path. Of one that restores another Files is nil when it is saved, and
// the other's when it is read.
type PolicyRecord struct {
	PolicyVersion
	Files map[string][]byte
}

// Errors about versions of policies. Test with errors.Is.
var (
	// ErrVersion: the number is not the one after the last, or it restores none that there is. Nothing was written.
	ErrVersion = errors.New("version is not the next one")
	// ErrNoVersion: there is no such version.
	ErrNoVersion = errors.New("no such version")
)

// SavePolicies stores records, whose numbers follow the last one that there is, in one transaction, and returns once that
// is durable. Errors: ErrVersion, trace.ErrTooLarge, ErrLowSpace, ErrBroken, ErrClosed leave nothing written. After any
// other error it is not known whether it was. ctx is looked at before the write, which it does not interrupt.
func (s *Store) SavePolicies(ctx context.Context, records ...PolicyRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.write(func(txn *badger.Txn, to *head) error {
		for i := range records {
			if err := s.putPolicies(txn, &records[i], to); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save policies: %w", err)
	}
	return nil
}

func (s *Store) putPolicies(txn *badger.Txn, r *PolicyRecord, to *head) error {
	if uint64(r.Number) != to.policies+1 {
		return fmt.Errorf("%w: %d after %d", ErrVersion, r.Number, to.policies)
	}
	to.policies++
	if r.Restores != 0 {
		if _, err := loadVersion(txn, r.Restores); err != nil || r.Files != nil {
			return fmt.Errorf("%w: %d cannot restore %d", ErrVersion, r.Number, r.Restores)
		}
	} else if err := s.set(txn, policyFilesKey(r.Number), encodeFiles(r.Files)); err != nil {
		return err
	}
	return s.set(txn, policyKey(r.Number), encodeVersion(&r.PolicyVersion))
}

// Policies returns versions, newest first: those before the number before (0: all), at most limit. nil: there are none.
func (s *Store) Policies(ctx context.Context, before uint32, limit int) (versions []PolicyVersion, err error) {
	err = s.read(func(txn *badger.Txn) error {
		last, err := lastPolicies(txn)
		if err != nil {
			return err
		}
		at := uint32(last)
		if before != 0 {
			at = min(at, before-1)
		}
		for ; at > 0 && len(versions) < limit; at-- {
			if err := ctx.Err(); err != nil {
				return err
			}
			v, err := loadVersion(txn, at)
			if err != nil {
				return err
			}
			versions = append(versions, *v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	return versions, nil
}

// PolicyRecord returns one version with its files; 0: the last. The error wraps ErrNoVersion if there is none.
func (s *Store) PolicyRecord(_ context.Context, number uint32) (r *PolicyRecord, err error) {
	err = s.read(func(txn *badger.Txn) error {
		if number == 0 {
			last, err := lastPolicies(txn)
			if err != nil {
				return err
			}
			number = uint32(last)
		}
		v, err := loadVersion(txn, number)
		if err != nil {
			return err
		}
		of := number
		for at := v; at.Restores != 0; of = at.Number {
			if at.Restores >= at.Number {
				return fmt.Errorf("version %d: %w: it restores %d", at.Number, trace.ErrDamaged, at.Restores)
			}
			if at, err = loadVersion(txn, at.Restores); err != nil {
				return err
			}
		}
		b, err := value(txn, policyFilesKey(of))
		if err != nil {
			return fmt.Errorf("files of version %d: %w: %w", of, trace.ErrDamaged, err)
		}
		files, err := decodeFiles(b)
		if err != nil {
			return fmt.Errorf("files of version %d: %w", of, err)
		}
		r = &PolicyRecord{*v, files}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	return r, nil
}

func policyKey(number uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kindPolicy}, number)
}

func policyFilesKey(number uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kindPolicyFiles}, number)
}

// lastPolicies returns the last version's number, 0 if there is none.
func lastPolicies(txn *badger.Txn) (uint64, error) {
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: []byte{kindPolicy}})
	defer it.Close()
	it.Seek(policyKey(math.MaxUint32))
	if !it.Valid() {
		return 0, nil
	}
	key := it.Item().Key()
	if len(key) != 5 {
		return 0, fmt.Errorf("%w: the key of a version of policies has %d bytes", trace.ErrDamaged, len(key))
	}
	return uint64(binary.BigEndian.Uint32(key[1:])), nil
}

func loadVersion(txn *badger.Txn, number uint32) (*PolicyVersion, error) {
	b, err := value(txn, policyKey(number))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, fmt.Errorf("version %d: %w", number, ErrNoVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("version %d: %w: %w", number, trace.ErrDamaged, err)
	}
	v, err := decodeVersion(b)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", number, err)
	}
	if v.Number != number {
		return nil, fmt.Errorf("version %d: %w: it says it is %d", number, trace.ErrDamaged, v.Number)
	}
	return v, nil
}

// A stored version is: form 1 (one byte); number, the number it restores, rules and files (four bytes each, big-endian);
// time (seconds since 1970 as eight bytes, nanoseconds as four); digest, author, activated by, reason, each its length as
// uvarint and its bytes. Its files are: form 1; their number (four bytes); of each the path and the content, likewise.
const policyForm = 1

func encodeVersion(v *PolicyVersion) []byte {
	b := make([]byte, 0, 128+len(v.Reason))
	b = append(b, policyForm)
	for _, n := range []uint32{v.Number, v.Restores, uint32(v.Rules), uint32(v.FileCount)} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(v.Time.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(v.Time.Nanosecond()))
	for _, s := range []string{v.Digest, v.Author, v.ActivatedBy, v.Reason} {
		b = appendString(b, s)
	}
	return b
}

func decodeVersion(b []byte) (*PolicyVersion, error) {
	d := decoder{rest: b}
	if f := d.byte(); d.err == nil && f != policyForm {
		return nil, fmt.Errorf("%w: of form %d, this release knows %d", trace.ErrDamaged, f, policyForm)
	}
	v := &PolicyVersion{Number: d.uint32(), Restores: d.uint32(), Rules: int(d.uint32()), FileCount: int(d.uint32())}
	seconds, nanos := int64(d.uint64()), d.uint32()
	if d.err == nil && (nanos >= 1e9 || seconds > math.MaxInt64/2 || seconds < math.MinInt64/2) {
		return nil, fmt.Errorf("%w: no such time", trace.ErrDamaged)
	}
	v.Time = time.Unix(seconds, int64(nanos)).UTC()
	v.Digest, v.Author, v.ActivatedBy, v.Reason = d.string(), d.string(), d.string(), d.string()
	if err := d.end(); err != nil {
		return nil, err
	}
	return v, nil
}

func encodeFiles(files map[string][]byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{policyForm}, uint32(len(files)))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b = appendString(b, name)
		b = appendString(b, string(files[name]))
	}
	return b
}

func decodeFiles(b []byte) (map[string][]byte, error) {
	d := decoder{rest: b}
	if f := d.byte(); d.err == nil && f != policyForm {
		return nil, fmt.Errorf("%w: of form %d, this release knows %d", trace.ErrDamaged, f, policyForm)
	}
	n := d.uint32()
	files := make(map[string][]byte)
	for range n {
		if d.err != nil {
			break
		}
		name := d.string()
		files[name] = d.bytes()
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if len(files) != int(n) {
		return nil, fmt.Errorf("%w: %d files of %d", trace.ErrDamaged, len(files), n)
	}
	return files, nil
}
