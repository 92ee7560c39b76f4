package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// An indexCheck holds the index of a day against its bodies. Rows come in one order from the bodies and in another from the
// index, and there are a dozen of each trace; so neither is kept: of each bucket of sequences it sums up a hash of the rows
// that should be there and of those that are, under a seed that nobody knows before.
type indexCheck struct {
	f       *fsck
	name    string
	d       *day // nil: its index is not compared
	seed    maphash.Seed
	first   uint64 // sequence with which the day begins
	next    uint64 // one more than the last
	indexed uint64 // one more than the last that is in the index
	want    []bucket
	erased  ranges
	damages int // findings of damage before the day
	bytes   int64
	oldest  time.Time
	newest  time.Time
	row     []byte
	keys    []byte
}

// A bucket is the rows of bucketWidth sequences.
type bucket struct {
	sum    uint64
	rows   uint32
	bodies uint32
}

const bucketWidth = 256

// beginDay opens the index of a day whose first trace is first. What is wrong with it is in the report.
func (f *fsck) beginDay(name string, first uint64) *indexCheck {
	c := &indexCheck{f: f, name: name, seed: maphash.MakeSeed(), first: first, next: first, damages: f.report.Counts[Damage]}
	dir := filepath.Join(f.s.dayDir(name), indexDir)
	c.bytes = sizeOf(filepath.Join(dir, "*.sst"))
	if _, err := os.Stat(dir); err != nil {
		c.found(Crash, first, "no index", "one; the next start makes it")
		return c
	}
	o := f.s.indexOptions(dir)
	switch orphans, err := checkTables(o); {
	case err != nil:
		c.found(Index, first, err.Error(), "tables as they were written; the next start makes the index again")
		return c
	case orphans:
		// Badger would remove them, and with them what tells the next start to look closer.
		c.found(Crash, first, "a table that is not named", "none; the next start sees whether the index is complete")
		return c
	}
	d := &day{Day: journal.Day{Name: name, First: first}}
	var err error
	if d.db, err = openBadger(o); err == nil {
		if err = guard(func() (err error) { c.indexed, err = d.indexed(); return err }); err != nil {
			err = errors.Join(err, guard(d.db.Close))
		}
	}
	if err != nil {
		c.found(Index, first, err.Error(), "an index that can be read; the next start makes it again")
		return c
	}
	c.d = d
	f.report.Days++
	return c
}

func (c *indexCheck) file() string { return filepath.Join("traces", c.name, indexDir) }

func (c *indexCheck) found(kind Kind, seq uint64, found, want string) {
	c.f.add(kind, c.file(), seq, found, want)
}

// expect takes in the rows that the index should have of r, which lies at at.
func (c *indexCheck) expect(r *trace.Record, at journal.Location) {
	if c.oldest.IsZero() || r.Time.Before(c.oldest) {
		c.oldest = r.Time
	}
	if r.Time.After(c.newest) {
		c.newest = r.Time
	}
	if c.d == nil || r.Sequence >= c.indexed {
		return
	}
	b := c.bucket(r.Sequence)
	b.bodies++
	c.keys, _ = eachRow(c.keys[:0], r, at, func(key, value []byte) error {
		c.count(b, key, value)
		return nil
	})
}

// expectErased takes in the only row that there must be of a body that was erased. That of its id may be there.
func (c *indexCheck) expectErased(b journal.Body) {
	c.erased.add(b.Sequence, b.Sequence)
	if c.d == nil || b.Sequence >= c.indexed {
		return
	}
	in := c.bucket(b.Sequence)
	in.bodies++
	c.count(in, traceKey(b.Sequence), place{Location: b.Location}.encode())
}

// bucket returns that of a sequence, which is not before the first.
func (c *indexCheck) bucket(seq uint64) *bucket {
	n := int((max(seq, c.first) - c.first) / bucketWidth)
	for n >= len(c.want) {
		c.want = append(c.want, bucket{})
	}
	return &c.want[n]
}

func (c *indexCheck) count(b *bucket, key, value []byte) {
	c.row = append(binary.BigEndian.AppendUint32(c.row[:0], uint32(len(key))), key...)
	b.sum += maphash.Bytes(c.seed, append(c.row, value...))
	b.rows++
}

// endDay compares the index of the day that bodies were of with what they should have in it.
func (f *fsck) endDay() error {
	c := f.day
	f.day = nil
	if c == nil {
		return nil
	}
	c.bounds()
	if c.d == nil {
		f.tables += c.bytes
		return nil
	}
	got, others, err := c.rows()
	if err != nil {
		c.found(Index, c.first, err.Error(), "rows that can be read; remove the directory, and the next start makes it again")
	} else {
		c.compare(got, others)
	}
	f.tables += c.bytes
	if err := guard(c.d.db.Close); err != nil {
		return fmt.Errorf("index of day %s: %w", c.name, err)
	}
	return nil
}

