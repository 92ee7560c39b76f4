package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/audit"
	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/runtime/tree"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestTenKindsOfForgeryAreNamed forges a decision of a real server in ten ways. Each is done by three forgers: one changes
// the bundle on its way; one makes a log of it with a key of his own; one is the operator, who has the log's key, rewrites
// the log, and shows it to an auditor who knew it before. The check that fits must be among those that fail.
func TestTenKindsOfForgeryAreNamed(t *testing.T) {
	w := newForged(t)
	if r := audit.Verify(w.honest, w.opts); !r.OK() {
		t.Fatalf("the honest bundle does not pass:\n%s", reportText(r))
	}
	for _, forgery := range []struct {
		name   string
		forge  func(*caiov1.Trace)
		proven bool   // the forger proves the decision anew
		names  string // what fails whoever forged; empty: nothing but the log tells
	}{
		{"another service", func(t *caiov1.Trace) { t.Decision.ServiceId = t.Decision.Ranking[1] }, false, audit.Proofs},
		{"another service, best proven", func(t *caiov1.Trace) { slices.Reverse(t.Decision.Ranking) }, true, audit.Proofs},
		{"another service, favored", favor, true, ""},
		{"another score", func(t *caiov1.Trace) { *candidateIn(t, t.Decision.Ranking[1]).Score += 0.1 }, false, audit.Proofs},
		{"another score, proven", func(t *caiov1.Trace) { *candidateIn(t, t.Decision.ServiceId).Score += 0.1 }, true, audit.Proofs},
		{"another rule", func(t *caiov1.Trace) { refusedIn(t).Reasons[0].File = "security/mine.rego" }, false, audit.Inputs},
		{"other rules", func(t *caiov1.Trace) { t.Decision.Inputs.Policies = schema.Digest([]byte("mine")) }, true, audit.Inputs},
		{"another time", func(t *caiov1.Trace) { t.Time = timestamppb.New(t.Time.AsTime().Add(-time.Hour)) }, false, audit.Identity},
		{"another time, judged by it", func(t *caiov1.Trace) {
			t.Time = timestamppb.New(t.Time.AsTime().Add(-time.Hour))
			t.Request.Context.Time = t.Time
		}, true, audit.Identity},
		{"another tenant", func(t *caiov1.Trace) { t.Request.Principal.Tenant = "other" }, false, audit.Identity},
		{"another tenant, proven", func(t *caiov1.Trace) { t.Request.Principal.Tenant = "other" }, true, ""},
	} {
		t.Run(forgery.name, func(t *testing.T) {
			raw := w.forge(t, forgery.forge, forgery.proven)
			changed := proto.CloneOf(w.honest)
			changed.Trace = raw
			w.expect(t, "a changed bundle", changed, w.opts, audit.Inclusion, forgery.names)
			entries := slices.Clone(w.entries)
			entries[w.index] = entryOf(raw)
			w.expect(t, "a key of his own", w.show(t, w.stranger, entries, raw), w.opts, audit.Signature, forgery.names)
			w.expect(t, "the log's key", w.show(t, w.signer, entries, raw), w.opts, audit.Consistency, forgery.names)
		})
	}
	raw := w.honest.Trace
	for _, forgery := range []struct {
		name  string
		show  func() *caiov1.Bundle
		names string
	}{
		{"another order", func() *caiov1.Bundle {
			b := proto.CloneOf(w.honest)
			b.Log.Index++
			return b
		}, audit.Inclusion},
		{"another order in the log", func() *caiov1.Bundle {
			entries := slices.Clone(w.entries)
			entries[0], entries[1] = entries[1], entries[0]
			return w.show(t, w.signer, entries, raw)
		}, audit.Consistency},
		{"a dropped trace", func() *caiov1.Bundle { return w.show(t, w.signer, slices.Delete(slices.Clone(w.entries), 0, 1), raw) }, audit.Consistency},
		{"a truncated log", func() *caiov1.Bundle { return w.show(t, w.signer, w.entries[:w.index+1], raw) }, audit.Consistency},
		{"another key", func() *caiov1.Bundle { return w.show(t, w.stranger, w.entries, raw) }, audit.Signature},
		{"an old checkpoint", func() *caiov1.Bundle { return w.old }, audit.Consistency},
	} {
		t.Run(forgery.name, func(t *testing.T) { w.expect(t, forgery.name, forgery.show(), w.opts, forgery.names) })
	}
}

// forged is a real decision in a real log, and what its forgers have.
type forged struct {
	honest, old      *caiov1.Bundle // old: as it was before the auditor's checkpoint
	opts             audit.Options  // of an auditor who knew the log when it was smaller
	index            uint64
	entries          [][]byte
	signer, stranger *tree.Signer
	contract         *caiov1.Contract // of the service that was chosen
}

