package identity

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// PrivateKey signs tokens. It shows itself to no logger and no formatter. It never changes.
type PrivateKey struct{ jwk jose.JSONWebKey }

// GenerateKey makes an Ed25519 key. Its id is its thumbprint (RFC 7638), so no two keys share one.
func GenerateKey() (*PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return newPrivateKey(jose.JSONWebKey{Key: private})
}

// LoadPrivateKey reads a private JWK: Ed25519, or RSA with 2048 to 8192 bits. A key without kid gets its thumbprint.
func LoadPrivateKey(jwk []byte) (*PrivateKey, error) {
	// Errors of the decoders are not passed on: they may quote what they read.
	var r rawKey
	if err := json.Unmarshal(jwk, &r); err != nil || r.Kty == "" {
		return nil, errors.New(`load private key: not a JWK; make one with "caio token keygen"`)
	}
	if r.D == nil {
		return nil, errors.New("load private key: it is a public key, which cannot sign; give the private one")
	}
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON(jwk); err != nil {
		return nil, fmt.Errorf("load private key: a broken %q key", r.Kty)
	}
	var err error
	switch key := j.Key.(type) {
	case ed25519.PrivateKey:
	case *rsa.PrivateKey:
		if err = checkKey(&key.PublicKey); err == nil && key.Validate() != nil {
			err = errors.New("a broken RSA key")
		}
	default:
		err = fmt.Errorf("a key of kind %q cannot be used, only Ed25519 and RSA", r.Kty)
	}
	if err != nil {
		return nil, fmt.Errorf("load private key: %w", err)
	}
	return newPrivateKey(j)
}

func newPrivateKey(j jose.JSONWebKey) (*PrivateKey, error) {
	j.Use, j.Algorithm = "sig", string(jose.EdDSA)
	if _, ok := j.Key.(*rsa.PrivateKey); ok {
		j.Algorithm = string(jose.RS256)
	}
	if j.KeyID == "" {
		thumb, err := j.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("name key: %w", err)
		}
		j.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	}
	return &PrivateKey{j}, nil
}

// ID returns the key's kid.
func (k *PrivateKey) ID() string { return k.jwk.KeyID }

// JWK returns the key as a private JWK: whoever has these bytes can sign.
func (k *PrivateKey) JWK() ([]byte, error) {
	raw, err := k.jwk.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write private key %s: %w", k.ID(), err)
	}
	return raw, nil
}

// String names the key and does not show it; so do Format and LogValue.
func (k *PrivateKey) String() string { return "private key " + k.ID() }

// Format writes String for every verb, %+v and %#v too.
func (k *PrivateKey) Format(s fmt.State, _ rune) { fmt.Fprint(s, k.String()) }

// LogValue is String for slog.
func (k *PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// PublicSet returns the JWKS of the keys' public halves, for LoadKeys.
func PublicSet(keys ...*PrivateKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.jwk.Public())
	}
	raw, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write public keys: %w", err)
	}
	return append(raw, '\n'), nil
}

// Claims is what a minted token says.
type Claims struct {
	Subject     string        // required
	Tenant      string        // empty: none
	Roles       []string      // nil: none
	Permissions []string      // nil: none
	TrustLevel  int           // 0..10
	Issuer      string        // required
	Audience    string        // required
	TTL         time.Duration // required; how long it is valid, at least a second
	IssuedAt    time.Time     // when it becomes valid; zero: now
}

// Mint signs a token. What it mints, a Verifier with that key, issuer and audience accepts until it expires; claims
// that none would accept are an error.
func Mint(key *PrivateKey, c Claims) (string, error) {
	if c.IssuedAt.IsZero() {
		c.IssuedAt = time.Now()
	}
	switch {
	case key == nil:
		return "", errors.New("mint token: no key is given")
	case c.Issuer == "" || c.Audience == "":
		return "", errors.New("mint token: issuer and audience must be given")
	case c.TTL < time.Second:
		return "", fmt.Errorf("mint token: it would be valid for %s, at least a second is needed", c.TTL)
	case c.TrustLevel < 0 || c.TrustLevel > 10:
		return "", fmt.Errorf("mint token: trust level %d, it must be 0 to 10", c.TrustLevel)
	}
	t := tokenClaims{
		Claims: jwt.Claims{
			Subject: c.Subject, Issuer: c.Issuer, Audience: jwt.Audience{c.Audience},
			IssuedAt: jwt.NewNumericDate(c.IssuedAt), NotBefore: jwt.NewNumericDate(c.IssuedAt), Expiry: jwt.NewNumericDate(c.IssuedAt.Add(c.TTL)),
		},
		Tenant: c.Tenant, Roles: c.Roles, Permissions: c.Permissions, TrustLevel: int32(c.TrustLevel),
	}
	if err := t.check(); err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.jwk.Algorithm), Key: key.jwk}, options)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(t).Serialize()
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	if len(token) > MaxToken {
		return "", fmt.Errorf("mint token: it would have %d bytes, at most %d are accepted", len(token), MaxToken)
	}
	return token, nil
}
