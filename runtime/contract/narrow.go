package contract

import (
	"math/bits"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
)

// fewWords is how many words a set may have that are not zero for it to be narrowed word by word. Where there are more,
// going through all in order is as quick.
const fewWords = 32

// narrowing is a set that gets smaller, in place, demand by demand. Once few of its words have a bit, only they are
// looked at: a handful of candidates costs the same among a hundred services as among thousands.
type narrowing struct {
	set   bitset.Set
	words [fewWords]int32 // the first n are where set is not zero; of no meaning unless few
	n     int
	few   bool
}

// narrow begins with what is both in a and in b. into is empty, no shorter than a, and becomes the narrowing's own.
func narrow(into, a, b bitset.Set) (n narrowing) {
	n.set, n.few = into[:min(len(a), len(b))], true
	a, b = a[:len(n.set)], b[:len(n.set)]
	for i := range n.set {
		word := a[i] & b[i]
		if word == 0 {
			continue
		}
		n.set[i] = word
		if n.n == fewWords {
			n.few = false
			continue
		}
		n.words[n.n] = int32(i)
		n.n++
	}
	return n
}

// count is how many slots are left.
func (n *narrowing) count() int {
	if !n.few {
		return n.set.Count()
	}
	count := 0
	for _, i := range n.words[:n.n] {
		count += bits.OnesCount64(n.set[i])
	}
	return count
}

// copyTo puts what is left into set, which is empty and no shorter.
func (n *narrowing) copyTo(set bitset.Set) {
	if !n.few {
		copy(set, n.set)
		return
	}
	for _, i := range n.words[:n.n] {
		set[i] = n.set[i]
	}
}

// takeFrom takes what is left out of set, in place, a copy of what was there before.
func (n *narrowing) takeFrom(set bitset.Set) {
	if !n.few {
		set.AndNot(n.set)
		return
	}
	for _, i := range n.words[:n.n] {
		set[i] &^= n.set[i]
	}
}

// keep leaves what is in o.
func (n *narrowing) keep(o bitset.Set) {
	if !n.few {
		n.set = n.set.And(o)
		return
	}
	for _, i := range n.words[:n.n] {
		if int(i) < len(o) {
			n.set[i] &= o[i]
		} else {
			n.set[i] = 0
		}
	}
}

// drop takes out what is in o.
func (n *narrowing) drop(o bitset.Set) {
	if !n.few {
		n.set = n.set.AndNot(o)
		return
	}
	for _, i := range n.words[:n.n] {
		if int(i) < len(o) {
			n.set[i] &^= o[i]
		}
	}
}

// clear leaves nothing.
func (n *narrowing) clear() { n.set, n.n = n.set[:0], 0 }