// expect verifies, and wants the checks of these names, which may be empty, among those that fail.
func (w *forged) expect(t *testing.T, by string, b *caiov1.Bundle, opts audit.Options, names ...string) {
	t.Helper()
	r := audit.Verify(b, opts)
	for _, name := range names {
		if name != "" && !slices.Contains(r.Failures(), name) {
			t.Errorf("by %s: %s does not fail\n%s", by, name, reportText(r))
		}
	}
}

// newForged decides with a real server: one of two services is chosen, others fall by rules.
func newForged(t *testing.T) *forged {
	s := serveHere(t)
	s.register(t, filepath.Join("..", "..", "examples", "contracts"))
	request := &caiov1.Request{
		Capabilities: []string{"language_detection"}, Data: &caiov1.Data{ContainsPii: true},
		Principal: &caiov1.Principal{Subject: "u1", Tenant: "acme", Roles: []string{"user"}, TrustLevel: 5, Authenticated: true, Permissions: []string{"read"}},
	}
	var ids []string
	for range 6 {
		ids = append(ids, s.decide(t, request))
	}
	w := &forged{index: 2}
	ask := &caiov1.TraceServiceBundleRequest{TraceId: ids[w.index], Snapshot: true}
	w.old = s.bundle(t, ask)
	ids = append(ids, s.decide(t, request), s.decide(t, request))
	known := s.bundle(t, ask)
	ids = append(ids, s.decide(t, request))
	ask.EarlierSize = sizeOf(t, known.Log.Checkpoint)
	w.honest = s.bundle(t, ask)
	w.opts = audit.Options{Key: s.key(t), Earlier: [][]byte{known.Log.Checkpoint}}
	for _, id := range ids {
		w.entries = append(w.entries, entryOf(s.bundle(t, &caiov1.TraceServiceBundleRequest{TraceId: id}).GetTrace()))
	}
	raw, err := os.ReadFile(filepath.Join(s.data, "log.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.signer = signerOf(t, string(raw))
	own, err := tree.NewKey(rand.Reader, w.signer.Name())
	if err != nil {
		t.Fatal(err)
	}
	w.stranger = signerOf(t, own)
	w.readContract(t)
	return w
}

func signerOf(t *testing.T, skey string) *tree.Signer {
	t.Helper()
	signer, err := tree.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func (w *forged) trace(t *testing.T) *caiov1.Trace {
	t.Helper()
	trace := &caiov1.Trace{}
	if err := proto.Unmarshal(w.honest.Trace, trace); err != nil {
		t.Fatal(err)
	}
	return trace
}

func (w *forged) readContract(t *testing.T) {
	t.Helper()
	d := w.trace(t).Decision
	if len(d.GetRanking()) < 2 || refusedIn(w.trace(t)) == nil {
		t.Fatalf("too little was decided to be forged: %v", d.GetRanking())
	}
	for _, file := range w.honest.Snapshot.Contracts {
		if file.ServiceId == d.ServiceId {
			w.contract = &caiov1.Contract{}
			if err := schema.ParseJSON(file.Source, w.contract); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// forge changes the trace; proven: all that can be is computed anew.
func (w *forged) forge(t *testing.T, change func(*caiov1.Trace), proven bool) []byte {
	t.Helper()
	trace := w.trace(t)
	change(trace)
	if proven {
		prove(t, trace, w.contract)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(trace)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(raw, w.honest.Trace) {
		t.Fatal("nothing was forged")
	}
	return raw
}

// prove names the request and makes the proofs anew for whoever is first in the ranking, by the functions that make them.
// What the forger cannot recompute stays.
func prove(t *testing.T, trace *caiov1.Trace, c *caiov1.Contract) {
	t.Helper()
	d, r := trace.Decision, trace.Request
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	d.Inputs.Request, d.Inputs.History = schema.Digest(raw), proof.HistoryDigest(d.Candidates)
	form, err := proof.FormOf(d.Objective)
	if err != nil {
		t.Fatal(err)
	}
	for _, candidate := range d.Candidates {
		switch candidate.ServiceId {
		case d.ServiceId:
			candidate.Outcome = "eligible"
		case d.Ranking[0]:
			candidate.Outcome = "selected"
		}
	}
	d.ServiceId = d.Ranking[0]
	candidateIn(trace, d.ServiceId).Outcome = "selected"
	c = proto.CloneOf(c)
	c.ServiceId = d.ServiceId
	var ranked []proof.Scored
	for _, id := range d.Ranking {
		candidate := candidateIn(trace, id)
		terms, err := form.Terms(candidate.Terms)
		if err != nil {
			t.Fatal(err)
		}
		ranked = append(ranked, proof.Scored{Service: id, Score: candidate.GetScore(), Terms: &terms, Form: form})
	}
	anew := []*caiov1.Proof{proof.Match(c, r), proof.NoRefusal(c.ServiceId, d.Inputs.Policies, d.Inputs.Request, candidateIn(trace, c.ServiceId).ContractDigest, 1),
		proof.Fast(c, r.MaxLatencyMs), proof.Optimum(ranked, d.Seed), proof.Composed(c, d.Guarantees)}
	anew = append(anew, proof.Security(c, r.Principal, r.Data)...)
	for _, p := range anew {
		i := slices.IndexFunc(d.Proofs, func(old *caiov1.Proof) bool { return old.Property == p.Property })
		d.Proofs[i] = p
		p.Valid = true // which he would not leave at that
	}
	for _, p := range d.Proofs { // the price
		p.Evidence.Fields["service_id"] = structpb.NewStringValue(c.ServiceId)
	}
}

// favor gives the second of the ranking terms by which it is the first, and a score that follows from them.
func favor(t *caiov1.Trace) {
	slices.Reverse(t.Decision.Ranking)
	best := candidateIn(t, t.Decision.Ranking[0])
	for name := range best.Terms {
		best.Terms[name] = 1
	}
	for _, name := range []string{"cost", "risk", "latency"} {
		best.Terms[name] = 0
	}
	terms, err := proof.ByContract.Terms(best.Terms)
	if err != nil {
		panic(err)
	}
	score, err := proof.ByContract.Score(&terms)
	if err != nil {
		panic(err)
	}
	best.Score = &score
}

func candidateIn(t *caiov1.Trace, id string) *caiov1.Candidate { return candidate(t.Decision, id) }

// refusedIn returns a candidate that a rule of a file refused; nil: there is none.
func refusedIn(t *caiov1.Trace) *caiov1.Candidate {
	for _, c := range t.Decision.Candidates {
		if len(c.Reasons) > 0 && c.Reasons[0].File != "" {
			return c
		}
	}
	return nil
}

func entryOf(raw []byte) []byte { return tree.AppendEntry(nil, sha256.Sum256(raw)) }

// show makes the bundle of raw out of a log of entries with a key: all that one can make who has that key. What is to be
// shown of the tree's beginning is made of the log that he has.
func (w *forged) show(t *testing.T, signer *tree.Signer, entries [][]byte, raw []byte) *caiov1.Bundle {
	t.Helper()
	var tiles memoryTiles
	var edge tree.Edge
	index := -1
	for i, entry := range entries {
		edge.Append(tree.RecordHash(entry), tiles.keep)
		if bytes.Equal(entry, entryOf(raw)) {
			index = i
		}
	}
	head := tree.Head{Size: edge.Size(), Root: edge.Root()}
	signed, err := signer.Sign(head)
	if err != nil {
		t.Fatal(err)
	}
	b := proto.CloneOf(w.honest)
	b.Trace, b.LogKey = raw, signer.VerifierKey()
	b.Log = &caiov1.LogProof{Checkpoint: signed, Index: uint64(index)}
	inclusion, err := tree.ProveInclusion(&tiles, head, b.Log.Index)
	if err != nil {
		t.Fatal(err)
	}
	b.Log.Inclusion = flat(inclusion)
	if earlier := w.honest.Log.EarlierSize; earlier <= head.Size {
		consistency, err := tree.ProveConsistency(&tiles, head, earlier)
		if err != nil {
			t.Fatal(err)
		}
		b.Log.EarlierSize, b.Log.Consistency = earlier, flat(consistency)
	}
	return b
}

func flat(hashes []tree.Hash) (out [][]byte) {
	for _, h := range hashes {
		out = append(out, h[:])
	}
	return out
}

// memoryTiles are the tiles of a small tree.
type memoryTiles [][]byte // by level

func (m *memoryTiles) keep(level int, h tree.Hash) {
	if level == len(*m) {
		*m = append(*m, nil)
	}
	(*m)[level] = append((*m)[level], h[:]...)
}

func (m *memoryTiles) ReadTile(level int, n uint64, width int) ([]byte, error) {
	from := int(n) * tree.TileWidth * len(tree.Hash{})
	to := from + width*len(tree.Hash{})
	if level >= len(*m) || to > len((*m)[level]) {
		return nil, errors.New("no such tile")
	}
	return (*m)[level][from:to], nil
}
