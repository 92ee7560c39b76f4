package engine

import (
	"maps"
	"slices"
	"sync"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// told is what a snapshot tells requests of its registry. To all that see the same services it tells the same, so it is found
// out once for each such group: to look through a registry for every request would cost more than to decide it.
type told struct {
	groups sync.Map // of registered, by viewer
}

// registered is what services offer, by category.
type registered = map[string]*caiov1.Registered

// informed returns req with what the policies of s ask about the registry. What req says already stays: a request that was
// recorded is judged by what was registered then. req is not changed.
func (s *Snapshot) informed(req *caiov1.Request, visible visibility) *caiov1.Request {
	who := visible.viewer(req.Principal)
	found, there := s.told.groups.Load(who)
	if !there {
		found, _ = s.told.groups.LoadOrStore(who, s.gather(visible.of(s.Registry, req.Principal)))
	}
	all := found.(registered)
	if len(all) == 0 {
		return req
	}
	out := &caiov1.Request{}
	shareRequest(out, req)
	if len(req.Registered) > 0 {
		all = maps.Clone(all)
		maps.Copy(all, req.Registered)
	}
	out.Registered = all
	return out
}

// gather looks through the services in seen.
func (s *Snapshot) gather(seen bitset.Set) registered {
	if !s.Policies.AsksRegistered() {
		return nil
	}
	offers := map[string]map[string]bool{}
	for slot := range seen.All() {
		p := s.profiles[slot]
		category := p.contract.GetMetadata().GetCategory()
		if category == "" || !s.Policies.AsksAbout(category) {
			continue
		}
		if offers[category] == nil {
			offers[category] = map[string]bool{}
		}
		for _, capability := range p.offered {
			offers[category][capability] = true
		}
	}
	all := registered{}
	for category, capabilities := range offers {
		all[category] = &caiov1.Registered{Capabilities: slices.Sorted(maps.Keys(capabilities))}
	}
	return all
}
