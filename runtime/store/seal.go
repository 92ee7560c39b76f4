package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// ErrSealed: the store is encrypted, and this is not its key; or it is not, and a key was given.
var ErrSealed = errors.New("not the key of this store")

// KeySize is the length of Options.Key.
const KeySize = 32

// A sealer encrypts bodies: AES-256-GCM, a random nonce of 12 bytes before each, under a key derived from the store's.
// Badger encrypts what lies in its own files. What the log of traces publishes is not encrypted: entries are commitments
// and tell nothing. The zero sealer leaves everything as it is.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (s sealer, err error) {
	if len(key) == 0 {
		return s, nil
	}
	if len(key) != KeySize {
		return s, fmt.Errorf("the key of a store has %d bytes, this one %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(derive(key, "bodies"))
	if err != nil {
		return s, err
	}
	s.aead, err = cipher.NewGCM(block)
	return s, err
}

// derive makes a key for one use of key.
func derive(key []byte, use string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("caio store: " + use))
	return h.Sum(nil)
}

// mark returns what the manifest holds of a key, so that another one is told from it before anything is read; "" of none.
func mark(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	return hex.EncodeToString(derive(key, "mark")[:8])
}

// seal appends what encode appends, encrypted if the store is.
func (s sealer) seal(b []byte, encode func([]byte) []byte) []byte {
	if s.aead == nil {
		return encode(b)
	}
	from := len(b)
	var nonce [12]byte
	rand.Read(nonce[:]) // never fails
	b = append(b, nonce[:]...)
	b = encode(b)
	b = append(b, make([]byte, s.aead.Overhead())...)
	plain := b[from+len(nonce) : len(b)-s.aead.Overhead()]
	s.aead.Seal(plain[:0], nonce[:], plain, nil)
	return b
}

// unseal returns what seal was given. b is overwritten.
func (s sealer) unseal(b []byte) ([]byte, error) {
	if s.aead == nil {
		return b, nil
	}
	const nonce = 12
	if len(b) < nonce+s.aead.Overhead() {
		return nil, fmt.Errorf("%w: too short to be encrypted", trace.ErrDamaged)
	}
	plain, err := s.aead.Open(b[nonce:nonce], b[:nonce], b[nonce:], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: it does not decrypt", trace.ErrDamaged)
	}
	return plain, nil
}
