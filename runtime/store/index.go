package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// unknown returns trace.ErrExists if a trace id is in d already, on its way there, or twice among records. It is for the
// appender: what is not on its way when it looks does not come to be while it goes on looking.
func (d *day) unknown(records []trace.Record) error {
	ids := make(map[string]bool, len(records))
	for i := range records {
		if id := records[i].TraceID; d.t.indexer.holds(id) {
			return fmt.Errorf("trace %s: %w", id, trace.ErrExists)
		}
	}
	return d.read(func(txn *badger.Txn) error {
		for i := range records {
			id := records[i].TraceID
			_, err := txn.Get(idKey(id))
			if err == nil || ids[id] {
				return fmt.Errorf("trace %s: %w", id, trace.ErrExists)
			}
			if !errors.Is(err, badger.ErrKeyNotFound) {
				return fmt.Errorf("%w: %w", trace.ErrRefused, err)
			}
			ids[id] = true
		}
		return nil
	})
}

// add puts records, which lie at at, into the index.
func (d *day) add(records []trace.Record, at []journal.Location) error {
	if err := guard(func() error { return d.put(records, at) }); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range records {
		if when := records[i].Time; d.newest.IsZero() || when.After(d.newest) {
			d.newest = when
		}
		if when := records[i].Time; d.oldest.IsZero() || when.Before(d.oldest) {
			d.oldest = when
		}
	}
	d.Next = records[len(records)-1].Sequence + 1
	return nil
}

// put writes the rows of records, a group at most, and how far the index is then, in one transaction.
func (d *day) put(records []trace.Record, at []journal.Location) error {
	if len(records) == 0 {
		return nil
	}
	txn := d.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	// A transaction holds some tens of thousands of rows. What does not fit goes into another; how far the index is
	// stands in the last, so that what a crash leaves of the others is written again.
	set := func(key, value []byte) error {
		err := txn.Set(key, value)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err := txn.Commit(); err != nil {
				return err
			}
			txn = d.db.NewTransaction(true)
			err = txn.Set(key, value)
		}
		return err
	}
	keys := make([]byte, 0, len(records)*512) // one piece of memory for all keys; it must not be used again before the commit
	for i := range records {
		var err error
		if keys, err = eachRow(keys, &records[i], at[i], set); err != nil {
			return err
		}
	}
	next := records[len(records)-1].Sequence + 1
	if err := set(metaKey(indexedName), binary.BigEndian.AppendUint64(nil, next)); err != nil {
		return err
	}
	return txn.Commit()
}

// eachRow calls set with the rows of r, which lies at at; of one without a trace id, whose body was erased, only its place.
// The keys of listings are appended to keys, which is returned.
func eachRow(keys []byte, r *trace.Record, at journal.Location, set func(key, value []byte) error) ([]byte, error) {
	if err := set(traceKey(r.Sequence), place{at, r.DurationMs, r.Cost}.encode()); err != nil || r.TraceID == "" {
		return keys, err
	}
	if err := set(idKey(r.TraceID), binary.BigEndian.AppendUint64(nil, r.Sequence)); err != nil {
		return keys, err
	}
	return eachIndexKey(keys, r, func(key []byte) error { return set(key, nil) })
}

// read runs f in a transaction that sees the index as it is now. d is in use.
func (d *day) read(f func(*badger.Txn) error) error {
	return guard(func() error {
		txn := d.db.NewTransaction(false)
		defer txn.Discard()
		return f(txn)
	})
}

func (d *day) sequenceOf(traceID string) (seq uint64, err error) {
	err = d.read(func(txn *badger.Txn) error {
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
		seq = binary.BigEndian.Uint64(b)
		return nil
	})
	return seq, err
}

// load reads the record of that sequence.
func (d *day) load(seq uint64) (r *trace.Record, err error) {
	err = d.read(func(txn *badger.Txn) error {
		p, err := d.place(txn, seq)
		if err != nil {
			return err
		}
		body, err := d.t.journal.Read(p.Location)
		if err != nil {
			return fmt.Errorf("sequence %d: %w", seq, err)
		}
		r, err = d.t.s.record(body, seq)
		return err
	})
	return r, err
}

// A place is where a trace lies, and what of it is compared without reading it: version 3 (one byte), the location,
// duration and cost (each a float64 in eight bytes, big-endian).
type place struct {
	journal.Location
	durationMs, cost float64
}

const placeVersion = 3

func (p place) encode() []byte {
	b := append(make([]byte, 0, 1+journal.LocationSize+8+8), placeVersion)
	b = p.Append(b)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(p.durationMs))
	return binary.BigEndian.AppendUint64(b, math.Float64bits(p.cost))
}

func decodePlace(b []byte) (p place, err error) {
	d := decoder{rest: b}
	if v := d.byte(); d.err == nil && v != placeVersion {
		return p, fmt.Errorf("%w: the place of a trace in version %d, this release knows %d", trace.ErrDamaged, v, placeVersion)
	}
	if at := d.take(journal.LocationSize); d.err == nil {
		p.Location, d.err = journal.DecodeLocation(at)
	}
	p.durationMs, p.cost = math.Float64frombits(d.uint64()), math.Float64frombits(d.uint64())
	return p, d.end()
}

// selects tells whether f selects by duration and cost.
func (p place) selects(f *trace.Filter) bool {
	return (f.MinDurationMs == 0 || p.durationMs >= f.MinDurationMs) && (f.MinCost == 0 || p.cost >= f.MinCost)
}

func (d *day) place(txn *badger.Txn, seq uint64) (place, error) {
	b, err := value(txn, traceKey(seq))
	if err != nil {
		return place{}, fmt.Errorf("sequence %d: %w: %w", seq, trace.ErrDamaged, err)
	}
	p, err := decodePlace(b)
	if err != nil {
		return p, fmt.Errorf("sequence %d: %w", seq, err)
	}
	return p, nil
}

// record decodes a body as the journal has it.
func (s *Store) record(body []byte, seq uint64) (*trace.Record, error) {
	b, err := s.unseal(body)
	if err != nil {
		return nil, fmt.Errorf("sequence %d: %w", seq, err)
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

// value returns a copy of what lies under key.
func value(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}
