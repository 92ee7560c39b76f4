package contract

import (
	"iter"
	"math/bits"
)

// bitset is a set of slots. Its length only says how far it reaches; nil is empty. Published bitsets are never written
// to: with and without return copies.
type bitset []uint64

func (b bitset) has(slot int) bool {
	return slot>>6 < len(b) && b[slot>>6]&(1<<(slot&63)) != 0
}

func (b bitset) count() int {
	n := 0
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

func (b bitset) empty() bool {
	for _, word := range b {
		if word != 0 {
			return false
		}
	}
	return true
}

// all yields the slots in ascending order.
func (b bitset) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range b {
			for ; word != 0; word &= word - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// set writes in place, growing where needed; only for sets nobody else has seen.
func (b bitset) set(slot int) bitset {
	for slot>>6 >= len(b) {
		b = append(b, 0)
	}
	b[slot>>6] |= 1 << (slot & 63)
	return b
}

func (b bitset) with(slot int) bitset {
	return append(make(bitset, 0, max(len(b), slot>>6+1)), b...).set(slot)
}

func (b bitset) without(slot int) bitset {
	if !b.has(slot) {
		return b
	}
	c := append(bitset(nil), b...)
	c[slot>>6] &^= 1 << (slot & 63)
	return c
}

// and intersects, or unites, in place; b must be the caller's own.
func (b bitset) and(o bitset) bitset {
	if len(b) > len(o) {
		b = b[:len(o)]
	}
	for i := range b {
		b[i] &= o[i]
	}
	return b
}

func (b bitset) or(o bitset) bitset {
	for len(b) < len(o) {
		b = append(b, 0)
	}
	for i, word := range o {
		b[i] |= word
	}
	return b
}

func (b bitset) clone() bitset { return append(bitset(nil), b...) }

// firstFree returns the lowest slot that is not in b.
func (b bitset) firstFree() int {
	for i, word := range b {
		if word != ^uint64(0) {
			return i<<6 + bits.TrailingZeros64(^word)
		}
	}
	return len(b) << 6
}
