package audit_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/runtime/tree"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is a log: its key, its tree, and the traces in it.
type world struct {
	signer *tree.Signer
	edge   tree.Edge
	levels [][]byte
	raws   [][]byte
}

func newWorld(t testing.TB, name string) *world {
	t.Helper()
	return newWorldOf(t, name, rand.Reader)
}

// newWorldOf is a log whose key is of these random bytes.
func newWorldOf(t testing.TB, name string, rand io.Reader) *world {
	t.Helper()
	skey, err := tree.NewKey(rand, name)
	must(t, err)
	signer, err := tree.NewSigner(skey)
	must(t, err)
	return &world{signer: signer}
}

// add puts a trace into the log and returns its index.
func (w *world) add(raw []byte) uint64 {
	w.raws = append(w.raws, raw)
	w.edge.Append(tree.RecordHash(tree.AppendEntry(nil, sha256.Sum256(raw))), func(level int, h tree.Hash) {
		if level == len(w.levels) {
			w.levels = append(w.levels, nil)
		}
		w.levels[level] = append(w.levels[level], h[:]...)
	})
	return w.edge.Size() - 1
}

// fill adds n traces of no interest.
func (w *world) fill(n int) {
	for range n {
		w.add(fmt.Append(nil, "trace ", len(w.raws)))
	}
}

func (w *world) ReadTile(level int, n uint64, width int) ([]byte, error) {
	from := int(n) * tree.TileWidth * 32
	if level >= len(w.levels) || from+width*32 > len(w.levels[level]) {
		return nil, errors.New("no such tile")
	}
	return w.levels[level][from : from+width*32], nil
}

func (w *world) head() tree.Head { return tree.Head{Size: w.edge.Size(), Root: w.edge.Root()} }

func (w *world) checkpoint(t testing.TB) []byte {
	t.Helper()
	signed, err := w.signer.Sign(w.head())
	must(t, err)
	return signed
}

func (w *world) key(t testing.TB) tree.Verifier {
	t.Helper()
	v, err := tree.NewVerifier(w.signer.VerifierKey())
	must(t, err)
	return v
}

// bundle is that of the trace of this index; earlier as in LogProof.
func (w *world) bundle(t testing.TB, index, earlier uint64) *caiov1.Bundle {
	t.Helper()
	p := &caiov1.LogProof{Checkpoint: w.checkpoint(t), Index: index, EarlierSize: earlier}
	inclusion, err := tree.ProveInclusion(w, w.head(), index)
	must(t, err)
	for _, h := range inclusion {
		p.Inclusion = append(p.Inclusion, h[:])
	}
	if earlier > 0 {
		consistency, err := tree.ProveConsistency(w, w.head(), earlier)
		must(t, err)
		for _, h := range consistency {
			p.Consistency = append(p.Consistency, h[:])
		}
	}
	return &caiov1.Bundle{Version: 1, Trace: w.raws[index], Log: p, LogKey: w.signer.VerifierKey()}
}

