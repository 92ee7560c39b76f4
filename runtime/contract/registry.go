package contract

import (
	"iter"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Service is a contract in force. It must not be changed once a Registry holds it.
type Service struct {
	*Contract
	Revision uint64    // counts the registry's changes; that of the change which brought this contract
	Time     time.Time // when it was registered or last updated
}

// Registry is an immutable snapshot of the contracts in force. Every service has a slot, a small number that stays its
// own while it is there; what contracts say is indexed as sets of slots and sorted columns of numbers, so that finding
// who meets a demand takes no walk over the services. With and Without copy what they change and share the rest.
//
// Any number of goroutines may use one registry at once. The zero value is not usable; NewRegistry is.
type Registry struct {
	revision uint64
	slots    []*Service // nil: free
	live     bitset.Set // never nil
	order    []int32    // slots by service id
	rank     []int32    // of each slot in order; -1: free
	index    index
	groups   *groups
	digest   string
}

// NewRegistry returns a snapshot with the given services; of two with one id the later counts. It is the quick way to
// begin with many. The registry's revision is the highest of theirs.
func NewRegistry(services ...*Service) *Registry {
	r := &Registry{live: bitset.Set{}}
	at := make(map[string]int, len(services))
	for _, s := range services {
		if slot, again := at[s.ID()]; again {
			r.slots[slot] = s
		} else {
			at[s.ID()] = len(r.slots)
			r.order = append(r.order, int32(len(r.slots)))
			r.slots = append(r.slots, s)
		}
		r.revision = max(r.revision, s.Revision)
	}
	r.live = bitset.Full(len(r.slots))
	slices.SortFunc(r.order, func(a, b int32) int { return strings.Compare(r.slots[a].ID(), r.slots[b].ID()) })
	r.rerank()
	r.index = newIndex(r.slots)
	r.groups = newGroups(slices.Collect(r.All()))
	r.digest = r.groups.digest()
	return r
}

// With returns a snapshot in which s is in force, in place of the service of the same id if there is one. The revision
// is that of s, or r's if that is higher.
func (r *Registry) With(s *Service) *Registry {
	n := *r
	n.revision = max(r.revision, s.Revision)
	n.slots = slices.Clone(r.slots)
	var old *caiov1.Contract
	rank, there := r.find(s.ID())
	slot := 0
	if there {
		slot = int(r.order[rank])
		old = r.slots[slot].message
	} else {
		slot = r.live.FirstFree()
		if slot == len(n.slots) {
			n.slots = append(n.slots, nil)
		}
		n.live = r.live.With(slot)
		n.order = slices.Insert(slices.Clone(r.order), rank, int32(slot))
		n.rerank()
	}
	n.slots[slot] = s
	n.index = r.index.with(slot, old, s.message)
	n.groups = r.groups.with(s.ID(), s)
	n.digest = n.groups.digest()
	return &n
}

// Without returns a snapshot without the service, its revision one higher; r itself if there is no such service.
func (r *Registry) Without(id string) *Registry {
	rank, there := r.find(id)
	if !there {
		return r
	}
	n := *r
	n.revision++
	slot := int(r.order[rank])
	n.slots = slices.Clone(r.slots)
	n.slots[slot] = nil
	n.live = r.live.Without(slot)
	n.order = slices.Delete(slices.Clone(r.order), rank, rank+1)
	n.rerank()
	n.index = r.index.with(slot, r.slots[slot].message, nil)
	n.groups = r.groups.with(id, nil)
	n.digest = n.groups.digest()
	return &n
}

// At returns the same snapshot under another revision: what a restart needs, as removals leave no service behind that
// would tell theirs.
func (r *Registry) At(revision uint64) *Registry {
	n := *r
	n.revision = revision
	return &n
}

// find returns where id stands, or would stand, in order.
func (r *Registry) find(id string) (rank int, there bool) {
	rank = sort.Search(len(r.order), func(i int) bool { return r.slots[r.order[i]].ID() >= id })
	return rank, rank < len(r.order) && r.slots[r.order[rank]].ID() == id
}

func (r *Registry) rerank() {
	r.rank = make([]int32, len(r.slots))
	for slot := range r.rank {
		r.rank[slot] = -1
	}
	for rank, slot := range r.order {
		r.rank[slot] = int32(rank)
	}
}

// Get returns the service of that id.
func (r *Registry) Get(id string) (*Service, bool) {
	rank, there := r.find(id)
	if !there {
		return nil, false
	}
	return r.slots[r.order[rank]], true
}

// Slots returns the bound of all slots: each is below it.
func (r *Registry) Slots() int { return len(r.slots) }

// Service returns the service in slot; nil: the slot is free. slot must be below Slots.
func (r *Registry) Service(slot int) *Service { return r.slots[slot] }

// Slot returns the slot of the service of that id.
func (r *Registry) Slot(id string) (slot int, ok bool) {
	rank, there := r.find(id)
	if !there {
		return 0, false
	}
	return int(r.order[rank]), true
}

// Live returns the slots that are taken. Shared: it must not be changed.
func (r *Registry) Live() bitset.Set { return r.live }

// Visible returns the slots of the services that somebody of tenant may know of: those of no tenant, and its own; all:
// of every tenant. Shared: it must not be changed. Never nil, which Match takes for everybody.
func (r *Registry) Visible(tenant string, all bool) bitset.Set {
	if all {
		return r.live
	}
	shared, own := r.index.sets.get(mark{says: belongs}), r.index.sets.get(mark{says: belongs, name: tenant})
	if (tenant == "" || own.empty()) && shared.from == 0 && !shared.empty() {
		return shared.words
	}
	both := bitset.Of(len(r.slots))
	shared.or(both)
	own.or(both)
	return both
}

// ByID yields the slots of set, which must all be taken, in the order of their services' ids.
func (r *Registry) ByID(set bitset.Set) iter.Seq[int] {
	return func(yield func(int) bool) {
		var few [64]int32
		ranks := few[:0]
		for slot := range set.All() {
			if len(ranks) == len(few) {
				r.manyByID(set, yield)
				return
			}
			ranks = append(ranks, r.rank[slot])
		}
		slices.Sort(ranks)
		for _, rank := range ranks {
			if !yield(int(r.order[rank])) {
				return
			}
		}
	}
}

// manyByID is ByID for sets of many: a set of ranks is in their order by itself, which spares the sorting.
func (r *Registry) manyByID(set bitset.Set, yield func(int) bool) {
	ranks := bitset.Of(len(r.order))
	for slot := range set.All() {
		ranks.Add(int(r.rank[slot]))
	}
	for rank := range ranks.All() {
		if !yield(int(r.order[rank])) {
			return
		}
	}
}

// Len returns how many services there are.
func (r *Registry) Len() int { return len(r.order) }

// All yields the services sorted by id.
func (r *Registry) All() iter.Seq[*Service] {
	return func(yield func(*Service) bool) {
		for _, slot := range r.order {
			if !yield(r.slots[slot]) {
				return
			}
		}
	}
}

// Revision counts the changes that led to this snapshot.
func (r *Registry) Revision() uint64 { return r.revision }

// Digest names the snapshot: 64 hex digits that depend on the services' ids and contracts alone; revisions and times
// decide nothing. The services are grouped by the first byte of their id's sha256. The digest of a group is the sha256
// over its services sorted by id, for each its id, a space, its contract's digest in hex, a line feed; the registry's is
// the sha256 over the groups that have services, in ascending order, for each its byte and the 32 bytes of its digest.
// So a change among thousands costs the hash of a few.
func (r *Registry) Digest() string { return r.digest }

// NearestCapability returns the capability on offer that comes nearest to name, name itself if it is on offer, "" if none
// is near. Only what a service in visible offers counts: a hint must not name what its reader may not know of.
func (r *Registry) NearestCapability(name string, visible bitset.Set) string {
	return r.nearest(name, visible, func(m mark) (string, bool) { return m.name, m.says == offers })
}

// NearestGuarantee is NearestCapability for the guarantee types that are promised.
func (r *Registry) NearestGuarantee(name string, visible bitset.Set) string {
	return r.nearest(name, visible, func(m mark) (string, bool) { return m.name, m.says == promises })
}

// NearestProperty is NearestCapability for the properties that promises of a guarantee type are about.
func (r *Registry) NearestProperty(guarantee, property string, visible bitset.Set) string {
	return r.nearest(property, visible, func(m mark) (string, bool) { return m.property, m.says == promisesOf && m.name == guarantee })
}

func (r *Registry) nearest(name string, visible bitset.Set, among func(mark) (string, bool)) string {
	var names []string
	for m, slots := range r.index.sets.all() {
		if candidate, ok := among(m); ok && slots.intersects(visible) {
			names = append(names, candidate)
		}
	}
	if slices.Contains(names, name) {
		return name
	}
	slices.Sort(names)
	return Nearest(name, names)
}
