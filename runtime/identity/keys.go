package identity

import (
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of an RSA key, in bits. Below it is weak; above it only costs time.
const (
	minRSA = 2048
	maxRSA = 8192
)

// Keys is a set of public keys. It never changes. Make one with LoadKeys.
type Keys struct {
	byID map[string]publicKey
	ids  []string   // sorted
	sole *publicKey // the key, if there is but one: for tokens without kid
}

type publicKey struct {
	algorithm jose.SignatureAlgorithm
	key       any // ed25519.PublicKey or *rsa.PublicKey
}

// IDs returns the ids of the keys, sorted. A sole key may have the id "".
func (k *Keys) IDs() []string { return slices.Clone(k.ids) }

// LoadKeys reads a JWKS (RFC 7517). Used are keys of kty OKP with crv Ed25519 (for EdDSA) and of kty RSA with 2048 to
// 8192 bits (for RS256), whose use, alg and key_ops allow that. Keys of other kinds, uses and algorithms are left out,
// as the RFC asks. Errors: a private or symmetric key anywhere in the set, whatever its use, since whoever reads the
// file could sign with it; a weak or broken key of a kind that is used; the same kid twice, or none among several keys;
// no key left.
func LoadKeys(jwks []byte) (*Keys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("load keys: not a JWKS: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New(`load keys: not a JWKS: it has no list "keys"; make one with "caio token keygen"`)
	}
	k := &Keys{byID: make(map[string]publicKey)}
	for i, raw := range set.Keys {
		id, p, err := loadKey(raw)
		if err != nil {
			return nil, fmt.Errorf("load keys: keys[%d]: %w", i, err)
		}
		if p == nil {
			continue
		}
		if _, twice := k.byID[id]; twice {
			return nil, fmt.Errorf("load keys: keys[%d]: the kid %q is another key's, too; each needs its own", i, id)
		}
		k.byID[id], k.sole = *p, p
		k.ids = append(k.ids, id)
	}
	if len(k.byID) == 0 {
		return nil, fmt.Errorf("load keys: none of its %d keys is an Ed25519 or RSA key for signatures", len(set.Keys))
	}
	if len(k.byID) > 1 {
		k.sole = nil
		if _, nameless := k.byID[""]; nameless {
			return nil, errors.New("load keys: one of several keys has no kid; each needs its own")
		}
	}
	slices.Sort(k.ids)
	return k, nil
}

// rawKey is what a JWK says beside its numbers.
type rawKey struct {
	Kty    string   `json:"kty"`
	Crv    string   `json:"crv"`
	Kid    string   `json:"kid"`
	Use    string   `json:"use"`
	Alg    string   `json:"alg"`
	KeyOps []string `json:"key_ops"`

	// Only in private keys (RFC 7518, 6.2.2 and 6.3.2; RFC 9964) and symmetric ones (6.4).
	D, P, Q, Dp, Dq, Qi, Oth, K, Priv json.RawMessage
}

// loadKey returns nil for a key that is of no use here.
func loadKey(raw []byte) (id string, _ *publicKey, _ error) {
	var r rawKey
	if err := json.Unmarshal(raw, &r); err != nil {
		return "", nil, errors.New("not a JWK") // encoding/json quotes what it read, which may be private
	}
	for _, secret := range []json.RawMessage{r.D, r.P, r.Q, r.Dp, r.Dq, r.Qi, r.Oth, r.K, r.Priv} {
		if secret != nil {
			return "", nil, errors.New("it holds a private or symmetric key; the file must hold public keys only, such as the jwks.json that \"caio token keygen\" writes")
		}
	}
	var algorithm jose.SignatureAlgorithm
	switch {
	case r.Kty == "OKP" && r.Crv == "Ed25519":
		algorithm = jose.EdDSA
	case r.Kty == "RSA":
		algorithm = jose.RS256
	}
	foreign := r.Alg != "" && r.Alg != string(algorithm) && (algorithm != jose.EdDSA || r.Alg != "Ed25519")
	if algorithm == "" || foreign || r.Use != "" && r.Use != "sig" || r.KeyOps != nil && !slices.Contains(r.KeyOps, "verify") {
		return "", nil, nil
	}
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON(raw); err != nil {
		return "", nil, fmt.Errorf("a broken %s key: %w", r.Kty, err)
	}
	if err := checkKey(j.Key); err != nil {
		return "", nil, err
	}
	return r.Kid, &publicKey{algorithm, j.Key}, nil
}

// checkKey refuses keys that go-jose would take. It looks itself whether an Ed25519 key is a point of full order.
func checkKey(key any) error {
	switch key := key.(type) {
	case ed25519.PublicKey:
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
			return fmt.Errorf("an RSA key of %d bits; it must have %d to %d", bits, minRSA, maxRSA)
		}
		if key.E < 3 || key.E%2 == 0 {
			return fmt.Errorf("an RSA key with the exponent %d", key.E)
		}
	default:
		return fmt.Errorf("a key of an unexpected type, %T", key)
	}
	return nil
}
