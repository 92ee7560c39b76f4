package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/store"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// PolicyOrigin says where the policies that an Engine starts with come from. The zero value: from nowhere that is known,
// for production.
type PolicyOrigin struct {
	Version     store.PolicyVersion // the stored version that they are; zero: none
	Files       policy.Bundle       // kept as a version when others take their place; nil: there is no way back to them
	Pinned      bool                // the next start names them again, whatever was activated meanwhile
	Development bool                // sets without rules for SEC-0001 to SEC-0004 may be brought into force, too
}

// LoadPolicies returns the last version of the policies that st keeps; nil if there is none. It fails if they do not
// compile, or are not what they were: nobody is to be served by other rules than those that were activated.
func LoadPolicies(ctx context.Context, st *store.Store) (*policy.Set, PolicyOrigin, error) {
	record, err := st.PolicyRecord(ctx, 0)
	if errors.Is(err, store.ErrNoVersion) {
		return nil, PolicyOrigin{}, nil
	}
	if err != nil {
		return nil, PolicyOrigin{}, fmt.Errorf("load the policies: %w", err)
	}
	set, err := loadVersion(record)
	if err != nil {
		return nil, PolicyOrigin{}, fmt.Errorf("load the policies: version %d: %w", record.Number, err)
	}
	return set, PolicyOrigin{Version: record.PolicyVersion, Files: record.Files}, nil
}

func loadVersion(record *store.PolicyRecord) (*policy.Set, error) {
	set, err := policy.Load(policy.Bundle(record.Files).FS())
	if err != nil {
		return nil, err
	}
	if set.Digest() != record.Digest {
		return nil, fmt.Errorf("its files have the digest %s, and had %s", set.Digest(), record.Digest)
	}
	return set, nil
}

// policyState is what an Engine knows of the policies in force, beside the snapshot that holds them.
type policyState struct {
	turn   chan struct{} // holds one element while a set is brought into force
	whatIf chan struct{} // holds one element while one runs
	origin PolicyOrigin  // guarded by Engine.change
}

// An Activation brings a policy set into force.
type Activation struct {
	Files  policy.Bundle
	Author string // who wrote it; empty: nobody in particular
	By     string // subject of the principal that activates it
	Reason string // empty: none
}

// Activate brings a policy set into force: durable first, then for the next decision. It is compiled and prepared for
// every registered service beside the requests, which go on by the old set; changes of the registry wait only for what
// changed meanwhile. One set is brought into force at a time. The set that was in force before becomes a version too,
// if it is none yet.
//
// The error's code is INVALID_POLICY, with FaultsOf, if the set does not compile, or lacks a rule for SEC-0001 to
// SEC-0004 outside of development.
func (e *Engine) Activate(ctx context.Context, a Activation) (store.PolicyVersion, *policy.Set, error) {
	set, err := compile(a.Files)
	if err != nil {
		return store.PolicyVersion{}, nil, err
	}
	version := store.PolicyVersion{Author: a.Author, ActivatedBy: a.By, Reason: a.Reason}
	version, err = e.bring(ctx, set, a.Files, version)
	return version, set, err
}

// Rollback brings the files of an earlier version into force again, as a new version. number 0 is the version before the
// one in force: going back twice goes back two. The error's code is POLICY_NOT_FOUND if there is none, INVALID_POLICY
// if this release does not take it any more.
func (e *Engine) Rollback(ctx context.Context, number uint32, by, reason string) (store.PolicyVersion, error) {
	if number == 0 {
		var err error
		if number, err = e.versionBefore(ctx); err != nil {
			return store.PolicyVersion{}, err
		}
	}
	record, err := e.policyRecord(ctx, number)
	if err != nil {
		return store.PolicyVersion{}, err
	}
	set, err := loadVersion(record)
	if err != nil {
		return store.PolicyVersion{}, invalidPolicy(err)
	}
	return e.bring(ctx, set, record.Files, store.PolicyVersion{
		Author: record.Author, ActivatedBy: by, Reason: reason, Restores: number,
	})
}

