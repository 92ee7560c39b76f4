package tree

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A Checkpoint says how far a log is: C2SP tlog-checkpoint without extensions.
type Checkpoint struct {
	Origin string // the log's name, which is its key's, too
	Head
}

// Body returns what is signed: three lines.
func (c Checkpoint) Body() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// ParseCheckpoint reads what Body wrote; extension lines behind it are allowed and left out.
func ParseCheckpoint(body string) (c Checkpoint, err error) {
	lines := strings.SplitN(body, "\n", 4)
	if len(lines) != 4 || lines[0] == "" {
		return c, fmt.Errorf("%w: it must begin with three lines: origin, size, root", ErrCheckpoint)
	}
	c.Origin = lines[0]
	size, err := strconv.ParseUint(lines[1], 10, 62)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return c, fmt.Errorf("%w: size %.20q", ErrCheckpoint, lines[1])
	}
	c.Size = size
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return c, fmt.Errorf("%w: root %.60q", ErrCheckpoint, lines[2])
	}
	copy(c.Root[:], root)
	return c, nil
}

// A Verifier holds signatures against one public key.
type Verifier = note.Verifier

// A Signer signs checkpoints with one Ed25519 key, whose name is the log's origin.
type Signer struct {
	note.Signer
	vkey string
}

// NewKey makes a key for a log of that name from 32 bytes of rand, in the form in which it is kept: signed-note's private
// key. The name is a host and a path without scheme, such as "traces.example.com/eu", and has neither space nor plus.
func NewKey(rand io.Reader, name string) (skey string, err error) {
	skey, _, err = note.GenerateKey(rand, name)
	if err != nil {
		return "", fmt.Errorf("make the key of log %q: %w", name, err)
	}
	return skey, nil
}

// NewSigner returns the signer that has the key NewKey made. The error does not show the key.
func NewSigner(skey string) (*Signer, error) {
	skey = strings.TrimSpace(skey)
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, errors.New("not a private key as signed-note has it: PRIVATE+KEY+name+hash+base64")
	}
	// note keeps the seed to itself, and the public key is what auditors are given.
	_, key, _ := strings.Cut(skey, fmt.Sprintf("+%08x+", signer.KeyHash()))
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return nil, errors.New("not a private Ed25519 key as signed-note has it")
	}
	public := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return nil, err
	}
	return &Signer{signer, vkey}, nil
}

// VerifierKey returns the public key in signed-note's form, name+hash+base64: what an auditor is given.
func (s *Signer) VerifierKey() string { return s.vkey }

// Sign returns the signed note of the tree that h names.
func (s *Signer) Sign(h Head) ([]byte, error) {
	return note.Sign(&note.Note{Text: Checkpoint{s.Name(), h}.Body()}, s.Signer)
}

// Verifier returns the verifier of what Sign signs.
func (s *Signer) Verifier() (Verifier, error) { return note.NewVerifier(s.vkey) }

// A Cosignature tells who has seen a checkpoint, and when.
type Cosignature struct {
	Name string    // the witness's
	Time time.Time // when it says so; zero: it does not
}

// Open reads a signed checkpoint. The log's own signature must be there and hold, and its name must be the origin;
// witnesses are those whose cosignatures are asked for: they are returned where there are some, and a false one is an
// error. Signatures by others are left out.
func Open(signed []byte, log Verifier, witnesses ...Verifier) (Checkpoint, []Cosignature, error) {
	n, err := note.Open(signed, note.VerifierList(append(witnesses[:len(witnesses):len(witnesses)], log)...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: no signature of %s+%08x that holds: %w", ErrCheckpoint, log.Name(), log.KeyHash(), err)
	}
	own := false
	var cosigned []Cosignature
	for _, s := range n.Sigs {
		if s.Name == log.Name() && s.Hash == log.KeyHash() {
			own = true
			continue
		}
		c := Cosignature{Name: s.Name}
		if raw, err := base64.StdEncoding.DecodeString(s.Base64); err == nil && len(raw) == 4+8+ed25519.SignatureSize {
			c.Time = time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC()
		}
		cosigned = append(cosigned, c)
	}
	if !own {
		return Checkpoint{}, nil, fmt.Errorf("%w: the log %s did not sign it", ErrCheckpoint, log.Name())
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return c, nil, err
	}
	if c.Origin != log.Name() {
		return c, nil, fmt.Errorf("%w: it is of log %.100q, the key of %s", ErrCheckpoint, c.Origin, log.Name())
	}
	return c, cosigned, nil
}

// NewVerifier returns the verifier of a public key in signed-note's form: a log's, or a witness's whose signatures are
// those of C2SP tlog-cosignature (type 4).
func NewVerifier(vkey string) (Verifier, error) {
	vkey = strings.TrimSpace(vkey)
	name, rest, _ := strings.Cut(vkey, "+")
	hash, key, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) == 0 || raw[0] != cosignatureType {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("public key %.100q: not as signed-note has it: name+hash+base64", vkey)
		}
		return v, nil
	}
	sum := sha256.Sum256([]byte(name + "\n" + string(raw)))
	id := binary.BigEndian.Uint32(sum[:])
	if len(raw) != 1+ed25519.PublicKeySize || name == "" || fmt.Sprintf("%08x", id) != hash {
		return nil, fmt.Errorf("public key %.100q: not a witness's as tlog-cosignature has it", vkey)
	}
	return &witness{name: name, hash: id, key: raw[1:]}, nil
}

const cosignatureType = 4

// A witness verifies cosignatures: eight bytes of time in seconds since 1970, big-endian, and an Ed25519 signature over
// a line "cosignature/v1", a line "time" and that time, and the checkpoint.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(w.key, []byte(signed), sig[8:])
}

// ReadHead returns what a signed checkpoint names without looking at its signatures.
func ReadHead(signed []byte) (Head, error) {
	c, err := ParseCheckpoint(string(signed))
	return c.Head, err
}

// Join returns the checkpoint a with the signatures that b has beside: both are of the same tree, and every signature of
// the log and of these witnesses holds. Signatures by others are left out. ErrCheckpoint: they are of two trees, or one
// of them does not open.
func Join(a, b []byte, log Verifier, witnesses ...Verifier) ([]byte, error) {
	known := note.VerifierList(append(witnesses[:len(witnesses):len(witnesses)], log)...)
	var text string
	var out strings.Builder
	seen := map[string]bool{}
	for _, signed := range [][]byte{a, b} {
		n, err := note.Open(signed, known)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
		if text == "" {
			text = n.Text
			out.WriteString(text + "\n")
		}
		if n.Text != text {
			return nil, fmt.Errorf("%w: signatures of two checkpoints", ErrCheckpoint)
		}
		for _, s := range n.Sigs {
			line := "— " + s.Name + " " + s.Base64 + "\n"
			if !seen[line] {
				seen[line] = true
				out.WriteString(line)
			}
		}
	}
	return []byte(out.String()), nil
}
