package trace_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

func newSigner(t testing.TB, name string) *tree.Signer {
	t.Helper()
	skey, err := tree.NewKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// A testWitness cosigns as tlog-cosignature says, written apart from what verifies it.
type testWitness struct {
	name string
	key  ed25519.PrivateKey
}

func newWitness(t testing.TB, name string) *testWitness {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &testWitness{name, key}
}

func (w *testWitness) id() []byte {
	sum := sha256.Sum256(append([]byte(w.name+"\n\x04"), w.key.Public().(ed25519.PublicKey)...))
	return sum[:4]
}

func (w *testWitness) vkey() string {
	return fmt.Sprintf("%s+%x+%s", w.name, w.id(), base64.StdEncoding.EncodeToString(append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)))
}

func (w *testWitness) cosign(checkpoint []byte, at uint64) []byte {
	text, _, _ := strings.Cut(string(checkpoint), "\n\n")
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s\n", at, text)
	sig := binary.BigEndian.AppendUint64(w.id(), at)
	sig = append(sig, ed25519.Sign(w.key, []byte(signed))...)
	return fmt.Appendf(checkpoint[:len(checkpoint):len(checkpoint)], "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(sig))
}

func grow(t *testing.T, l *trace.Log, n int) {
	t.Helper()
	for range n {
		if err := l.Append(t.Context(), newTrace(t, 1), trace.Queued); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := l.List(t.Context(), trace.Query{Limit: 1}); err != nil {
		t.Fatal(err)
	}
}

func TestALogProvesWhatIsInIt(t *testing.T) {
	signer := newSigner(t, "traces.example.com")
	storage := trace.NewMemory()
	l := openLog(t, storage, trace.Options{Signer: signer})
	grow(t, l, 300)
	early := l.Head()
	grow(t, l, 500)
	verifier, err := tree.NewVerifier(l.Key())
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []uint64{0, 255, 256, 799} {
		p, err := l.Prove(t.Context(), index, early.Size)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := tree.Open(p.Checkpoint, verifier)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := l.At(t.Context(), index)
		if err != nil {
			t.Fatal(err)
		}
		entry := tree.AppendEntry(nil, sha256.Sum256(stored.Raw))
		if err := tree.CheckInclusion(hashes(p.Inclusion), c.Head, index, entry); err != nil {
			t.Errorf("trace %d: %v", index, err)
		}
		if err := tree.CheckConsistency(hashes(p.Consistency), c.Head, early); err != nil {
			t.Errorf("trace %d: %v", index, err)
		}
	}
	for _, p := range [][2]uint64{{800, 0}, {0, 801}} {
		if _, err := l.Prove(t.Context(), p[0], p[1]); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("prove %v: %v", p, err)
		}
	}
	if _, err := trace.Open(storage, trace.Options{Signer: newSigner(t, "traces.example.com")}); !errors.Is(err, trace.ErrKey) {
		t.Errorf("opened with another key: %v", err)
	}
	again := openLog(t, storage, trace.Options{Signer: signer})
	grow(t, again, 1)
	if again.Head().Size != 801 {
		t.Errorf("it goes on at %d", again.Head().Size)
	}
}

func hashes(raw [][]byte) []tree.Hash {
	out := make([]tree.Hash, len(raw))
	for i := range raw {
		copy(out[i][:], raw[i])
	}
	return out
}

// forgetful is a storage that lost what was appended last, and whose checkpoint says otherwise.
type forgetful struct{ *trace.Memory }

func (f forgetful) Head(ctx context.Context) (trace.Head, error) {
	h, err := f.Memory.Head(ctx)
	h.Size--
	return h, err
}

func TestALogThatIsNotTheOneThatWasSignedIsNotOpened(t *testing.T) {
	m := trace.NewMemory()
	l := openLog(t, m, trace.Options{})
	grow(t, l, 10)
	l.Close()
	if _, err := trace.Open(forgetful{m}, trace.Options{}); !errors.Is(err, trace.ErrDamaged) {
		t.Errorf("a trace is missing: %v", err)
	}
}

func TestCosignaturesOfKnownWitnessesAreKept(t *testing.T) {
	signer := newSigner(t, "traces.example.com")
	one, two, stranger := newWitness(t, "w1.example"), newWitness(t, "w2.example"), newWitness(t, "w3.example")
	witnesses, err := trace.Witnesses([]string{one.vkey(), two.vkey()})
	if err != nil {
		t.Fatal(err)
	}
	storage := trace.NewMemory()
	o := trace.Options{Signer: signer, Witnesses: witnesses}
	l := openLog(t, storage, o)
	grow(t, l, 5)
	five, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 5)
	ten, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	other, err := signer.Sign(tree.Head{Size: 5, Root: tree.RecordHash(nil)})
	if err != nil {
		t.Fatal(err)
	}
	for name, signed := range map[string][]byte{
		"nobody cosigned":      five,
		"a stranger cosigned":  stranger.cosign(five, 1),
		"another tree":         one.cosign(other, 1),
		"not the log's":        one.cosign([]byte(strings.Replace(string(five), "\n5\n", "\n6\n", 1)), 1),
		"a broken cosignature": one.cosign(five, 1)[:len(one.cosign(five, 1))-5],
	} {
		if err := l.Cosign(t.Context(), signed); !errors.Is(err, trace.ErrWitness) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, signed := range [][]byte{one.cosign(five, 7), stranger.cosign(two.cosign(five, 8), 9)} {
		if err := l.Cosign(t.Context(), signed); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	l = openLog(t, storage, o)
	p, err := l.Prove(t.Context(), 4, 0)
	if err != nil || string(p.Checkpoint) != string(l.Cosigned()) {
		t.Fatalf("the proof shows %s, %v", p.GetCheckpoint(), err)
	}
	verifier, err := signer.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	c, by, err := tree.Open(p.Checkpoint, verifier, witnesses...)
	if err != nil || c.Size != 5 || len(by) != 2 || by[0].Time.Unix() != 7 || by[1].Name != "w2.example" || strings.Contains(string(p.Checkpoint), "w3.example") {
		t.Errorf("%+v, cosigned by %+v, %v", c, by, err)
	}
	if p, err := l.Prove(t.Context(), 5, 0); err != nil || string(p.Checkpoint) != string(ten) {
		t.Errorf("a trace that the witnesses have not seen: %v, %v", p, err)
	}
	if err := l.Cosign(t.Context(), one.cosign(ten, 9)); err != nil {
		t.Error(err)
	}
	if err := l.Cosign(t.Context(), one.cosign(five, 9)); !errors.Is(err, trace.ErrWitness) {
		t.Errorf("an older one: %v", err)
	}
}

// full is a storage whose disk is full, as long as the test says.
type full struct {
	*trace.Memory
	why chan error // holds one while it is full
}

func (f full) Ready() error {
	select {
	case why := <-f.why:
		f.why <- why
		return why
	default:
		return nil
	}
}

func (f full) Append(ctx context.Context, g *trace.Group) error {
	if why := f.Ready(); why != nil {
		return fmt.Errorf("%w: %w", trace.ErrRefused, why)
	}
	return f.Memory.Append(ctx, g)
}

func TestWhatIsQueuedSurvivesADiskThatIsFullForAWhile(t *testing.T) {
	f := full{trace.NewMemory(), make(chan error, 1)}
	l := openLog(t, f, trace.Options{})
	why := errors.New("no room")
	if err := l.Admit(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.why <- why
	if err := l.Admit(t.Context()); !errors.Is(err, trace.ErrRefused) || !errors.Is(err, why) {
		t.Errorf("Admit: %v", err)
	}
	for range 300 {
		if err := l.Append(t.Context(), newTrace(t, 1), trace.Queued); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(t.Context(), newTrace(t, 1), trace.Durable); !errors.Is(err, why) {
		t.Errorf("who waits: %v", err)
	}
	<-f.why
	l.Close()
	if l.Head().Size != 300 {
		t.Errorf("%d of 300 queued traces were written", l.Head().Size)
	}
}

func TestAFullQueueRefusesRequestsAfterAWhile(t *testing.T) {
	g := newGated()
	l := openLog(t, g, trace.Options{Queue: 2})
	first := hold(t, l, g)
	for range 5 { // two to be serialized, one in the scribe's hands, two to be written
		if err := l.Append(t.Context(), newTrace(t, 1), trace.Queued); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Admit(t.Context()); !errors.Is(err, trace.ErrFull) {
		t.Errorf("Admit: %v", err)
	}
	go g.answer()
	g.verdict <- nil
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := l.Admit(t.Context()); err != nil {
		t.Error(err)
	}
	l.Close()
	close(g.entered)
}

func TestTilesAreServedAsWideAsTheTreeIs(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	grow(t, l, 300)
	for path, want := range map[string]int{
		"0/000": 256 * 32, "0/001.p/44": 44 * 32, "0/001.p/7": 7 * 32, "1/000.p/1": 32,
		"entries/000": 256 * 35, "entries/001.p/44": 44 * 35,
	} {
		p, ok := tree.ParseTilePath(path)
		if b, err := l.Tile(t.Context(), p); !ok || err != nil || len(b) != want {
			t.Errorf("%s: %d bytes, %v; want %d", path, len(b), err, want)
		}
	}
	for _, path := range []string{"0/001.p/45", "0/001", "0/002.p/1", "1/000.p/2", "2/000.p/1", "entries/001.p/45", "63/000.p/1"} {
		p, _ := tree.ParseTilePath(path)
		if b, err := l.Tile(t.Context(), p); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("%s: %d bytes, %v", path, len(b), err)
		}
	}
}
