package contract

import (
	"cmp"
	"slices"
	"sort"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
)

// An entry is the number that the service in a slot states. Numbers are never NaN.
type entry struct {
	value float64
	slot  int32
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.slot, b.slot))
}

// chunkSize is how many entries a new chunk has; one that has come to more than twice that splits. At 10,000 entries
// smaller chunks make a change more expensive, as most of what it copies are the sets, and larger ones a search, which
// goes through one chunk entry by entry.
const chunkSize = 128

// column is the numbers that services state of one thing, sorted, with the sets of those up to some of them: who states
// at least or at most a number is found by halving, then read off a set, however many there are. It is immutable; with
// and without share what they do not change.
type column struct {
	chunks [][]entry // sorted through all chunks, none empty
	upTo   []span    // for each chunk the slots in it and in those before it
}

// newColumn makes a column of at least one entry. The entries become its own.
func newColumn(entries []entry) *column {
	slices.SortFunc(entries, compareEntries)
	c := &column{}
	var all bitset.Set
	for chunk := range slices.Chunk(entries, chunkSize) {
		for _, e := range chunk {
			all = all.Add(int(e.slot))
		}
		c.chunks, c.upTo = append(c.chunks, chunk), append(c.upTo, spanOf(all))
	}
	return c
}

// with returns the column with e in it, whose slot has no entry yet. c may be nil.
func (c *column) with(e entry) *column {
	if c == nil {
		return newColumn([]entry{e})
	}
	n := c.clone()
	// The first chunk that e does not come after, or the last: there it belongs.
	at := min(sort.Search(len(n.chunks), func(i int) bool { return compareEntries(last(n.chunks[i]), e) > 0 }), len(n.chunks)-1)
	i, _ := slices.BinarySearchFunc(n.chunks[at], e, compareEntries)
	chunk := append(make([]entry, 0, len(n.chunks[at])+1), n.chunks[at][:i]...)
	n.chunks[at] = append(append(chunk, e), n.chunks[at][i:]...)
	for j := at; j < len(n.upTo); j++ {
		n.upTo[j] = n.upTo[j].with(int(e.slot))
	}
	if len(n.chunks[at]) > 2*chunkSize {
		n.split(at)
	}
	return n
}

// without returns the column without e, which is in it; nil if nothing is left.
func (c *column) without(e entry) *column {
	n := c.clone()
	at := sort.Search(len(n.chunks), func(i int) bool { return compareEntries(last(n.chunks[i]), e) >= 0 })
	i, _ := slices.BinarySearchFunc(n.chunks[at], e, compareEntries)
	n.chunks[at] = append(append(make([]entry, 0, len(n.chunks[at])-1), n.chunks[at][:i]...), n.chunks[at][i+1:]...)
	for j := at; j < len(n.upTo); j++ {
		n.upTo[j] = n.upTo[j].without(int(e.slot))
	}
	switch {
	case len(n.chunks[at]) == 0:
		n.drop(at)
	case at > 0 && len(n.chunks[at-1])+len(n.chunks[at]) <= chunkSize:
		n.chunks[at] = slices.Concat(n.chunks[at-1], n.chunks[at])
		n.drop(at - 1)
	}
	if len(n.chunks) == 0 {
		return nil
	}
	return n
}

func (c *column) clone() *column { return &column{slices.Clone(c.chunks), slices.Clone(c.upTo)} }

// split halves a chunk of a column that nobody has seen yet.
func (c *column) split(at int) {
	chunk := c.chunks[at]
	half := len(chunk) / 2
	upTo := c.upTo[at]
	words := upTo.words.Clone()
	for _, e := range chunk[half:] {
		words.Remove(int(e.slot) - upTo.from<<6)
	}
	c.chunks = slices.Insert(c.chunks, at, chunk[:half:half])
	c.chunks[at+1] = chunk[half:]
	c.upTo = slices.Insert(c.upTo, at, span{upTo.from, words})
}

// drop takes a chunk, whose entries are gone or stand in the next, from a column that nobody has seen yet.
func (c *column) drop(at int) {
	c.chunks, c.upTo = slices.Delete(c.chunks, at, at+1), slices.Delete(c.upTo, at, at+1)
}

// atLeast leaves in n who states x or more. c may be nil: nobody states any number.
func (c *column) atLeast(n *narrowing, x float64) {
	at := 0
	if c != nil {
		at = sort.Search(len(c.chunks), func(i int) bool { return last(c.chunks[i]).value >= x })
	}
	if c == nil || at == len(c.chunks) {
		n.clear()
		return
	}
	n.keep(last(c.upTo))
	if at > 0 {
		n.drop(c.upTo[at-1])
	}
	for _, e := range c.chunks[at] {
		if e.value >= x {
			break
		}
		n.set.Remove(int(e.slot))
	}
}

// atMost leaves in n who states x or less. c may be nil: nobody states any number.
func (c *column) atMost(n *narrowing, x float64) {
	at := -1
	if c != nil {
		at = sort.Search(len(c.chunks), func(i int) bool { return c.chunks[i][0].value > x }) - 1
	}
	if at < 0 {
		n.clear()
		return
	}
	n.keep(c.upTo[at])
	for _, e := range slices.Backward(c.chunks[at]) {
		if e.value <= x {
			break
		}
		n.set.Remove(int(e.slot))
	}
}

func last[T any](of []T) T { return of[len(of)-1] }