// versionBefore returns the number of the version that was in force before the present one.
func (e *Engine) versionBefore(ctx context.Context) (uint32, error) {
	active := e.PolicyOrigin().Version
	if active.Number == 0 { // never stored: the last that was is the one before it
		record, err := e.policyRecord(ctx, 0)
		if err != nil {
			return 0, err
		}
		return record.Number, nil
	}
	before := active.Number
	if active.Restores != 0 {
		before = active.Restores
	}
	if before == 1 {
		return 0, fail("POLICY_NOT_FOUND", "policy", "nothing was in force before version 1", nil).
			hint("'caio policy eject DIR' writes the policies that ship; activate those")
	}
	return before - 1, nil
}

// bring prepares set over the registry, keeps it as the next version, and swaps it in.
func (e *Engine) bring(ctx context.Context, set *policy.Set, files policy.Bundle, version store.PolicyVersion) (store.PolicyVersion, error) {
	if missing := set.Uncovered(); len(missing) > 0 && !e.PolicyOrigin().Development {
		return version, fail("INVALID_POLICY", "policy", "no rule of the set covers "+strings.Join(missing, ", "), nil).
			hint("add the security/ rules that 'caio policy eject DIR' writes; only a server in development does without")
	}
	select {
	case e.policies.turn <- struct{}{}:
		defer func() { <-e.policies.turn }()
	case <-ctx.Done():
		return version, unable("policy", "wait for another activation", ctx.Err())
	}
	next, err := e.ahead(set)
	if err != nil {
		return version, fail("INTERNAL", "policy", "prepare the policies", err)
	}
	version.Digest, version.Rules, version.FileCount = set.Digest(), set.Len(), len(files)
	version.Time = e.opts.Now().UTC().Truncate(time.Millisecond)
	e.change.Lock()
	defer e.change.Unlock()
	next = next.following(e.snapshot.Load())
	if err := e.keepPolicies(ctx, set); err != nil {
		return version, fail("UNAVAILABLE", "policy", "save the policies", err)
	}
	if version, err = e.keep(ctx, version, files); err != nil {
		return version, err
	}
	e.policies.origin.Version, e.policies.origin.Files = version, files
	e.snapshot.Store(next)
	return version, nil
}

// chases is how often ahead goes after a registry that changes faster than it is prepared for, before it lets the last
// changes wait.
const chases = 10

// ahead prepares set over the registry as it is, without holding anybody up.
func (e *Engine) ahead(set *policy.Set) (*Snapshot, error) {
	next, err := e.snapshot.Load().under(set, e.opts.PolicyEngine)
	if err != nil {
		return nil, err
	}
	for range chases {
		now := e.snapshot.Load()
		if now.Registry == next.Registry {
			break
		}
		next = next.following(now)
	}
	return next, nil
}

// keep stores version as the one after the last, and before it the set that is in force, if that is no version yet. The
// caller holds e.change.
func (e *Engine) keep(ctx context.Context, version store.PolicyVersion, files policy.Bundle) (store.PolicyVersion, error) {
	last, err := e.opts.Store.Policies(ctx, 0, 1)
	if err != nil {
		return version, fail("UNAVAILABLE", "policy", "read the versions", err)
	}
	number := uint32(1)
	if len(last) > 0 {
		number = last[0].Number + 1
	}
	var records []store.PolicyRecord
	if now := e.policies.origin; now.Version.Number == 0 && now.Files != nil {
		set := e.snapshot.Load().Policies
		records = append(records, store.PolicyRecord{Files: now.Files, PolicyVersion: store.PolicyVersion{
			Number: number, Digest: set.Digest(), Reason: "in force before", Time: version.Time, Rules: set.Len(), FileCount: len(now.Files),
		}})
		number++
	}
	version.Number = number
	record := store.PolicyRecord{PolicyVersion: version}
	if version.Restores == 0 {
		record.Files = files
	}
	// Durable before it is in force: after a crash between the two, the next start decides by it.
	if err := e.opts.Store.SavePolicies(ctx, append(records, record)...); err != nil {
		return version, fail("UNAVAILABLE", "policy", "save the policies", err)
	}
	return version, nil
}

