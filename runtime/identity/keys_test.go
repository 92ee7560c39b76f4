package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/smarthausgroup/caio/runtime/identity"
)

// jwks joins JWKs to a set.
func jwks(keys ...[]byte) []byte {
	raw := make([]json.RawMessage, len(keys))
	for i, k := range keys {
		raw[i] = k
	}
	return must(json.Marshal(map[string]any{"keys": raw}))
}

// with returns a JWK with changed members.
func with(jwk []byte, change map[string]any) []byte {
	var m map[string]any
	if err := json.Unmarshal(jwk, &m); err != nil {
		panic(err)
	}
	for k, v := range change {
		m[k] = v
	}
	return must(json.Marshal(m))
}

func public(key any, kid string) []byte {
	return must(jose.JSONWebKey{Key: key, KeyID: kid}.MarshalJSON())
}

func TestKeySetsThatAreRefused(t *testing.T) {
	ed := must(identity.GenerateKey())
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(must(identity.PublicSet(ed)), &set); err != nil {
		t.Fatal(err)
	}
	edPublic := set.Keys[0]
	rsaPublic := public(&rsaKeys()[2048].PublicKey, "r")
	private := must(ed.JWK())
	for _, c := range []struct {
		name string
		jwks []byte
		want string
	}{
		{"nothing", nil, "not a JWKS"},
		{"no JSON", []byte("-----BEGIN PUBLIC KEY-----"), "not a JWKS"},
		{"a key instead of a set", edPublic, "not a JWKS"},
		{"an empty set", []byte(`{"keys":[]}`), "none of its 0 keys"},
		{"a private key", jwks(private), "must hold public keys only"},
		{"a private key among public ones", jwks(rsaPublic, private), "keys[1]: it holds a private"},
		{"a private RSA key", jwks(public(rsaKeys()[2048], "r")), "must hold public keys only"},
		{"a private key for encryption", jwks(edPublic, with(private, map[string]any{"use": "enc"})), "must hold public keys only"},
		{"a symmetric key", jwks(edPublic, []byte(`{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}`)), "symmetric key"},
		{"a weak RSA key", jwks(public(&rsaKeys()[1024].PublicKey, "r")), "an RSA key of 1024 bits; it must have 2048 to 8192"},
		{"an RSA key whose exponent is 1", jwks(with(rsaPublic, map[string]any{"e": "AQ"})), "bad e value"},
		{"an RSA key whose exponent is even", jwks(with(rsaPublic, map[string]any{"e": "BA"})), "the exponent 4"},
		{"an RSA key without modulus", jwks(with(rsaPublic, map[string]any{"n": nil})), "broken RSA key"},
		{"a short Ed25519 key", jwks(with(edPublic, map[string]any{"x": "AAAA"})), "wrong length"},
		{"an Ed25519 key that any signature fits", jwks(with(edPublic, map[string]any{"x": strings.Repeat("A", 43)})), "low-order"},
		{"the same kid twice", jwks(edPublic, with(rsaPublic, map[string]any{"kid": ed.ID()})), "another key's, too"},
		{"no kid among several", jwks(edPublic, with(rsaPublic, map[string]any{"kid": ""})), "has no kid"},
		{"not a key", jwks([]byte(`"key"`)), "keys[0]: not a JWK"},
		{"only keys of other kinds", jwks(with(edPublic, map[string]any{"use": "enc"}), with(rsaPublic, map[string]any{"alg": "PS256"})), "none of its 2 keys"},
		{"keys that may not verify", jwks(with(edPublic, map[string]any{"key_ops": []string{"sign"}})), "none of its 1 keys"},
	} {
		_, err := identity.LoadKeys(c.jwks)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: the error shows the secret: %v", c.name, err)
		}
	}
}

func TestKeysOfOtherKindsAreLeftOut(t *testing.T) {
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ed := must(identity.GenerateKey())
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(must(identity.PublicSet(ed)), &set); err != nil {
		t.Fatal(err)
	}
	keys, err := identity.LoadKeys(jwks(
		public(&ec.PublicKey, "ec"), with(set.Keys[0], map[string]any{"kid": "b", "alg": "Ed25519"}), []byte(`{"kty":"OKP","crv":"X25519","x":"AA"}`),
		with(public(&rsaKeys()[2048].PublicKey, "a"), map[string]any{"key_ops": []string{"verify"}, "use": "sig", "alg": "RS256"}), []byte(`{"kty":"new"}`)))
	if err != nil || fmt.Sprint(keys.IDs()) != "[a b]" {
		t.Errorf("%v, %v", keys, err)
	}
}

