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
func narrow(into, a bitset.Set, b span) (n narrowing) {
	n.few = true
	to := min(len(a), b.from+len(b.words))
	n.set = into[:max(0, to)]
	for i := b.from; i < to; i++ {
		word := a[i] & b.words[i-b.from]
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
func (n *narrowing) keep(o span) {
	if !n.few {
		n.set = n.set[:min(len(n.set), o.from+len(o.words))]
		from := min(o.from, len(n.set))
		clear(n.set[:from])
		n.set[from:].And(o.words[:len(n.set)-from])
		return
	}
	for _, i := range n.words[:n.n] {
		if at := int(i) - o.from; at >= 0 && at < len(o.words) {
			n.set[i] &= o.words[at]
		} else {
			n.set[i] = 0
		}
	}
}

// drop takes out what is in o.
func (n *narrowing) drop(o span) {
	if !n.few {
		n.set[min(o.from, len(n.set)):].AndNot(o.words)
		return
	}
	for _, i := range n.words[:n.n] {
		if at := int(i) - o.from; at >= 0 && at < len(o.words) {
			n.set[i] &^= o.words[at]
		}
	}
}

// clear leaves nothing.
func (n *narrowing) clear() { n.set, n.n = n.set[:0], 0 }