// VersionMessage returns v as it goes over the wire. active: it is in force.
func VersionMessage(v store.PolicyVersion, active bool) *caiov1.PolicyVersion {
	m := &caiov1.PolicyVersion{
		Version: v.Number, Digest: v.Digest, Author: v.Author, ActivatedBy: v.ActivatedBy, Reason: v.Reason,
		Restores: v.Restores, Rules: int32(v.Rules), Files: int32(v.FileCount), Active: active,
	}
	if !v.Time.IsZero() {
		m.Time = timestamppb.New(v.Time)
	}
	return m
}

// PolicyFiles returns the files of a set as they go over the wire, sorted by path.
func PolicyFiles(files map[string][]byte) []*caiov1.PolicyFile {
	return policy.Bundle(files).Messages()
}

// PolicyOrigin returns where the policies in force come from. Its files must not be changed.
func (e *Engine) PolicyOrigin() PolicyOrigin {
	e.change.Lock()
	defer e.change.Unlock()
	return e.policies.origin
}

// PolicyVersions returns the versions that were in force, newest first: those before the number before (0: all), at most
// limit.
func (e *Engine) PolicyVersions(ctx context.Context, before uint32, limit int) ([]store.PolicyVersion, error) {
	versions, err := e.opts.Store.Policies(ctx, before, limit)
	if err != nil {
		return nil, fail("UNAVAILABLE", "policy", "read the versions", err)
	}
	return versions, nil
}

// PolicyVersion returns a version with its files; 0: what is in force, whose number is 0 if it was never stored. The
// error's code is POLICY_NOT_FOUND if there is none.
func (e *Engine) PolicyVersion(ctx context.Context, number uint32) (*store.PolicyRecord, error) {
	if number != 0 {
		return e.policyRecord(ctx, number)
	}
	e.change.Lock()
	defer e.change.Unlock()
	origin, set := e.policies.origin, e.snapshot.Load().Policies
	if origin.Version.Number == 0 {
		origin.Version = store.PolicyVersion{Digest: set.Digest(), Rules: set.Len(), FileCount: len(origin.Files)}
	}
	return &store.PolicyRecord{PolicyVersion: origin.Version, Files: origin.Files}, nil
}

func (e *Engine) policyRecord(ctx context.Context, number uint32) (*store.PolicyRecord, error) {
	record, err := e.opts.Store.PolicyRecord(ctx, number)
	if errors.Is(err, store.ErrNoVersion) {
		what := fmt.Sprintf("there is no version %d of the policies", number)
		if number == 0 {
			what = "no version of the policies was ever stored"
		}
		return nil, fail("POLICY_NOT_FOUND", "policy", what, nil).hint("'caio policy versions' shows what there is")
	}
	if err != nil {
		return nil, fail("UNAVAILABLE", "policy", "read the versions", err)
	}
	return record, nil
}

// compile loads a set that came from outside.
func compile(files policy.Bundle) (*policy.Set, error) {
	set, err := policy.Load(files.FS())
	if err != nil {
		return nil, invalidPolicy(err)
	}
	return set, nil
}

// NewPolicyFiles returns the files of a set that came from outside. The error's code is INVALID_POLICY, with FaultsOf.
func NewPolicyFiles(files []*caiov1.PolicyFile) (policy.Bundle, error) {
	b, err := policy.NewBundle(files)
	if err != nil {
		return nil, invalidPolicy(err)
	}
	return b, nil
}

// invalidPolicy is the answer to a set with faults: each on a line of its own for people.
func invalidPolicy(err error) *Error {
	message := err.Error()
	var faults policy.Faults
	if errors.As(err, &faults) {
		s := "s"
		if len(faults) == 1 {
			s = ""
		}
		message = fmt.Sprintf("the policies have %d fault%s\n%s", len(faults), s, faults.Error())
	}
	return &Error{&caiov1.Error{Code: "INVALID_POLICY", Stage: "policy", Message: message,
		Hint: "'caio policy check DIR' shows the same before anything is sent"}, err}
}

// FaultsOf returns what is wrong with the policies that an error speaks of; nil: it speaks of none.
func FaultsOf(err error) []*caiov1.Fault {
	var faults policy.Faults
	errors.As(err, &faults)
	return faults
}
