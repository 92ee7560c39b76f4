package contract

import (
	"slices"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
)

// span is a set of slots that keeps only the words from the first that is not zero to the last: what one service among
// thousands says takes a word, not a kilobyte. It is immutable; the zero value is empty.
type span struct {
	from  int // slots of words begin at from<<6
	words bitset.Set
}

// spanOf returns the slots of set. It shares nothing with set.
func spanOf(set bitset.Set) span {
	from, to := 0, len(set)
	for from < to && set[from] == 0 {
		from++
	}
	for to > from && set[to-1] == 0 {
		to--
	}
	if from == to {
		return span{}
	}
	return span{from, slices.Clone(set[from:to])}
}

func (s span) empty() bool { return len(s.words) == 0 }

// with returns s and slot.
func (s span) with(slot int) span {
	at := slot >> 6
	from, to := at, at+1
	if !s.empty() {
		from, to = min(s.from, at), max(s.from+len(s.words), at+1)
	}
	n := span{from, make(bitset.Set, to-from)}
	copy(n.words[max(0, s.from-from):], s.words)
	n.words[at-from] |= 1 << (slot & 63)
	return n
}

// without returns s without slot.
func (s span) without(slot int) span {
	n := slices.Clone(s.words)
	n.Remove(slot - s.from<<6)
	if n[0] != 0 && last(n) != 0 {
		return span{s.from, n}
	}
	left := spanOf(n)
	if !left.empty() {
		left.from += s.from
	}
	return left
}

// or puts s into set, in place, which reaches as far.
func (s span) or(set bitset.Set) {
	for i, word := range s.words {
		set[s.from+i] |= word
	}
}

// intersects tells whether s and set share a slot.
func (s span) intersects(set bitset.Set) bool {
	return s.from < len(set) && s.words.Intersects(set[s.from:])
}
