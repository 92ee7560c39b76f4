package trace_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// TestAWitnessThatSignsOftenIsKeptOnce: a log that rests is signed again and again, and a signed note has room for a
// hundred signatures.
func TestAWitnessThatSignsOftenIsKeptOnce(t *testing.T) {
	one, two := newWitness(t, "one.example.com"), newWitness(t, "two.example.com")
	witnesses, err := trace.Witnesses([]string{one.vkey(), two.vkey()})
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, trace.NewMemory(), trace.Options{Signer: newSigner(t, "traces.example.com"), Witnesses: witnesses})
	grow(t, l, 3)
	plain, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Cosign(t.Context(), two.cosign(plain, 1)); err != nil {
		t.Fatal(err)
	}
	for at := range uint64(150) {
		if err := l.Cosign(t.Context(), one.cosign(plain, at)); err != nil {
			t.Fatalf("signature %d: %v", at, err)
		}
	}
	if err := l.Cosign(t.Context(), one.cosign(plain, 7)); err != nil { // an old one, sent again by whoever has it
		t.Fatal(err)
	}
	newest := strings.TrimPrefix(string(one.cosign(plain, 149)), string(plain))
	if kept := l.Cosigned(); bytes.Count(kept, []byte("— ")) != 3 || !strings.Contains(string(kept), newest) {
		t.Errorf("kept is\n%s", kept)
	}
}
