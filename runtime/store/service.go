package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// A ServiceRecord is a contract in force, as it was accepted.
type ServiceRecord struct {
	ID           string    // the contract's service_id; not empty
	Filename     string    // where Source came from, for messages
	Source       []byte    // as the author wrote it
	Normal       []byte    // normal form, canonical JSON
	Message      []byte    // normal form, protobuf; nil in records of releases before there was one
	SchemaDigest string    // of the CUE that made Normal of Source
	Revision     uint64    // of the registry when it came into force; > 0
	Time         time.Time // when; in UTC and to the nanosecond when read back
}

// ErrRevision: the revision is not newer than the last one that was stored. Nothing was written.
var ErrRevision = errors.New("revision is not newer than the stored one")

// SaveService stores r, in place of the record of the same id if there is one, and makes r.Revision the last revision,
// in one transaction. It returns once that is durable. The revision must be newer than the last; saves are therefore
// made in the order of their revisions. registry is the digest of the registry with it, under which RegistryAt tells its
// state for ever; empty: it is not to be told. Errors: ErrRevision, ErrLowSpace, ErrBroken, ErrClosed leave nothing written.
// After any other error it is not known whether it was. ctx is looked at before the write, which it does not interrupt.
func (s *Store) SaveService(ctx context.Context, r ServiceRecord, registry string) error {
	if r.ID == "" || len(r.ID) > maxID {
		return fmt.Errorf("save service %.80q: its id must have 1 to %d bytes", r.ID, maxID)
	}
	err := s.changeServices(ctx, r.Revision, func(txn *badger.Txn) error {
		if err := s.set(txn, serviceKey(r.ID), encodeService(&r)); err != nil {
			return err
		}
		return s.noteContract(txn, r.ID, r.Normal, registry)
	})
	if err != nil {
		return fmt.Errorf("save service %s: %w", r.ID, err)
	}
	return nil
}

// DeleteService removes the record of that id and its history, if there are any, and makes revision the last one; registry
// is the digest of the registry without it. Otherwise it is like SaveService.
func (s *Store) DeleteService(ctx context.Context, id string, revision uint64, registry string) error {
	err := s.changeServices(ctx, revision, func(txn *badger.Txn) error {
		return errors.Join(txn.Delete(serviceKey(id)), txn.Delete(historyKey(id)), s.noteRemoval(txn, id, registry))
	})
	if err != nil {
		return fmt.Errorf("delete service %.80q: %w", id, err)
	}
	return nil
}

// RenewServices stores records in place of those of the same id and revision, which they are by a newer schema; the last
// revision stays. A record whose revision is no longer the stored one is left out. Some may be stored and others not
// when it fails; each is whole.
func (s *Store) RenewServices(ctx context.Context, records []ServiceRecord) error {
	for len(records) > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("renew services: %w", err)
		}
		n, size := 0, 0
		for n < len(records) && (n == 0 || size < renewBytes) {
			size += len(records[n].Source) + len(records[n].Normal) + len(records[n].Message)
			n++
		}
		err := s.write(func(txn *badger.Txn, _ *head) error { return s.renew(txn, records[:n]) })
		if err != nil {
			return fmt.Errorf("renew services from %s on: %w", records[0].ID, err)
		}
		records = records[n:]
	}
	return nil
}

// renewBytes is about how much one transaction of RenewServices holds: many syncs are saved, and Badger's own bound, a
// seventh of a memtable, is far.
const renewBytes = 256 << 10

