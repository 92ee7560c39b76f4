// Package bitset is a set of small whole numbers: the slots of a registry. It is what the rooms hand one another when
// they speak of many services at once.
//
// The nil Set is empty and ready to use. The functions that return a Set never write to their arguments unless they say
// so; a Set that was published is written to no more.
package bitset

import (
	"iter"
	"math/bits"
)

// Set holds the numbers n for which bit n&63 of word n>>6 is 1. Its length only says how far it reaches; trailing zero
// words mean nothing.
type Set []uint64

// Of returns a set with room for the numbers below n.
func Of(n int) Set { return make(Set, (n+63)>>6) }

// Full returns the set of all numbers below n.
func Full(n int) Set {
	s := Of(n)
	for i := range s {
		s[i] = ^uint64(0)
	}
	if rest := n & 63; rest != 0 {
		s[len(s)-1] = 1<<rest - 1
	}
	return s
}

// Has tells whether n, which must not be negative, is in s.
func (s Set) Has(n int) bool {
	return n>>6 < len(s) && s[n>>6]&(1<<(n&63)) != 0
}

// Count returns how many numbers are in s.
func (s Set) Count() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Empty tells whether nothing is in s.
func (s Set) Empty() bool {
	for _, word := range s {
		if word != 0 {
			return false
		}
	}
	return true
}

// Intersects tells whether s and o share a number.
func (s Set) Intersects(o Set) bool {
	for i := range min(len(s), len(o)) {
		if s[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// All yields the numbers in ascending order.
func (s Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// Add puts n in, in place where s has room; only for sets nobody else has seen.
func (s Set) Add(n int) Set {
	for n>>6 >= len(s) {
		s = append(s, 0)
	}
	s[n>>6] |= 1 << (n & 63)
	return s
}

// Remove takes n out, in place; only for sets nobody else has seen.
func (s Set) Remove(n int) {
	if n>>6 < len(s) {
		s[n>>6] &^= 1 << (n & 63)
	}
}

// With returns a copy of s with n in it.
func (s Set) With(n int) Set {
	return append(make(Set, 0, max(len(s), n>>6+1)), s...).Add(n)
}

// Without returns s without n: s itself if it has no n, else a copy.
func (s Set) Without(n int) Set {
	if !s.Has(n) {
		return s
	}
	c := s.Clone()
	c.Remove(n)
	return c
}

// And intersects s with o in place and returns it; s must be the caller's own.
func (s Set) And(o Set) Set {
	if len(s) > len(o) {
		s = s[:len(o)]
	}
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// AndNot takes o out of s in place and returns it; s must be the caller's own.
func (s Set) AndNot(o Set) Set {
	for i := range min(len(s), len(o)) {
		s[i] &^= o[i]
	}
	return s
}

// Or unites s with o in place, growing where needed; s must be the caller's own.
func (s Set) Or(o Set) Set {
	for len(s) < len(o) {
		s = append(s, 0)
	}
	for i, word := range o {
		s[i] |= word
	}
	return s
}

// Clone returns a copy.
func (s Set) Clone() Set { return append(Set(nil), s...) }

// FirstFree returns the lowest number that is not in s.
func (s Set) FirstFree() int {
	for i, word := range s {
		if word != ^uint64(0) {
			return i<<6 + bits.TrailingZeros64(^word)
		}
	}
	return len(s) << 6
}
