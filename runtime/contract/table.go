package contract

import (
	"hash/maphash"
	"iter"
	"maps"
)

// table is an immutable map in shards: a change copies only those it touches. Where every service says things of its
// own, copying one map of all of them would take longer than anything else about a registration. newTable makes one.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	shards *[256]map[K]V // nil: empty
}

// newTable returns a table of what is in all.
func newTable[K comparable, V any](all map[K]V) table[K, V] {
	t := table[K, V]{maphash.MakeSeed(), &[256]map[K]V{}}
	return t.with(all, nil)
}

// get returns what is under key, the zero value if there is nothing.
func (t table[K, V]) get(key K) V { return t.shards[t.shard(key)][key] }

func (t table[K, V]) shard(key K) byte { return byte(maphash.Comparable(t.seed, key)) }

// with returns the table in which put is and gone is not.
func (t table[K, V]) with(put map[K]V, gone []K) table[K, V] {
	shards := *t.shards
	var own [len(shards)]bool
	shardOf := func(key K) map[K]V {
		at := t.shard(key)
		if !own[at] {
			own[at] = true
			if shards[at] = maps.Clone(shards[at]); shards[at] == nil {
				shards[at] = map[K]V{}
			}
		}
		return shards[at]
	}
	for key, value := range put {
		shardOf(key)[key] = value
	}
	for _, key := range gone {
		delete(shardOf(key), key)
	}
	for at := range shards {
		if len(shards[at]) == 0 {
			shards[at] = nil
		}
	}
	return table[K, V]{t.seed, &shards}
}

// all yields everything, in no order.
func (t table[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, shard := range t.shards {
			for key, value := range shard {
				if !yield(key, value) {
					return
				}
			}
		}
	}
}