func (s *Store) renew(txn *badger.Txn, records []ServiceRecord) error {
	for i := range records {
		b, err := value(txn, serviceKey(records[i].ID))
		if errors.Is(err, badger.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		stored, err := decodeService(b)
		if err != nil {
			return fmt.Errorf("service %s: %w", records[i].ID, err)
		}
		if stored.Revision != records[i].Revision {
			continue
		}
		if err := s.set(txn, serviceKey(records[i].ID), encodeService(&records[i])); err != nil {
			return fmt.Errorf("service %s: %w", records[i].ID, err)
		}
	}
	return nil
}

// Services returns every record, sorted by id, and the last revision, 0 for a new store. The two belong together: no
// save lies between them. An error about one record names it; none is left out silently.
func (s *Store) Services(ctx context.Context) (records []ServiceRecord, last uint64, err error) {
	err = s.read(func(txn *badger.Txn) error {
		if last, err = lastRevision(txn); err != nil {
			return err
		}
		prefix := []byte{kindService}
		it := txn.NewIterator(badger.IteratorOptions{PrefetchValues: false, Prefix: prefix})
		defer it.Close()
		var b []byte
		for it.Rewind(); it.Valid(); it.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			id := string(it.Item().Key()[1:])
			if b, err = it.Item().ValueCopy(b); err != nil {
				return fmt.Errorf("service %s: %w: %w", id, trace.ErrDamaged, err)
			}
			r, err := decodeService(b)
			if err != nil {
				return fmt.Errorf("service %s: %w", id, err)
			}
			if r.ID != id {
				return fmt.Errorf("service %s: %w: it says it is %q", id, trace.ErrDamaged, r.ID)
			}
			records = append(records, *r)
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read services: %w", err)
	}
	return records, last, nil
}

// maxID is the longest service id, in bytes.
const maxID = 1024

func (s *Store) changeServices(ctx context.Context, revision uint64, change func(*badger.Txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.write(func(txn *badger.Txn, to *head) error {
		if revision <= to.revision {
			return fmt.Errorf("%w: %d after %d", ErrRevision, revision, to.revision)
		}
		to.revision = revision
		if err := txn.Set(metaKey("revision"), binary.BigEndian.AppendUint64(nil, revision)); err != nil {
			return err
		}
		return change(txn)
	})
}

func lastRevision(txn *badger.Txn) (uint64, error) {
	b, err := value(txn, metaKey("revision"))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("last revision: %w", err)
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("last revision: %w: it has %d bytes", trace.ErrDamaged, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// A stored service is: version 2 (one byte); revision (eight bytes, big-endian); time (seconds since 1970 as eight
// bytes, nanoseconds as four); id, filename, schema digest, source, normal form as JSON and as message, each its length
// as uvarint and its bytes. Version 1 has no message.
const serviceVersion = 2

func encodeService(r *ServiceRecord) []byte {
	b := make([]byte, 0, 128+len(r.Source)+len(r.Normal)+len(r.Message))
	b = append(b, serviceVersion)
	b = binary.BigEndian.AppendUint64(b, r.Revision)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Time.Nanosecond()))
	b = appendString(b, r.ID)
	b = appendString(b, r.Filename)
	b = appendString(b, r.SchemaDigest)
	b = appendString(b, r.Source)
	b = appendString(b, r.Normal)
	return appendString(b, r.Message)
}

// decodeService reads a stored service. The record shares nothing with b.
func decodeService(b []byte) (*ServiceRecord, error) {
	d := decoder{rest: b}
	version := d.byte()
	if d.err == nil && (version < 1 || version > serviceVersion) {
		return nil, fmt.Errorf("%w: a service of version %d, this release knows 1 to %d", trace.ErrDamaged, version, serviceVersion)
	}
	r := &ServiceRecord{Revision: d.uint64()}
	seconds, nanos := int64(d.uint64()), d.take(4)
	if d.err == nil {
		n := binary.BigEndian.Uint32(nanos)
		if n >= 1e9 || seconds > math.MaxInt64/2 || seconds < math.MinInt64/2 {
			return nil, fmt.Errorf("%w: no such time", trace.ErrDamaged)
		}
		r.Time = time.Unix(seconds, int64(n)).UTC()
	}
	r.ID, r.Filename, r.SchemaDigest = d.string(), d.string(), d.string()
	r.Source, r.Normal = d.bytes(), d.bytes()
	if version > 1 {
		r.Message = d.bytes()
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return r, nil
}
