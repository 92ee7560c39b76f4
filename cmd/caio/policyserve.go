package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/store"
)

// named returns the policies that the command line names, or else the embedded ones. It refuses a set that is not safe in
// production.
func (o *serveOptions) named(ctx context.Context, log *slog.Logger) (*policy.Set, engine.PolicyOrigin, error) {
	origin := engine.PolicyOrigin{Pinned: o.policies.given(), Development: o.insecureDev}
	files, err := o.policies.files()
	if err != nil {
		return nil, origin, err
	}
	set, err := policy.Load(files)
	if err != nil {
		return nil, origin, o.policies.explain(err)
	}
	for _, note := range o.policies.notes() {
		log.WarnContext(ctx, "policies are missing", "note", note)
	}
	// A set that is too large to be kept serves all the same; there is only no way back to it.
	if bundle, err := policy.ReadBundle(files); err == nil {
		origin.Files = bundle
	}
	return set, origin, o.safe(set)
}

// activated returns the policies to start with: set, if the command line names it, else the version that was activated
// last, if there is one.
func (o *serveOptions) activated(ctx context.Context, st *store.Store, set *policy.Set, origin engine.PolicyOrigin,
	log *slog.Logger) (*policy.Set, engine.PolicyOrigin, error) {
	stored, from, err := engine.LoadPolicies(ctx, st)
	switch {
	case err != nil && origin.Pinned:
		log.WarnContext(ctx, "the version of the policies that was activated last cannot be loaded", "error", err)
	case err != nil:
		return nil, origin, fmt.Errorf("%w; name others with --policies to start all the same", err)
	case stored == nil:
	case !origin.Pinned:
		from.Development = origin.Development
		return stored, from, o.safe(stored)
	case stored.Digest() == set.Digest():
		origin.Version = from.Version
	default:
		log.WarnContext(ctx, "the policies of the command line are in force, not the version activated last; start without "+
			"--policies and --policy-overlay to have that", "digest", set.Digest(), "version", from.Version.Number, "version_digest", stored.Digest())
	}
	return set, origin, nil
}

// safe refuses a set that is not to serve in production.
func (o *serveOptions) safe(set *policy.Set) error {
	if missing := set.Uncovered(); len(missing) > 0 && !o.insecureDev {
		return fmt.Errorf("unsafe: no rule of the policy set covers %s; add the default security/ rules, or lay your "+
			"policies over them with --policy-overlay", strings.Join(missing, ", "))
	}
	return nil
}
