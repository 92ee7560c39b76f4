package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/store"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// keepInputs stores what s decides by, where that is not stored already: it must be there before the first decision names
// it.
func (e *Engine) keepInputs(ctx context.Context, s *Snapshot) error {
	normal := make(map[string][]byte, s.Registry.Len())
	for service := range s.Registry.All() {
		normal[service.ID()] = service.JSON()
	}
	if err := e.opts.Store.NoteRegistry(ctx, s.Registry.Digest(), normal); err != nil {
		return err
	}
	return e.keepPolicies(ctx, s.Policies)
}

func (e *Engine) keepPolicies(ctx context.Context, set *policy.Set) error {
	if _, err := e.opts.Store.PutContent(ctx, set.Files().Archive()); err != nil {
		return fmt.Errorf("keep the policies: %w", err)
	}
	return nil
}

// Bundled returns what decided the request of t: the contracts of the registry as it was, every tenant's, the files of the
// policies, and, if adapters, the modules that executed. Replay decides by it again. nil: nothing was decided. The error's
// code is SERVICE_NOT_FOUND, POLICY_NOT_FOUND or ADAPTER_NOT_FOUND if a part of it is not kept, as of decisions that a
// release made which kept nothing.
func (e *Engine) Bundled(ctx context.Context, t *caiov1.Trace, adapters bool) (*caiov1.Snapshot, error) {
	if t.GetDecision() == nil {
		return nil, nil
	}
	inputs := t.GetDecision().GetInputs()
	out := &caiov1.Snapshot{Release: e.opts.Release}
	services, err := e.opts.Store.RegistryAt(ctx, inputs.GetRegistry())
	if err != nil {
		return nil, notKept(err, "SERVICE_NOT_FOUND", "the registry", inputs.GetRegistry())
	}
	for _, s := range services {
		normal, err := e.opts.Store.Content(ctx, s.Contract)
		if err != nil {
			return nil, notKept(err, "SERVICE_NOT_FOUND", "the contract of "+s.ID, s.Contract)
		}
		out.Contracts = append(out.Contracts, &caiov1.ContractFile{ServiceId: s.ID, Digest: s.Contract, Source: normal})
		if err := ctx.Err(); err != nil {
			return nil, unable("bundle", "read the contracts", err)
		}
	}
	archive, err := e.opts.Store.Content(ctx, inputs.GetPolicies())
	if err != nil {
		return nil, notKept(err, "POLICY_NOT_FOUND", "the policies", inputs.GetPolicies())
	}
	if out.Policies, err = policy.ReadArchive(archive); err != nil {
		return nil, fail("INTERNAL", "bundle", "read the policies", err)
	}
	if adapters {
		out.Adapters, err = e.executed(ctx, t)
	}
	return out, err
}

// executed returns the modules that executed, by digest.
func (e *Engine) executed(ctx context.Context, t *caiov1.Trace) (map[string][]byte, error) {
	modules := map[string][]byte{}
	for _, a := range t.GetAttempts() {
		digest := a.GetAdapterDigest()
		if digest == "" || modules[digest] != nil { // it came to no execution, or is there
			continue
		}
		module, err := e.opts.Store.Content(ctx, digest)
		if err != nil {
			return nil, notKept(err, "ADAPTER_NOT_FOUND", "the adapter of "+a.GetServiceId(), digest)
		}
		modules[digest] = module
	}
	return modules, nil
}

// notKept is the answer where a part of what decided cannot be read.
func notKept(err error, code, what, digest string) *Error {
	if errors.Is(err, store.ErrNoContent) {
		return fail(code, "bundle", fmt.Sprintf("%s that decided, %.12s, is not kept", what, digest), nil).
			hint("check the trace without replaying it; what decides is kept since the release that can replay")
	}
	return unable("bundle", "read "+what, err)
}
