package adapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Catalog is the set of adapters in force, immutable; a change builds another. Safe for concurrent use.
type Catalog struct {
	adapters map[string][]*Adapter // by name; the one in force first
	digest   string
}

// Adapter is one adapter of a loaded module. Safe for concurrent use.
type Adapter struct {
	module *Module
	info   Info
}

// NewCatalog builds a catalog. Where several modules have an adapter of one name, all of them can be pinned by digest, and
// the last module's is in force for contracts that pin none: so what an operator installs stands over what was shipped. The
// same module twice counts once. A nil module is an error.
func NewCatalog(modules ...*Module) (*Catalog, error) {
	c := &Catalog{adapters: map[string][]*Adapter{}}
	seen := map[string]bool{}
	for i, m := range slices.Backward(modules) {
		if m == nil {
			return nil, fmt.Errorf("build the adapter catalog: module %d is nil", i)
		}
		if seen[m.digest] {
			continue
		}
		seen[m.digest] = true
		for _, info := range m.adapters {
			c.adapters[info.Name] = append(c.adapters[info.Name], &Adapter{m, info})
		}
	}
	sum := sha256.New()
	for _, name := range c.names() {
		for _, a := range c.adapters[name] {
			// In order of precedence: which of two is in force is part of what the catalog is.
			sum.Write([]byte(name + "@" + a.Digest() + "\n"))
		}
	}
	c.digest = hex.EncodeToString(sum.Sum(nil))
	return c, nil
}

func (c *Catalog) names() []string {
	names := make([]string, 0, len(c.adapters))
	for name := range c.adapters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Find returns the adapter that a contract names; digest empty: the one in force. The error is a *NotFoundError.
func (c *Catalog) Find(plugin, digest string) (*Adapter, error) {
	for _, a := range c.adapters[plugin] {
		if digest == "" || digest == a.Digest() {
			return a, nil
		}
	}
	missing := &NotFoundError{Plugin: plugin, Digest: digest}
	if versions := c.adapters[plugin]; len(versions) > 0 {
		for _, a := range versions {
			missing.Available = append(missing.Available, plugin+"@"+a.Digest())
		}
		slices.Sort(missing.Available)
	} else {
		missing.Available = c.names()
	}
	return nil, missing
}

// List returns every adapter, sorted by name and digest; never nil.
func (c *Catalog) List() []*caiov1.AdapterVersion {
	list := []*caiov1.AdapterVersion{}
	for name, versions := range c.adapters {
		for _, a := range versions {
			list = append(list, &caiov1.AdapterVersion{Name: name, Digest: a.Digest()})
		}
	}
	slices.SortFunc(list, func(a, b *caiov1.AdapterVersion) int {
		if by := strings.Compare(a.GetName(), b.GetName()); by != 0 {
			return by
		}
		return strings.Compare(a.GetDigest(), b.GetDigest())
	})
	return list
}

// Digest returns the sha256 of names, digests and precedence, in hex.
func (c *Catalog) Digest() string { return c.digest }

// Name returns what contracts call the adapter.
func (a *Adapter) Name() string { return a.info.Name }

// Digest returns the sha256 of the adapter's module, in hex.
func (a *Adapter) Digest() string { return a.module.digest }

// Info returns how its author describes it.
func (a *Adapter) Info() Info { return a.info }

// Step hands one event to the adapter. state is that of the reply before, nil for KindStart. The reply keeps to the step
// machine and shares no memory with anything. Its error is a *GuestError when the adapter is to blame, ErrClosed, ctx's
// while waiting for a free instance, or that the event is larger than 32 MiB. A step that runs is not ended by ctx: fuel
// bounds it.
func (a *Adapter) Step(ctx context.Context, state []byte, ev Event) (Reply, error) {
	return a.module.step(ctx, a.info.Name, state, &ev)
}

// TakesMore tells whether the adapter takes several frames in one event, as Event.More.
func (a *Adapter) TakesMore() bool { return a.info.Frames }

// goesOn tells whether r asks for the next frame.
func goesOn(r *Reply) bool {
	return len(r.Actions) == 0 || r.Actions[len(r.Actions)-1].Kind == ActionEmit
}
