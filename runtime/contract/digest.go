package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// groups are the services of a registry by the first byte of their id's sha256, and what their digest is made of. A
// change hashes one group anew instead of all services. It is immutable.
type groups [256]*group // nil: empty

type group struct {
	services []*Service // sorted by id
	sum      [sha256.Size]byte
}

// newGroups groups services that are sorted by id.
func newGroups(services []*Service) *groups {
	var members [256][]*Service
	for _, s := range services {
		at := groupOf(s.ID())
		members[at] = append(members[at], s)
	}
	g := &groups{}
	for at := range members {
		g[at] = newGroup(members[at])
	}
	return g
}

// with returns the groups in which s is the service of id; nil: nobody is.
func (g *groups) with(id string, s *Service) *groups {
	n := *g
	at := groupOf(id)
	var services []*Service
	if g[at] != nil {
		services = slices.Clone(g[at].services)
	}
	i, there := slices.BinarySearchFunc(services, id, func(s *Service, id string) int { return strings.Compare(s.ID(), id) })
	switch {
	case there && s == nil:
		services = slices.Delete(services, i, i+1)
	case there:
		services[i] = s
	case s != nil:
		services = slices.Insert(services, i, s)
	}
	n[at] = newGroup(services)
	return &n
}

// digest is Registry.Digest.
func (g *groups) digest() string {
	lines := make([]byte, 0, len(g)*(1+sha256.Size))
	for at, group := range g {
		if group != nil {
			lines = append(append(lines, byte(at)), group.sum[:]...)
		}
	}
	sum := sha256.Sum256(lines)
	return hex.EncodeToString(sum[:])
}

func newGroup(services []*Service) *group {
	if len(services) == 0 {
		return nil
	}
	var lines []byte
	for _, s := range services {
		lines = append(append(lines, s.ID()...), ' ')
		lines = append(append(lines, s.Contract.Digest()...), '\n')
	}
	return &group{services, sha256.Sum256(lines)}
}

func groupOf(id string) byte { return sha256.Sum256([]byte(id))[0] }
