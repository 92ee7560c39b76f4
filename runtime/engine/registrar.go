package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/smarthausgroup/caio/runtime/contract"
)

// Change is one change of the registry, or, at the beginning of a watch, something that was there already.
type Change struct {
	Type     string            // "present", "synced", "registered", "updated", "removed"
	Service  *contract.Service // as it is now; after a removal as it last was; nil for "synced"
	Revision uint64            // of the registry after the change
}

// Register brings a new service into force: durable first, then for the next decision. The error's code is
// SERVICE_EXISTS if the id is taken.
func (e *Engine) Register(ctx context.Context, c *contract.Contract) (*contract.Service, error) {
	return e.put(ctx, c, "registered", nil)
}

// A Guard may refuse a change of the service that is in force. It is asked while no other change can happen.
type Guard func(now *contract.Service) error

// Update replaces the contract of a service, unless guard, which may be nil, refuses. Running executions finish by the
// old one. The error's code is SERVICE_NOT_FOUND if there is none; guard's errors are returned as they are.
func (e *Engine) Update(ctx context.Context, c *contract.Contract, guard Guard) (*contract.Service, error) {
	return e.put(ctx, c, "updated", guard)
}

func (e *Engine) put(ctx context.Context, c *contract.Contract, change string, guard Guard) (*contract.Service, error) {
	e.change.Lock()
	defer e.change.Unlock()
	now := e.snapshot.Load()
	old, exists := now.Registry.Get(c.ID())
	switch {
	case exists && change == "registered":
		return nil, fail("SERVICE_EXISTS", "registry", fmt.Sprintf("service %q is registered already", c.ID()), nil).
			hint("update it, or remove it first")
	case !exists && change == "updated":
		return nil, notFound(c.ID())
	case exists && guard != nil:
		if err := guard(old); err != nil {
			return nil, err
		}
	}
	service := &contract.Service{Contract: c, Revision: now.Registry.Revision() + 1, Time: e.opts.Now().UTC().Truncate(time.Millisecond)}
	next, err := now.with(service)
	if err != nil {
		return nil, fail("INVALID_CONTRACT", "registry", "read the contract", err)
	}
	stored, err := record(service, e.opts.Schema)
	if err != nil {
		return nil, fail("INVALID_CONTRACT", "registry", "read the contract", err)
	}
	if err := e.opts.Store.SaveService(ctx, stored, next.Registry.Digest()); err != nil {
		return nil, fail("UNAVAILABLE", "registry", "save service "+c.ID(), err)
	}
	e.opts.History.begin(c.ID())
	e.swap(next, Change{change, service, service.Revision})
	return service, nil
}

// Remove takes a service out, unless guard, which may be nil, refuses, and returns the revision without it. Running
// executions finish. The error's code is SERVICE_NOT_FOUND if there is none.
func (e *Engine) Remove(ctx context.Context, id string, guard Guard) (uint64, error) {
	e.change.Lock()
	defer e.change.Unlock()
	now := e.snapshot.Load()
	old, exists := now.Registry.Get(id)
	if !exists {
		return 0, notFound(id)
	}
	if guard != nil {
		if err := guard(old); err != nil {
			return 0, err
		}
	}
	next := now.without(id)
	revision := next.Registry.Revision()
	if err := e.opts.Store.DeleteService(ctx, id, revision, next.Registry.Digest()); err != nil {
		return 0, fail("UNAVAILABLE", "registry", "delete service "+id, err)
	}
	e.swap(next, Change{"removed", old, revision})
	e.opts.History.end(id)
	return revision, nil
}

func notFound(id string) *Error {
	return fail("SERVICE_NOT_FOUND", "registry", fmt.Sprintf("no service %q is registered", id), nil).
		hint("'caio service list' shows what there is")
}

// swap brings next into force and tells the watchers. The caller holds e.change.
func (e *Engine) swap(next *Snapshot, change Change) {
	e.snapshot.Store(next)
	for w := range e.watchers {
		select {
		case w.changes <- change:
		default:
			// A watcher that cannot keep up must not hold up the registry; it is told so and starts over.
			close(w.changes)
			delete(e.watchers, w)
		}
	}
}

// A watcher is one running Watch.
type watcher struct{ changes chan Change }

// watchBacklog is how many changes a watcher may be behind.
const watchBacklog = 1024

// Watch sends every service there is as "present", then "synced", then every change, in order and without a gap, until
// ctx ends or send fails. A watcher that falls 1,024 changes behind gets an error of code OVERLOADED.
func (e *Engine) Watch(ctx context.Context, send func(Change) error) error {
	w := &watcher{changes: make(chan Change, watchBacklog)}
	e.change.Lock()
	start := e.snapshot.Load().Registry
	e.watchers[w] = struct{}{}
	e.change.Unlock()
	defer func() {
		e.change.Lock()
		defer e.change.Unlock()
		delete(e.watchers, w)
	}()
	for service := range start.All() {
		if err := send(Change{"present", service, start.Revision()}); err != nil {
			return err
		}
	}
	if err := send(Change{"synced", nil, start.Revision()}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case change, ok := <-w.changes:
			if !ok {
				return fail("OVERLOADED", "registry", "the watch fell behind the changes", nil).hint("watch again")
			}
			if err := send(change); err != nil {
				return err
			}
		}
	}
}
