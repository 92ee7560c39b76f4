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

// A HistoryRecord is what is remembered of a service's executions. What the counts mean is the engine's to say; here
// they are finite and not negative, and no part is larger than its whole.
type HistoryRecord struct {
	ID         string    // the service's
	Time       time.Time // at which the counts stand; in UTC and to the nanosecond when read back
	Requests   float64
	Failures   float64
	Violations float64
	Priced     float64
	MeanCost   float64
	Currency   string
	Latencies  []Count // sorted by bucket, each at most Requests
}

// A Count is a histogram's bucket and how much it holds, of which 24 bits are kept, rounded down.
type Count struct {
	Bucket uint32
	N      float64
}

// SaveHistory stores records, each in place of the one of the same id, and returns once they are durable. What is of no
// stored service is left out: a history ends with its service, and one that was gathered before the removal must not
// outlive it. The records are written in one transaction and must fit into it: a hundred always do. Errors are those of
// SaveService.
func (s *Store) SaveHistory(ctx context.Context, records []HistoryRecord) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("save history: %w", err)
	}
	err := s.write(func(txn *badger.Txn, _ *head) error {
		for i := range records {
			r := &records[i]
			switch _, err := txn.Get(serviceKey(r.ID)); {
			case errors.Is(err, badger.ErrKeyNotFound):
				continue
			case err != nil:
				return err
			}
			if err := s.set(txn, historyKey(r.ID), encodeHistory(r)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save history of %d services: %w", len(records), err)
	}
	return nil
}

// History returns every record, sorted by id. A record that is damaged, or of a later release, is left out and named in
// rejected: it is worth a line in the log, and no start that fails. err tells that the store cannot be read.
func (s *Store) History(ctx context.Context) (records []HistoryRecord, rejected []error, err error) {
	err = s.read(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{PrefetchValues: false, Prefix: []byte{kindHistory}})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			r := HistoryRecord{ID: string(it.Item().Key()[1:])}
			b, err := it.Item().ValueCopy(nil)
			if err == nil {
				err = decodeHistory(b, &r)
			}
			if err != nil {
				rejected = append(rejected, fmt.Errorf("history of service %.80q: %w", r.ID, err))
				continue
			}
			records = append(records, r)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read history: %w", err)
	}
	return records, rejected, nil
}

// A stored history is: version 1 (one byte); time (nanoseconds since 1970, eight bytes); requests, failures, violations,
// priced, mean cost (float64, eight bytes); currency, its length as uvarint and its bytes; number of buckets as uvarint,
// and of each how far it is from the one before (the first from -1) as uvarint, and its count (float32, four bytes). All
// bytes are big-endian. Most stay below a kilobyte, and so out of the value log, where old ones would pile up.
const historyVersion = 1

func encodeHistory(r *HistoryRecord) []byte {
	b := make([]byte, 0, 64+len(r.Currency)+9*len(r.Latencies))
	b = append(b, historyVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.UnixNano()))
	for _, n := range [...]float64{r.Requests, r.Failures, r.Violations, r.Priced, r.MeanCost} {
		b = appendFloat(b, n)
	}
	b = appendString(b, r.Currency)
	b = binary.AppendUvarint(b, uint64(len(r.Latencies)))
	last := int64(-1)
	for _, c := range r.Latencies {
		b = binary.AppendUvarint(b, uint64(int64(c.Bucket)-last))
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(roundDown(c.N)))
		last = int64(c.Bucket)
	}
	return b
}

// roundDown returns the largest float32 that is not larger than n >= 0: a part that was rounded up would be larger than
// its whole.
func roundDown(n float64) float32 {
	f := float32(n)
	if float64(f) > n {
		return math.Nextafter32(f, 0)
	}
	return f
}

func appendFloat(b []byte, n float64) []byte {
	return binary.BigEndian.AppendUint64(b, math.Float64bits(n))
}

// decodeHistory reads b into r, whose ID it leaves as it is.
func decodeHistory(b []byte, r *HistoryRecord) error {
	d := decoder{rest: b}
	if v := d.byte(); d.err == nil && v != historyVersion {
		return fmt.Errorf("%w: version %d, this release knows %d", trace.ErrDamaged, v, historyVersion)
	}
	r.Time = time.Unix(0, int64(d.uint64())).UTC()
	for _, n := range [...]*float64{&r.Requests, &r.Failures, &r.Violations, &r.Priced, &r.MeanCost} {
		*n = math.Float64frombits(d.uint64())
	}
	r.Currency = d.string()
	last := int64(-1)
	for left := d.uvarint(); left > 0 && d.err == nil; left-- {
		step, n := d.uvarint(), d.uint32()
		if d.err == nil && (step == 0 || step > uint64(math.MaxUint32-last)) {
			return fmt.Errorf("%w: buckets out of order", trace.ErrDamaged)
		}
		last += int64(step)
		r.Latencies = append(r.Latencies, Count{uint32(last), float64(math.Float32frombits(n))})
	}
	if err := d.end(); err != nil {
		return err
	}
	if !r.sound() {
		return fmt.Errorf("%w: numbers that cannot be", trace.ErrDamaged)
	}
	return nil
}

// sound tells whether the counts are finite and not negative, and no part is larger than its whole.
func (r *HistoryRecord) sound() bool {
	count := func(n, whole float64) bool { return n >= 0 && n <= whole } // false of NaN
	if !count(r.Requests, math.MaxFloat64) || !count(r.MeanCost, math.MaxFloat64) || !count(r.Failures, r.Requests) ||
		!count(r.Violations, r.Failures) || !count(r.Priced, r.Requests) {
		return false
	}
	for _, c := range r.Latencies {
		if !count(c.N, r.Requests) {
			return false
		}
	}
	return true
}
