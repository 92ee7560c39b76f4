package audit_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/tree"
)

func number(n float64) *structpb.Value { return structpb.NewNumberValue(n) }

// witness cosigns checkpoints as C2SP tlog-cosignature has it.
type witness struct {
	name   string
	id     []byte // the first four bytes of the key's hash
	public []byte // type and key
	key    ed25519.PrivateKey
}

func newWitness(t testing.TB, name string) *witness {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	typed := append([]byte{4}, public...)
	id := sha256.Sum256([]byte(name + "\n" + string(typed)))
	return &witness{name, id[:4], typed, key}
}

func (w *witness) keys(t testing.TB) []tree.Verifier {
	t.Helper()
	v, err := tree.NewVerifier(fmt.Sprintf("%s+%x+%s", w.name, w.id, base64.StdEncoding.EncodeToString(w.public)))
	must(t, err)
	return []tree.Verifier{v}
}

func (w *witness) cosign(signed []byte, at time.Time) []byte {
	body, _, _ := strings.Cut(string(signed), "\n\n")
	sig := binary.BigEndian.AppendUint64(w.id[:4:4], uint64(at.Unix()))
	sig = append(sig, ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at.Unix(), body))...)
	return fmt.Appendf(signed[:len(signed):len(signed)], "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(sig))
}
