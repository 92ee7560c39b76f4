package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// contracts are those of a bundle by the ids of their services.
type contracts map[string]*caiov1.Contract

// contractsOf reads the contracts of s, which stand there in their normal form; nil: there is no s. It fails on what is no
// contract, or is one under another id than it has; the others are returned all the same.
func contractsOf(s *caiov1.Snapshot) (contracts, error) {
	if s == nil {
		return nil, nil
	}
	out := make(contracts, len(s.GetContracts()))
	var f faults
	for _, file := range s.GetContracts() {
		contract := &caiov1.Contract{}
		switch err := schema.ParseJSON(file.GetSource(), contract); {
		case err != nil || contract.GetServiceId() != file.GetServiceId():
			f.add("what the bundle holds as the contract of %.64q is none of that service", file.GetServiceId())
		case out[contract.GetServiceId()] != nil:
			f.add("the bundle holds two contracts of %.64q", file.GetServiceId())
		default:
			out[contract.GetServiceId()] = contract
		}
	}
	if f.n > 0 {
		return out, errors.New(f.verdict("").said)
	}
	return out, nil
}

// snapshot holds what the bundle says decided against the digests of d, which is nil where nothing was decided.
func (c *inquiry) snapshot(s *caiov1.Snapshot, d *caiov1.Decision, f *faults) {
	if d == nil {
		f.add("the bundle says what decided, and the trace has no decision")
	}
	digests := make(map[string]string, len(s.GetContracts()))
	for _, file := range s.GetContracts() {
		digest := schema.Digest(file.GetSource())
		if digest != file.GetDigest() {
			f.add("the contract of %.64q has the digest %s, and is said to have %s", file.GetServiceId(), short(digest), short(file.GetDigest()))
		}
		digests[file.GetServiceId()] = digest
	}
	f.digest("the registry of the bundle", registryDigest(digests), d.GetInputs().GetRegistry())
	f.digest("the policy set of the bundle", policiesDigest(s.GetPolicies()), d.GetInputs().GetPolicies())
	for _, candidate := range d.GetCandidates() {
		digest, there := digests[candidate.GetServiceId()]
		if !there {
			f.add("the candidate %.64q has no contract in the bundle", candidate.GetServiceId())
			continue
		}
		if digest != candidate.GetContractDigest() {
			f.add("the contract of %.64q has the digest %s in the bundle, and %s in the decision", candidate.GetServiceId(),
				short(digest), short(candidate.GetContractDigest()))
		}
		c.reasons(candidate.GetReasons(), s.GetPolicies(), f)
	}
	if n := len(d.GetCandidates()) + int(d.GetUnlisted()); n > len(digests) {
		f.add("the decision is among %d services, and the registry of the bundle has %d", n, len(digests))
	}
	for _, attempt := range c.trace.GetAttempts() {
		for _, violation := range attempt.GetViolations() {
			c.reasons([]*caiov1.Reason{violation.GetReason()}, s.GetPolicies(), f)
		}
	}
	c.adapters(s.GetAdapters(), f)
}

// reasons looks whether the rules that reasons name can stand where they say.
func (c *inquiry) reasons(reasons []*caiov1.Reason, policies map[string][]byte, f *faults) {
	for _, r := range reasons {
		if r.GetFile() == "" {
			continue // not a rule's
		}
		content, there := policies[r.GetFile()]
		switch {
		case !there:
			f.add("the rule %.100q is said to stand in %.100q, which is no file of the policy set", r.GetRule(), r.GetFile())
		case r.GetLine() < 1 || int(r.GetLine()) > bytes.Count(content, []byte("\n"))+1:
			f.add("the rule %.100q is said to stand in line %d of %.100q, which has no such line", r.GetRule(), r.GetLine(), r.GetFile())
		}
	}
}

// adapters looks whether modules are what they are named by, and whether those that executed are there.
func (c *inquiry) adapters(modules map[string][]byte, f *faults) {
	if len(modules) == 0 {
		return // they were not asked for
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if digest := schema.Digest(modules[name]); digest != name {
			f.add("an adapter of the bundle has the digest %s and is named %s", short(digest), short(name))
		}
	}
	for _, attempt := range c.trace.GetAttempts() {
		if _, there := modules[attempt.GetAdapterDigest()]; !there && attempt.GetAdapterDigest() != "" {
			f.add("the adapter %s that executed for %.64q is not in the bundle", short(attempt.GetAdapterDigest()), attempt.GetServiceId())
		}
	}
}

// policiesDigest is the digest of a policy set of these files, as policy.Set.Digest describes it.
func policiesDigest(files map[string][]byte) string {
	var all []byte
	for _, path := range slices.Sorted(maps.Keys(files)) {
		all = append(append(all, path...), 0)
		all = append(strconv.AppendInt(all, int64(len(files[path])), 10), 0)
		all = append(all, files[path]...)
	}
	return schema.Digest(all)
}

// registryDigest is the digest of a registry of contracts of these digests by their services' ids, as
// contract.Registry.Digest describes it.
func registryDigest(contracts map[string]string) string {
	var groups [256]*strings.Builder
	for _, id := range slices.Sorted(maps.Keys(contracts)) {
		at := sha256.Sum256([]byte(id))[0]
		if groups[at] == nil {
			groups[at] = &strings.Builder{}
		}
		groups[at].WriteString(id + " " + contracts[id] + "\n")
	}
	var all []byte
	for at, lines := range groups {
		if lines != nil {
			sum := sha256.Sum256([]byte(lines.String()))
			all = append(append(all, byte(at)), sum[:]...)
		}
	}
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:])
}