func TestPrivateKeysAreLoadedAndNeverShown(t *testing.T) {
	ed := must(identity.GenerateKey())
	raw := must(ed.JWK())
	again, err := identity.LoadPrivateKey(raw)
	if err != nil || again.ID() != ed.ID() {
		t.Fatalf("%v, %v", again, err)
	}
	var m struct{ D string }
	if err := json.Unmarshal(raw, &m); err != nil || len(m.D) < 40 {
		t.Fatalf("%+v, %v", m, err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "key", ed, "any", slog.AnyValue(ed))
	seed := must(base64.RawURLEncoding.DecodeString(m.D))
	for _, shown := range []string{fmt.Sprint(ed), fmt.Sprintf("%+v %#v %s %d %x", ed, ed, ed, ed, ed), logged.String(), fmt.Sprintf("%v", *ed)} {
		if strings.Contains(shown, m.D) || strings.Contains(shown, fmt.Sprintf("%x", seed)) || strings.Contains(shown, fmt.Sprint(seed)) {
			t.Errorf("it was shown: %s", shown)
		}
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(must(identity.PublicSet(ed)), &set); err != nil || strings.Contains(string(set.Keys[0]), `"d"`) {
		t.Fatalf("the public set: %s, %v", set.Keys, err)
	}
	for name, jwk := range map[string][]byte{
		"nothing": nil, "no JSON": []byte("x"), "a public key": set.Keys[0], "a set": must(identity.PublicSet(ed)),
		"another key's x": with(raw, map[string]any{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
		"a weak RSA key":  public(rsaKeys()[1024], "r"),
		"a curve":         public(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), "e"),
		"half of RSA":     with(public(rsaKeys()[2048], "r"), map[string]any{"p": "AQ", "q": "AQ"}),
	} {
		if k, err := identity.LoadPrivateKey(jwk); err == nil {
			t.Errorf("%s was loaded as %v", name, k)
		}
	}
}

func TestTokensThatNobodyWouldAcceptAreNotMinted(t *testing.T) {
	key := must(identity.GenerateKey())
	for name, change := range map[string]func(*identity.Claims){
		"no subject": func(c *identity.Claims) { c.Subject = "" }, "no issuer": func(c *identity.Claims) { c.Issuer = "" },
		"no audience": func(c *identity.Claims) { c.Audience = "" }, "no time to live": func(c *identity.Claims) { c.TTL = 0 },
		"expired at birth": func(c *identity.Claims) { c.TTL = -time.Hour }, "trust 11": func(c *identity.Claims) { c.TrustLevel = 11 },
		"trust beyond 32 bits": func(c *identity.Claims) { c.TrustLevel = 1 << 33 }, "too many roles": func(c *identity.Claims) { c.Roles = make([]string, 65) },
		"too long": func(c *identity.Claims) { c.Permissions = []string{strings.Repeat("p", identity.MaxToken)} },
	} {
		c := claims()
		change(&c)
		if _, err := identity.Mint(key, c); err == nil {
			t.Errorf("%s: minted", name)
		}
	}
	if _, err := identity.Mint(nil, claims()); err == nil {
		t.Error("minted without a key")
	}
}

func FuzzLoadKeys(f *testing.F) {
	ed := must(identity.GenerateKey())
	f.Add(must(identity.PublicSet(ed)))
	f.Add(must(ed.JWK()))
	f.Add(jwks(public(&rsaKeys()[2048].PublicKey, "r")))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if keys, err := identity.LoadKeys(raw); err == nil && len(keys.IDs()) == 0 {
			t.Error("a set without keys")
		}
		if key, err := identity.LoadPrivateKey(raw); err == nil {
			if _, err := identity.Mint(key, claims()); err != nil {
				t.Errorf("a key that cannot sign: %v", err)
			}
		}
	})
}
