package store

import (
	"cmp"
	"slices"
)

// ranges is a set of sequences. It takes memory by its gaps, not by its members. The zero value is empty.
type ranges struct {
	list    [][2]uint64 // first and last; ascending and apart where settled
	settled int         // how many of list are
}

// add adds all from first to last; none if last is less.
func (r *ranges) add(first, last uint64) {
	if first > last {
		return
	}
	if n := len(r.list); n == r.settled && n > 0 && r.list[n-1][0] <= first && first <= r.list[n-1][1]+1 {
		r.list[n-1][1] = max(r.list[n-1][1], last)
		return
	}
	inOrder := len(r.list) == r.settled && (r.settled == 0 || r.list[r.settled-1][1] < first)
	r.list = append(r.list, [2]uint64{first, last})
	if inOrder {
		r.settled++
	} else if len(r.list) > 2*r.settled+1024 {
		r.settle()
	}
}

// settle joins what touches.
func (r *ranges) settle() {
	if r.settled == len(r.list) {
		return
	}
	slices.SortFunc(r.list, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
	joined := r.list[:1]
	for _, next := range r.list[1:] {
		if last := &joined[len(joined)-1]; next[0] <= last[1] || next[0] == last[1]+1 {
			last[1] = max(last[1], next[1])
		} else {
			joined = append(joined, next)
		}
	}
	r.list, r.settled = joined, len(joined)
}

// has tells whether seq is in r.
func (r *ranges) has(seq uint64) bool {
	r.settle()
	i, found := slices.BinarySearchFunc(r.list, seq, func(in [2]uint64, seq uint64) int { return cmp.Compare(in[0], seq) })
	return found || i > 0 && seq <= r.list[i-1][1]
}

// without returns what is in r and not in other, ascending.
func (r *ranges) without(other *ranges) (left [][2]uint64) {
	r.settle()
	other.settle()
	at := 0
	for _, in := range r.list {
		first := in[0]
		for at < len(other.list) && other.list[at][1] < first {
			at++
		}
		gone := false
		for i := at; i < len(other.list) && other.list[i][0] <= in[1]; i++ {
			if other.list[i][0] > first {
				left = append(left, [2]uint64{first, other.list[i][0] - 1})
			}
			if gone = other.list[i][1] >= in[1]; gone {
				break
			}
			first = other.list[i][1] + 1
		}
		if !gone {
			left = append(left, [2]uint64{first, in[1]})
		}
	}
	return left
}

// overlaps tells whether some of first to last are in r.
func (r *ranges) overlaps(first, last uint64) bool {
	r.settle()
	i, found := slices.BinarySearchFunc(r.list, first, func(in [2]uint64, seq uint64) int { return cmp.Compare(in[0], seq) })
	return found || i > 0 && first <= r.list[i-1][1] || i < len(r.list) && r.list[i][0] <= last
}