// decided is the trace of a request that fast won before slow, and at which dear fell.
func decided() *caiov1.Trace {
	r := &caiov1.Request{
		Capabilities: []string{"detect"}, Match: "all", Guarantees: map[string]*caiov1.Demand{"accuracy": {Min: proto.Float64(0.9)}},
		Constraints: &caiov1.Demands{RequiresGpu: proto.Bool(true)}, Budget: &caiov1.Budget{MaxCost: 1, Currency: "USD"}, Data: &caiov1.Data{},
		Principal: &caiov1.Principal{Subject: "u1", Tenant: "acme", TrustLevel: 3, Authenticated: true},
		Context:   &caiov1.Context{Time: timestamppb.New(noon)},
	}
	d := &caiov1.Decision{
		ServiceId: "fast", Objective: "contract", Coefficients: proof.Coefficients(), Seed: 7,
		Guarantees: map[string]*caiov1.Guarantee{
			"accuracy": {Property: "top1", Bound: &caiov1.Bound{Type: "min", Min: proto.Float64(0.95)}},
			"latency":  {Property: "p95_latency_ms", Bound: &caiov1.Bound{Type: "max", Max: proto.Float64(200), Unit: "ms"}},
		},
		Candidates: []*caiov1.Candidate{
			{ServiceId: "dear", Outcome: "budget", Reasons: []*caiov1.Reason{{Rule: "request.budget", Message: "too dear"}}, ContractDigest: digest("dear")},
			scored("fast", "selected", proof.Terms{0.9, 0.5, 0.5, 1, 0.1, 0.1, 0.1}),
			scored("slow", "eligible", proof.Terms{0.5, 0.5, 0.5, 1, 0.1, 0.1, 0.9}),
		},
		Ranking: []string{"fast", "slow"},
	}
	t := &caiov1.Trace{TraceId: idAt(noon), Time: timestamppb.New(noon), Status: "decided", Request: r, Decision: d}
	seal(t)
	return t
}

// idAt is an id that trace.NewID may make at that time.
func idAt(at time.Time) string { return fmt.Sprintf("%012x%s", at.UnixMilli(), "66778899aabbccddeeff") }

func digest(of string) string { return schema.Digest([]byte(of)) }

func scored(id, outcome string, terms proof.Terms) *caiov1.Candidate {
	score, err := proof.ByContract.Score(&terms)
	if err != nil {
		panic(err)
	}
	return &caiov1.Candidate{ServiceId: id, Outcome: outcome, Score: &score, Terms: proof.ByContract.Map(&terms),
		ContractDigest: digest(id), History: &caiov1.History{Requests: 2}}
}

// seal names the inputs of t's decision and proves it, as the engine does.
func seal(t *caiov1.Trace) {
	r, d := t.Request, t.Decision
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		panic(err)
	}
	form, err := proof.FormOf(d.Objective)
	if err != nil {
		panic(err)
	}
	policies := d.GetInputs().GetPolicies()
	if policies == "" {
		policies = digest("policies")
	}
	d.Inputs = &caiov1.Inputs{Request: schema.Digest(raw), Registry: digest("registry"), Policies: policies,
		History: proof.HistoryDigest(d.Candidates), Configuration: form.Digest()}
	if d.ServiceId == "" {
		d.Proofs = []*caiov1.Proof{proof.NobodyLeft(d.Candidates, d.Unlisted)}
		return
	}
	c := &caiov1.Contract{ServiceId: d.ServiceId, Guarantees: d.Guarantees, Capabilities: []*caiov1.Capability{{Type: "detect"}},
		Constraints: &caiov1.Constraints{RequiresGpu: true}, Privacy: &caiov1.Privacy{DataLocality: "local"}, RequiredTrustLevel: 2}
	var ranked []proof.Scored
	for _, id := range d.Ranking {
		for _, candidate := range d.Candidates {
			if candidate.ServiceId == id {
				terms, err := form.Terms(candidate.Terms)
				if err != nil {
					panic(err)
				}
				ranked = append(ranked, proof.Scored{Service: id, Score: candidate.GetScore(), Terms: &terms, Form: form})
			}
		}
	}
	d.Proofs = []*caiov1.Proof{proof.Match(c, r), proof.NoRefusal(d.ServiceId, d.Inputs.Policies, d.Inputs.Request, digest(d.ServiceId), 25)}
	d.Proofs = append(d.Proofs, proof.Security(c, r.Principal, r.Data)...)
	d.Proofs = append(d.Proofs, proof.Affordable(d.ServiceId, proof.Price{Known: true, Cost: 0.5, Currency: "USD"}, r.Budget),
		proof.Fast(c, r.MaxLatencyMs), proof.Optimum(ranked, d.Seed), proof.Composed(c, d.Guarantees))
}

func bytesOf(t testing.TB, trace *caiov1.Trace) []byte {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(trace)
	must(t, err)
	return raw
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
