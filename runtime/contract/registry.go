package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"sort"
	"sync"
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
// own while it is there; capabilities are indexed as sets of slots, so finding the candidates for one takes a look-up, not
// a walk over the services. Demands on guarantees and constraints are then judged candidate by candidate, as each that
// fails has to be told why: an index over them would save nothing. With and Without copy what they change and share the rest: 10,000
// services cost a few hundred kilobytes and well below a millisecond a change.
//
// Any number of goroutines may use one registry at once. The zero value is not usable; NewRegistry is.
type Registry struct {
	revision     uint64
	slots        []*Service // nil: free
	live         bitset.Set
	order        []int32               // slots by service id
	rank         []int32               // of each slot in order; -1: free
	capabilities map[string]bitset.Set // services that offer a capability; no empty sets
	tenants      map[string]bitset.Set // services of a tenant, "": of none; no empty sets

	digestOnce sync.Once
	digest     string
}

// NewRegistry returns a snapshot with the given services; of two with one id the later counts. It is the quick way to
// begin with many. The registry's revision is the highest of theirs.
func NewRegistry(services ...*Service) *Registry {
	r := &Registry{capabilities: map[string]bitset.Set{}, tenants: map[string]bitset.Set{}}
	at := make(map[string]int, len(services))
	for _, s := range services {
		if slot, again := at[s.ID()]; again {
			r.slots[slot] = s
		} else {
			at[s.ID()] = len(r.slots)
			r.slots = append(r.slots, s)
		}
		r.revision = max(r.revision, s.Revision)
	}
	// Nobody has seen these sets yet, so they are written in place.
	for slot, s := range r.slots {
		r.live = r.live.Add(slot)
		r.order = append(r.order, int32(slot))
		for _, capability := range s.Message().GetCapabilities() {
			r.capabilities[capability.GetType()] = r.capabilities[capability.GetType()].Add(slot)
		}
		tenant := s.Message().GetMetadata().GetTenant()
		r.tenants[tenant] = r.tenants[tenant].Add(slot)
	}
	slices.SortFunc(r.order, func(a, b int32) int {
		if r.slots[a].ID() < r.slots[b].ID() {
			return -1
		}
		return 1
	})
	r.rerank()
	return r
}

// clone copies what every change writes to; the sets themselves are copied one by one as they change.
func (r *Registry) clone() *Registry {
	return &Registry{
		revision: r.revision, slots: slices.Clone(r.slots), live: r.live.Clone(), order: slices.Clone(r.order),
		capabilities: maps.Clone(r.capabilities), tenants: maps.Clone(r.tenants),
	}
}

// With returns a snapshot in which s is in force, in place of the service of the same id if there is one. The revision
// is that of s, or r's if that is higher.
func (r *Registry) With(s *Service) *Registry {
	n := r.clone()
	n.revision = max(n.revision, s.Revision)
	rank, there := n.find(s.ID())
	slot := 0
	if there {
		slot = int(n.order[rank])
		n.unindex(slot)
	} else {
		slot = n.live.FirstFree()
		if slot == len(n.slots) {
			n.slots = append(n.slots, nil)
		}
		n.order = slices.Insert(n.order, rank, int32(slot))
	}
	n.slots[slot] = s
	n.index(slot)
	n.rerank()
	return n
}

// Without returns a snapshot without the service, its revision one higher; r itself if there is no such service.
func (r *Registry) Without(id string) *Registry {
	rank, there := r.find(id)
	if !there {
		return r
	}
	n := r.clone()
	n.revision++
	slot := int(n.order[rank])
	n.unindex(slot)
	n.slots[slot] = nil
	n.order = slices.Delete(n.order, rank, rank+1)
	n.rerank()
	return n
}

// At returns the same snapshot under another revision: what a restart needs, as removals leave no service behind that
// would tell theirs.
func (r *Registry) At(revision uint64) *Registry {
	n := r.clone()
	n.rank = r.rank
	n.revision = revision
	return n
}

// find returns where id stands, or would stand, in order.
func (r *Registry) find(id string) (rank int, there bool) {
	rank = sort.Search(len(r.order), func(i int) bool { return r.slots[r.order[i]].ID() >= id })
	return rank, rank < len(r.order) && r.slots[r.order[rank]].ID() == id
}

func (r *Registry) index(slot int) {
	r.live = r.live.With(slot)
	for _, capability := range r.slots[slot].Message().GetCapabilities() {
		r.capabilities[capability.GetType()] = r.capabilities[capability.GetType()].With(slot)
	}
	tenant := r.slots[slot].Message().GetMetadata().GetTenant()
	r.tenants[tenant] = r.tenants[tenant].With(slot)
}

// unindex leaves no empty set behind: a registry must not remember every name it ever saw.
func (r *Registry) unindex(slot int) {
	r.live = r.live.Without(slot)
	for _, capability := range r.slots[slot].Message().GetCapabilities() {
		if left := r.capabilities[capability.GetType()].Without(slot); left.Empty() {
			delete(r.capabilities, capability.GetType())
		} else {
			r.capabilities[capability.GetType()] = left
		}
	}
	tenant := r.slots[slot].Message().GetMetadata().GetTenant()
	if left := r.tenants[tenant].Without(slot); left.Empty() {
		delete(r.tenants, tenant)
	} else {
		r.tenants[tenant] = left
	}
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
	shared, own := r.tenants[""], r.tenants[tenant]
	switch {
	case all && r.live != nil:
		return r.live
	case !all && len(shared) > 0 && len(own) > 0 && tenant != "":
		return shared.Clone().Or(own)
	case !all && len(shared) > 0:
		return shared
	case !all && len(own) > 0:
		return own
	}
	return bitset.Set{}
}

// ByID yields the slots of set, which must all be taken, in the order of their services' ids: a set of ranks is in that
// order by itself, which spares the sorting.
func (r *Registry) ByID(set bitset.Set) iter.Seq[int] {
	return func(yield func(int) bool) {
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

// Digest names the snapshot: the sha256, in hex, over the services sorted by id, for each its id, a space, its
// contract's digest, a line feed. Revisions and times are not part of it: they decide nothing. Computed once, when first
// asked for.
func (r *Registry) Digest() string {
	r.digestOnce.Do(func() {
		h := sha256.New()
		for s := range r.All() {
			h.Write([]byte(s.ID() + " " + s.Contract.Digest() + "\n"))
		}
		r.digest = hex.EncodeToString(h.Sum(nil))
	})
	return r.digest
}

// NearestCapability returns the capability on offer that comes nearest to name, "" if none is near. Only what a service
// in visible offers counts: a hint must not name what its reader may not know of.
func (r *Registry) NearestCapability(name string, visible bitset.Set) string {
	var offered []string
	for capability, slots := range r.capabilities {
		if slots.Intersects(visible) {
			offered = append(offered, capability)
		}
	}
	slices.Sort(offered)
	return Nearest(name, offered)
}

// offering returns the services that offer all, or any, of the capabilities, and those that offer at least one. Without
// capabilities both are everybody. The sets are the caller's own.
func (r *Registry) offering(request *caiov1.Request) (enough, some bitset.Set) {
	asked := request.GetCapabilities()
	if len(asked) == 0 {
		return r.live.Clone(), r.live.Clone()
	}
	for i, capability := range asked {
		set := r.capabilities[capability]
		some = some.Or(set)
		if i == 0 {
			enough = set.Clone()
		} else {
			enough = enough.And(set)
		}
	}
	if request.GetMatch() == "any" {
		return some, some
	}
	return enough, some
}
