package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// Traces returns the store's log of decisions, to be handed to trace.Open. It lives as long as the store.
func (s *Store) Traces() trace.Storage { return traces{s} }

// traces implements trace.Storage.
type traces struct{ s *Store }

func (t traces) Next(context.Context) (uint64, error) {
	t.s.writing.Lock()
	defer t.s.writing.Unlock()
	return t.s.head.next, nil
}

func (t traces) Append(_ context.Context, group []trace.Record) error {
	if len(group) == 0 {
		return nil
	}
	err := t.s.write(func(txn *badger.Txn, to *head) error {
		// Neither Badger nor the files keep anything of what they were given once this has ended, well or badly.
		w := groupWriter{s: t.s, txn: txn, records: t.s.records[:0]}
		if t.s.bodies != nil {
			w.at, w.full = t.s.bodies.next()
		}
		for i := range group {
			if err := w.put(&group[i], to.next); err != nil {
				return err
			}
			to.next++
		}
		if cap(w.records) <= maxKept {
			t.s.records = w.records
		}
		return w.end()
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, badger.ErrTxnTooBig):
		return fmt.Errorf("append %d traces: %w", len(group), trace.ErrTooLarge)
	}
	return fmt.Errorf("append %d traces from sequence %d: %w", len(group), group[0].Sequence, err)
}

// maxKept is how much memory for encoded records is kept from one group to the next.
const maxKept = 8 << 20

// A groupWriter writes a group of records, and their index rows, into one transaction.
type groupWriter struct {
	s       *Store
	txn     *badger.Txn
	records []byte
	at      place // of records
	full    place // as bodies.next returned it
}

// put adds one record. The transaction sees its own writes: an id given twice in a group is noticed.
func (w *groupWriter) put(r *trace.Record, want uint64) error {
	if r.Sequence != want {
		return fmt.Errorf("sequence %d where %d should be", r.Sequence, want)
	}
	id := idKey(r.TraceID)
	switch _, err := w.txn.Get(id); {
	case err == nil:
		return fmt.Errorf("trace %s: %w", r.TraceID, trace.ErrExists)
	case !errors.Is(err, badger.ErrKeyNotFound):
		return err
	}
	if err := w.txn.Set(id, binary.BigEndian.AppendUint64(nil, r.Sequence)); err != nil {
		return err
	}
	from := len(w.records)
	w.records = appendRecord(w.records, r)
	record := w.records[from:len(w.records):len(w.records)]
	if w.s.bodies != nil {
		record = locate(place{w.at.file, w.at.offset + uint64(from)}, record).encode()
	}
	if err := w.s.set(w.txn, traceKey(r.Sequence), record); err != nil {
		return err
	}
	for _, key := range indexKeys(r) {
		if err := w.txn.Set(key, nil); err != nil {
			return err
		}
	}
	return nil
}

// end makes the records durable. It comes before the commit: what the database points at is there.
func (w *groupWriter) end() error {
	if w.s.bodies == nil {
		return nil
	}
	if w.full.file > 0 {
		if err := w.txn.Set(bodiesKey(w.full.file), binary.BigEndian.AppendUint64(nil, w.full.offset)); err != nil {
			return err
		}
	}
	return w.s.bodies.write(w.records)
}

func (t traces) Get(_ context.Context, traceID string) (r *trace.Record, err error) {
	err = t.s.read(func(txn *badger.Txn) error {
		b, err := value(txn, idKey(traceID))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return trace.ErrNotFound
		}
		if err != nil {
			return err
		}
		if len(b) != 8 {
			return fmt.Errorf("%w: its sequence has %d bytes", trace.ErrDamaged, len(b))
		}
		r, err = t.s.load(txn, binary.BigEndian.Uint64(b))
		if err == nil && r.TraceID != traceID {
			err = fmt.Errorf("%w: another trace, %s, lies in its place", trace.ErrDamaged, r.TraceID)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("trace %.40q: %w", traceID, err)
	}
	return r, nil
}

func (t traces) List(ctx context.Context, f trace.Filter) (found []*trace.Record, err error) {
	err = t.s.read(func(txn *badger.Txn) error {
		found, err = t.s.list(ctx, txn, &f)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// load reads the record of that sequence.
func (s *Store) load(txn *badger.Txn, seq uint64) (*trace.Record, error) {
	b, err := value(txn, traceKey(seq))
	if err != nil {
		return nil, fmt.Errorf("sequence %d: %w: %w", seq, trace.ErrDamaged, err)
	}
	if len(b) == locationSize && b[0] == locationVersion {
		l, err := decodeLocation(b)
		if err == nil {
			b, err = s.bodies.read(l)
		}
		if err != nil {
			return nil, fmt.Errorf("sequence %d: %w", seq, err)
		}
	}
	r, err := decodeRecord(b)
	if err != nil {
		return nil, fmt.Errorf("sequence %d: %w", seq, err)
	}
	if r.Sequence != seq {
		return nil, fmt.Errorf("sequence %d: %w: it says it is %d", seq, trace.ErrDamaged, r.Sequence)
	}
	return r, nil
}

// nextSequence returns one more than the last sequence.
func nextSequence(txn *badger.Txn) (uint64, error) {
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: []byte{kindTrace}})
	defer it.Close()
	it.Seek(traceKey(1<<64 - 1))
	if !it.Valid() {
		return 0, nil
	}
	key := it.Item().Key()
	if len(key) != 9 {
		return 0, fmt.Errorf("%w: a trace's key has %d bytes", trace.ErrDamaged, len(key))
	}
	return binary.BigEndian.Uint64(key[1:]) + 1, nil
}

// value returns a copy of what lies under key.
func value(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}
