package audit_test

import (
	"bytes"
	mrand "math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/audit"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// FuzzVerify feeds foreign bytes as a file, as a bundle and as a trace in an honest log. Nothing panics, and nothing but
// what the log's key signed passes as signed.
func FuzzVerify(f *testing.F) {
	// The key is the same in every process: what an input reaches must not depend on which of them it is tried in.
	w := newWorldOf(f, "log.example", mrand.NewChaCha8([32]byte{1}))
	w.fill(5)
	at := w.add(bytesOf(f, decided()))
	w.fill(5)
	honest := w.bundle(f, at, 3)
	raw, err := proto.Marshal(honest)
	must(f, err)
	var file bytes.Buffer
	must(f, audit.Write(&file, honest))
	f.Add(file.Bytes())
	f.Add(raw)
	f.Add(honest.Trace)
	decided := proto.CloneOf(honest)
	decided.Snapshot = &caiov1.Snapshot{Policies: map[string][]byte{"a.rego": []byte("package a")}, Adapters: map[string][]byte{"x": nil},
		Contracts: []*caiov1.ContractFile{{ServiceId: "fast", Source: []byte(`{"service_id":"fast","guarantees":{"accuracy":{}}}`)}}}
	raw, err = proto.Marshal(decided)
	must(f, err)
	f.Add(raw)
	f.Add(bytesOf(f, &caiov1.Trace{Workflow: &caiov1.WorkflowTrace{Composed: &caiov1.Composed{}, Steps: []*caiov1.StepTrace{{Needs: []string{"x"}}}}}))
	f.Add(bytesOf(f, &caiov1.Trace{Erasure: &caiov1.Erasure{Ranges: []*caiov1.Range{{Last: 1<<64 - 1}}}}))
	opts := audit.Options{Key: w.key(f), Earlier: [][]byte{w.checkpoint(f), nil}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = audit.Read(bytes.NewReader(raw))
		bundle := &caiov1.Bundle{}
		if proto.Unmarshal(raw, bundle) == nil {
			r := audit.Verify(bundle, opts)
			if !slices.Contains(r.Failures(), audit.Inclusion) && !bytes.Equal(bundle.Trace, honest.Trace) && !slices.Contains(r.Failures(), audit.Signature) {
				t.Errorf("foreign bytes are in the log:\n%s", text(r))
			}
		}
		foreign := proto.CloneOf(honest)
		foreign.Trace = raw
		if r := audit.Verify(foreign, audit.Options{}); r.OK() && !bytes.Equal(raw, honest.Trace) {
			t.Errorf("a foreign trace passes:\n%s", text(r))
		}
	})
}
