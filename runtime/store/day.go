package store

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// A day is the index of one day's traces: a Badger directory of its own, which is opened when it is needed. It holds
// nothing that the journal does not, so it is written without syncing; where it is damaged or behind, it is made again.
type day struct {
	journal.Day
	t *traces

	mu     sync.Mutex // guards what is below
	db     *badger.DB // nil: not open
	users  int
	last   uint64    // traces.uses when it was used last
	oldest time.Time // of the requests in it; zero, as newest: not known before it is opened
	newest time.Time
	closed bool // by traces.close
}

const (
	indexDir   = "index"
	boundsFile = "bounds.json"
	maxOpen    = 3 // days beside those in use
)

func newDay(t *traces, d journal.Day) *day {
	n := &day{Day: d, t: t}
	n.readBounds()
	return n
}

func (d *day) holds(seq uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.First <= seq && seq < d.Next
}

// end returns one more than the last sequence of d.
func (d *day) end() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Next
}

// sealed tells d that the next day begins with that sequence.
func (d *day) sealed(next uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Next = next
	d.writeBounds()
}

// bounds returns between when and when the requests of d arrived; false: that is not known before it is opened.
func (d *day) bounds() (oldest, newest time.Time, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.oldest, d.newest, !d.newest.IsZero()
}

// A day that is over keeps its bounds in a file, so that it need not be opened to be passed over. It is no more than a
// hint that can be had again: a file that cannot be read, or does not have its checksum, is none.
type boundsOf struct {
	Next           uint64
	Oldest, Newest time.Time
	Sum            uint32 // CRC-32C of the others
}

func (b *boundsOf) sum() uint32 {
	return crc32.Checksum(fmt.Append(nil, b.Next, b.Oldest.UnixNano(), b.Newest.UnixNano()), castagnoli)
}

// readBounds reads the bounds of a day; nil: there are none.
func readBounds(dir string) *boundsOf {
	b := &boundsOf{}
	raw, err := os.ReadFile(filepath.Join(dir, boundsFile))
	if err != nil || json.Unmarshal(raw, b) != nil || b.Sum != b.sum() {
		return nil
	}
	return b
}

func (d *day) readBounds() {
	if b := readBounds(d.Dir); b != nil && b.Next == d.Next {
		d.oldest, d.newest = b.Oldest, b.Newest
	}
}

func (d *day) writeBounds() {
	b := boundsOf{Next: d.Next, Oldest: d.oldest, Newest: d.newest}
	b.Sum = b.sum()
	raw, err := json.Marshal(b)
	if err == nil && !d.newest.IsZero() {
		err = os.WriteFile(filepath.Join(d.Dir, boundsFile), raw, 0o600)
	}
	if err != nil {
		d.t.logger.Warn("bounds of a day not written; it will be opened to learn them", "day", d.Name, "error", err)
	}
}

// errRetired: the day was dropped, or the store was closed.
var errRetired = fmt.Errorf("%w: its day is no more", trace.ErrErased)

// use opens d if it is not, and keeps it open until release.
func (t *traces) use(d *day) (*day, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errRetired
	}
	if d.db == nil {
		if err := d.open(); err != nil {
			return nil, fmt.Errorf("index of day %s: %w", d.Name, err)
		}
	}
	d.users++
	return d, nil
}

func (t *traces) release(d *day) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.uses++
	d.mu.Lock()
	d.users--
	d.last = t.uses
	d.closeIfIdle()
	d.mu.Unlock()
	t.closeIdle()
}

// closeIdle closes those days that nobody uses and that were not used for longest. The last is never closed: it is
// appended to. t.mu is held.
func (t *traces) closeIdle() {
	for {
		var oldest *day
		open := 0
		for _, d := range t.days[:max(0, len(t.days)-1)] {
			d.mu.Lock()
			if d.db != nil {
				open++
			}
			if d.db != nil && d.users == 0 && (oldest == nil || d.last < oldest.last) {
				oldest = d
			}
			d.mu.Unlock()
		}
		if open <= maxOpen || oldest == nil {
			return
		}
		oldest.mu.Lock()
		if oldest.db != nil && oldest.users == 0 {
			if err := guard(oldest.db.Close); err != nil {
				t.logger.Warn("index of a day not closed", "day", oldest.Name, "error", err)
			}
			oldest.db = nil
		}
		oldest.mu.Unlock()
	}
}

// retire lets d be used by nobody who does not use it already, and closes it when the last of them is done.
func (d *day) retire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.closeIfIdle()
}

// closeIfIdle closes the index of a retired day. d.mu is held.
func (d *day) closeIfIdle() {
	if !d.closed || d.users > 0 || d.db == nil {
		return
	}
	if err := guard(d.db.Close); err != nil {
		d.t.logger.Warn("index of a day not closed", "day", d.Name, "error", err)
	}
	d.db = nil
}

func (d *day) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.db == nil {
		return nil
	}
	db := d.db
	d.db = nil
	return guard(db.Close)
}
