package server

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/identity"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func (r *registry) Watch(ctx context.Context, _ *connect.Request[caiov1.WatchRequest], stream *connect.ServerStream[caiov1.WatchResponse]) error {
	watch, release := untilDrain(ctx, r.draining)
	defer release()
	view := &view{principal: callerOf(ctx).principal, shown: map[string]*contract.Service{}}
	err := r.engine.Watch(watch, func(change engine.Change) error {
		change, ok := view.of(change)
		if !ok {
			return nil
		}
		response := &caiov1.WatchResponse{Type: change.Type, Revision: change.Revision}
		if change.Service != nil {
			response.Service = message(change.Service)
		}
		return stream.Send(response)
	})
	if drained(watch) {
		return nil
	}
	return err
}

// untilDrain returns the context of a call that has no end of its own, so that a shutdown ends it: cleanly, as nothing is
// wrong with it, which drained tells. release it in the end.
func untilDrain(ctx, draining context.Context) (watch context.Context, release func()) {
	watch, stop := context.WithCancelCause(ctx)
	unhang := context.AfterFunc(draining, func() { stop(errDraining) })
	return watch, func() {
		unhang()
		stop(nil)
	}
}

// drained tells whether a shutdown ended a context of untilDrain.
func drained(watch context.Context) bool { return errors.Is(context.Cause(watch), errDraining) }

// view is the registry as one caller may see it, while it changes. Used by one goroutine.
type view struct {
	principal *caiov1.Principal
	shown     map[string]*contract.Service // what the caller knows of, by id
}

// of translates a change for the caller; false: it is none of its business. A service that is handed to another tenant
// is, to the tenant it leaves, removed.
func (v *view) of(change engine.Change) (engine.Change, bool) {
	if change.Service == nil {
		return change, true
	}
	id := change.Service.ID()
	last, known := v.shown[id]
	visible := identity.CanSee(v.principal, change.Service.Message().GetMetadata().GetTenant())
	switch {
	case change.Type == "removed":
		delete(v.shown, id)
		return change, known
	case visible && !known && change.Type == "updated":
		change.Type = "registered"
	case !visible && known:
		delete(v.shown, id)
		return engine.Change{Type: "removed", Service: last, Revision: change.Revision}, true
	case !visible:
		return change, false
	}
	v.shown[id] = change.Service
	return change, true
}