// bounds holds what is kept of when the day's requests arrived against its bodies. Erased ones may have been outside.
func (c *indexCheck) bounds() {
	dir, file := c.f.s.dayDir(c.name), filepath.Join("traces", c.name, boundsFile)
	b := readBounds(dir)
	switch {
	case b == nil:
		if _, err := os.Stat(filepath.Join(dir, boundsFile)); err == nil {
			c.f.add(Crash, file, c.first, "no bounds that can be read", "when the day's requests arrived; it is looked up in the index")
		}
	case b.Next == c.next && !c.newest.IsZero() && (c.oldest.Before(b.Oldest) || c.newest.After(b.Newest)):
		c.f.add(Index, file, c.first, fmt.Sprintf("requests from %v to %v", b.Oldest, b.Newest),
			fmt.Sprintf("from %v to %v; remove the file", c.oldest, c.newest))
	}
}

// rows sums up the rows that are in the index. others is how many are of no trace of the day.
func (c *indexCheck) rows() (got []bucket, others int, err error) {
	got = make([]bucket, len(c.want))
	expected, n := 1, 0
	for i := range c.want {
		expected += int(c.want[i].rows)
	}
	err = c.d.read(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if n++; n%(1<<14) == 0 {
				c.f.tell(int64(float64(c.bytes) * min(1, float64(n)/float64(expected))))
			}
			err := it.Item().Value(func(value []byte) error {
				others += c.take(got, it.Item().Key(), value)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	c.f.report.Rows += uint64(n)
	return got, others, err
}

// take takes in a row of the index. It returns 1 if the row is of no trace of the day.
func (c *indexCheck) take(got []bucket, key, value []byte) (other int) {
	var seq uint64
	switch {
	case string(key) == string(metaKey(indexedName)):
		return 0
	case key[0] == kindTrace && len(key) == 9:
		seq = binary.BigEndian.Uint64(key[1:])
		if p, err := decodePlace(value); err == nil && c.erased.has(seq) {
			value = place{Location: p.Location}.encode() // made again, it has no duration and no cost
		}
	case key[0] == kindID && len(value) == 8:
		if seq = binary.BigEndian.Uint64(value); c.erased.has(seq) {
			return 0
		}
	case slices.Contains(listings, key[0]) && len(key) > positionSize && len(value) == 0:
		seq = sequence(position(key))
	default:
		return 1
	}
	switch {
	case seq >= c.first && seq < min(c.next, c.indexed):
		c.count(&got[(seq-c.first)/bucketWidth], key, value)
		return 0
	case seq >= c.indexed && seq < c.next:
		return 0 // a crash left part of what is added again
	}
	return 1
}

// listings are the kinds of rows that listings go over.
var listings = []byte{kindTime, kindTenant, kindOfService, kindStatus, kindTenantService, kindTenantStatus, kindRequest, kindRule, kindViolation}

// compare tells where the index is not what the bodies say. Bodies that are damaged say nothing.
func (c *indexCheck) compare(got []bucket, others int) {
	const again = "remove the directory, and the next start makes it again"
	damaged := c.f.report.Counts[Damage] > c.damages
	switch {
	case c.indexed > c.next && !damaged:
		c.f.add(Damage, c.file(), c.next, fmt.Sprintf("traces up to %d", c.indexed), fmt.Sprintf("those up to %d, where the bodies end", c.next))
	case c.indexed < c.next:
		c.found(Crash, c.indexed, fmt.Sprintf("%d traces are not in it yet", c.next-c.indexed), "all; the next start adds them")
	}
	if others > 0 && !damaged {
		c.found(Index, c.first, fmt.Sprintf("%d rows of no trace of the day", others), "none; "+again)
	}
	var removing ranges // by an erasure that was interrupted: its rows go first
	if p := c.f.pending; p != nil {
		for _, r := range p.Ranges {
			removing.add(r[0], r[1])
		}
	}
	for i := 0; i < len(got); i++ {
		first := c.first + uint64(i)*bucketWidth
		last := min(first+bucketWidth, c.next, c.indexed) - 1
		whole := uint64(c.want[i].bodies) == last-first+1
		if !whole || got[i].sum == c.want[i].sum && got[i].rows == c.want[i].rows {
			continue
		}
		kind := Index
		if removing.overlaps(first, last) {
			kind = Crash
		}
		found := fmt.Sprintf("%d rows", got[i].rows)
		if got[i].rows == c.want[i].rows {
			found = "other rows"
		}
		c.found(kind, first, found, fmt.Sprintf("%d of the %s; %s", c.want[i].rows, span([2]uint64{first, last}), again))
	}
}

// sizeOf returns the bytes of the files that match.
func sizeOf(pattern string) (n int64) {
	names, _ := filepath.Glob(pattern)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

func (f *fsck) tableBytes() int64 {
	return sizeOf(filepath.Join(f.s.dayDir("*"), indexDir, "*.sst")) + sizeOf(filepath.Join(f.s.dir, dbDir, "*.sst"))
}
