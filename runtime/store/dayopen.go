package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// open opens the index and brings it to where the journal is. One that is damaged is made again. d.mu is held.
func (d *day) open() error {
	dir := filepath.Join(d.Dir, indexDir)
	err := d.try(dir)
	if errors.Is(err, trace.ErrDamaged) && !errors.Is(err, errAhead) {
		d.t.logger.Warn("the index of a day is damaged; it is made again from the bodies", "day", d.Name, "error", err)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		err = d.try(dir)
	}
	return err
}

// errAhead: the index knows traces that the journal does not.
var errAhead = errors.New("it is ahead of the bodies")

func (d *day) try(dir string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	o := d.t.s.indexOptions(dir)
	orphans, err := checkTables(o)
	if err != nil {
		return err
	}
	if d.db, err = openBadger(o); err != nil {
		return err
	}
	err = guard(func() error {
		if orphans {
			if err := d.complete(); err != nil {
				return err
			}
		}
		return d.catchUp()
	})
	if err != nil {
		err = errors.Join(err, guard(d.db.Close))
		d.db = nil
	}
	return err
}

// catchUp adds what the index lacks, and reads the bounds.
func (d *day) catchUp() error {
	next, err := d.indexed()
	if err != nil {
		return err
	}
	end := d.lastOf()
	if next > end {
		return fmt.Errorf("%w: %w: it holds traces up to %d, the bodies end at %d; restore the store from a backup", trace.ErrDamaged, errAhead, next, end)
	}
	if next < end {
		if err := d.reindex(next, end); err != nil {
			return err
		}
	}
	d.Next = end
	return d.findBounds()
}

// complete counts the rows of traces: where tables went missing, there are fewer than the index says.
func (d *day) complete() error {
	next, err := d.indexed()
	if err != nil {
		return err
	}
	return d.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{kindTrace}})
		defer it.Close()
		n := uint64(0)
		for it.Rewind(); it.Valid(); it.Next() {
			n++
		}
		if n < next-d.First {
			return fmt.Errorf("%w: %d of %d traces are in it", trace.ErrDamaged, n, next-d.First)
		}
		return nil
	})
}

// lastOf returns one more than the last sequence that the journal has of d.
func (d *day) lastOf() uint64 {
	for _, k := range d.t.journal.Days() {
		if k.Name == d.Name {
			return k.Next
		}
	}
	return d.First // it is being begun
}

// indexed returns one more than the last sequence in the index.
func (d *day) indexed() (next uint64, err error) {
	err = d.db.View(func(txn *badger.Txn) error {
		b, err := value(txn, metaKey(indexedName))
		switch {
		case errors.Is(err, badger.ErrKeyNotFound):
			next = d.First
			return nil
		case err != nil:
			return err
		case len(b) != 8:
			return fmt.Errorf("%w: how far it is", trace.ErrDamaged)
		}
		next = binary.BigEndian.Uint64(b)
		return nil
	})
	return next, err
}

const indexedName = "indexed"

// reindex adds the traces from one sequence up to another, as the journal has them.
func (d *day) reindex(from, to uint64) error {
	start, records, at := time.Now(), make([]trace.Record, 0, 256), make([]journal.Location, 0, 256)
	flush := func() error {
		err := d.put(records, at)
		records, at = records[:0], at[:0]
		return err
	}
	for b, err := range d.t.journal.Bodies(from) {
		if err != nil {
			return err
		}
		if b.Sequence >= to {
			break
		}
		r := trace.Record{Sequence: b.Sequence} // erased: only its place is indexed
		if b.Bytes != nil {
			read, err := d.t.s.record(append([]byte(nil), b.Bytes...), b.Sequence)
			if err != nil {
				return err
			}
			r = *read
		}
		r.Raw = nil
		records, at = append(records, r), append(at, b.Location)
		if len(records) == cap(records) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	d.t.logger.Info("traces were added to the index of a day that lacked them", "day", d.Name, "traces", to-from, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// findBounds reads when the requests of d arrived. d.mu is held.
func (d *day) findBounds() error {
	return d.db.View(func(txn *badger.Txn) error {
		for _, reverse := range []bool{false, true} {
			it := txn.NewIterator(badger.IteratorOptions{Reverse: reverse, Prefix: []byte{kindTime}})
			at := []byte{kindTime}
			if reverse {
				at = append(at, 0xff)
			}
			it.Seek(at)
			if it.Valid() && len(it.Item().Key()) == 1+positionSize {
				p := position(it.Item().Key())
				when := unflip(binary.BigEndian.Uint64(p[:8]))
				if reverse {
					d.newest = when
				} else {
					d.oldest = when
				}
			}
			it.Close()
		}
		return nil
	})
}
