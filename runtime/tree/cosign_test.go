package tree_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// witness signs as C2SP tlog-cosignature says, of its own accord: nothing here is shared with what verifies.
type witness struct {
	name, vkey string
	id         [4]byte
	key        ed25519.PrivateKey
}

func newWitness(t testing.TB, name string) *witness {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	typed := append([]byte{4}, public...)
	sum := sha256.Sum256([]byte(name + "\n" + string(typed)))
	return &witness{name, fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(typed)), [4]byte(sum[:]), private}
}

// line is its signature below a checkpoint.
func (w *witness) line(signed []byte, at time.Time) []byte {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	stamp := binary.BigEndian.AppendUint64(w.id[:], uint64(at.Unix()))
	sig := ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at.Unix(), text))
	return fmt.Appendf(nil, "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(append(stamp, sig...)))
}

func newSigner(t testing.TB, name string) (*tree.Signer, tree.Verifier) {
	t.Helper()
	skey, err := tree.NewKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tree.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestOnlyKnownWitnessesVouch(t *testing.T) {
	signer, log := newSigner(t, "traces.example.com/eu")
	head := tree.Head{Size: 7, Root: tree.RecordHash([]byte("x"))}
	plain, err := signer.Sign(head)
	if err != nil {
		t.Fatal(err)
	}
	known, stranger := newWitness(t, "w.example.com/1"), newWitness(t, "w.example.com/2")
	v, err := tree.NewVerifier(known.vkey)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 0).UTC()
	want := append(bytes.Clone(plain), known.line(plain, at)...)
	c, cosigned, clean, err := tree.Vouched(append(bytes.Clone(want), stranger.line(plain, at)...), log, v)
	if err != nil || c.Head != head || len(cosigned) != 1 || cosigned[0] != (tree.Cosignature{Name: known.name, Time: at}) {
		t.Fatalf("read %+v, %+v, %v", c, cosigned, err)
	}
	if !bytes.Equal(clean, want) {
		t.Errorf("kept is\n%swant\n%s", clean, want)
	}
	other := newWitness(t, known.name)
	for name, signed := range map[string][]byte{
		"nobody":             plain,
		"a stranger":         append(bytes.Clone(plain), stranger.line(plain, at)...),
		"another of a name":  append(bytes.Clone(plain), other.line(plain, at)...),
		"another checkpoint": append(bytes.Clone(plain), known.line([]byte("a\n1\nx\n\n"), at)...),
	} {
		if _, _, _, err := tree.Vouched(signed, log, v); !errors.Is(err, tree.ErrCheckpoint) {
			t.Errorf("%s vouches: %v", name, err)
		}
	}
}

func FuzzVouched(f *testing.F) {
	signer, log := newSigner(f, "a.example")
	signed, err := signer.Sign(tree.Head{Size: 3})
	if err != nil {
		f.Fatal(err)
	}
	w := newWitness(f, "w.example")
	v, err := tree.NewVerifier(w.vkey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(bytes.Clone(signed), w.line(signed, time.Unix(1, 0))...))
	f.Fuzz(func(t *testing.T, note []byte) {
		c, _, clean, err := tree.Vouched(note, log, v)
		if err != nil {
			return
		}
		if again, _, same, err := tree.Vouched(clean, log, v); err != nil || again != c || !bytes.Equal(same, clean) {
			t.Errorf("what is kept reads as %+v, %v; it was %+v", again, err, c)
		}
	})
}
