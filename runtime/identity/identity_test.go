package identity_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/identity"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

const issuer, audience = "https://id.acme.example", "caio"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// rsaKeys holds keys that take long to make, made once.
var rsaKeys = sync.OnceValue(func() map[int]*rsa.PrivateKey {
	keys := map[int]*rsa.PrivateKey{}
	for _, bits := range []int{1024, 2048} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		keys[bits] = key
	}
	return keys
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// house is an issuer with its verifier, whose clock says noon.
type house struct {
	ed, rsa  *identity.PrivateKey
	jwks     []byte
	verifier *identity.Verifier
}

func newHouse(t testing.TB, change ...func(*identity.Options)) *house {
	h := &house{ed: must(identity.GenerateKey())}
	raw := must(jose.JSONWebKey{Key: rsaKeys()[2048], KeyID: "rsa-1"}.MarshalJSON())
	h.rsa = must(identity.LoadPrivateKey(raw))
	h.jwks = must(identity.PublicSet(h.ed, h.rsa))
	o := identity.Options{Keys: must(identity.LoadKeys(h.jwks)), Issuer: issuer, Audience: audience, Now: func() time.Time { return noon }}
	for _, c := range change {
		c(&o)
	}
	h.verifier = must(identity.New(o))
	return h
}

func claims() identity.Claims {
	return identity.Claims{
		Subject: "u1", Tenant: "acme", Roles: []string{"user", "gardener"}, Permissions: []string{"read"}, TrustLevel: 5,
		Issuer: issuer, Audience: audience, TTL: time.Hour, IssuedAt: noon,
	}
}

// payload is a good set of claims, with changes; nil removes one.
func payload(change map[string]any) map[string]any {
	p := map[string]any{"sub": "u1", "iss": issuer, "aud": audience, "iat": noon.Unix(), "exp": noon.Unix() + 3600, "tenant": "acme"}
	maps.Copy(p, change)
	maps.DeleteFunc(p, func(_ string, v any) bool { return v == nil })
	return p
}

// seal signs any header and payload with the house's Ed25519 key, as only the issuer could.
func (h *house) seal(header, payload any) string {
	text := encode(header) + "." + encode(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(h.private(), []byte(text)))
}

func (h *house) private() ed25519.PrivateKey {
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON(must(h.ed.JWK())); err != nil {
		panic(err)
	}
	return j.Key.(ed25519.PrivateKey)
}

func (h *house) header(change map[string]any) map[string]any {
	head := map[string]any{"alg": "EdDSA", "kid": h.ed.ID(), "typ": "JWT"}
	maps.Copy(head, change)
	maps.DeleteFunc(head, func(_ string, v any) bool { return v == nil })
	return head
}

// encode writes v as JSON, or as it is if it is a string.
func encode(v any) string {
	if s, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(s))
	}
	return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v)))
}

func TestAMintedTokenTellsWhoItsBearerIs(t *testing.T) {
	h := newHouse(t)
	want := &caiov1.Principal{
		Subject: "u1", Tenant: "acme", Roles: []string{"user", "gardener"}, Permissions: []string{"read"}, TrustLevel: 5, Authenticated: true,
	}
	for _, key := range []*identity.PrivateKey{h.ed, h.rsa} {
		token := must(identity.Mint(key, claims()))
		for _, bearer := range []string{token, "Bearer " + token, "bearer  " + token} {
			got, err := h.verifier.Verify(t.Context(), bearer)
			if err != nil || !proto.Equal(got, want) {
				t.Errorf("key %s: %v, %v", key.ID(), got, err)
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.verifier.Verify(ended, must(identity.Mint(h.ed, claims()))); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	h := newHouse(t)
	good := must(identity.Mint(h.ed, claims()))
	parts := strings.Split(good, ".")
	other := must(identity.GenerateKey())
	stranger := must(jose.JSONWebKey{Key: h.private().Public(), KeyID: h.ed.ID()}.MarshalJSON())
	sealed := func(change map[string]any) string { return h.seal(h.header(nil), payload(change)) }
	headed := func(change map[string]any) string { return h.seal(h.header(change), payload(nil)) }
	minted := func(key *identity.PrivateKey, change func(*identity.Claims)) string {
		c := claims()
		change(&c)
		return must(identity.Mint(key, c))
	}
	for _, c := range []struct {
		name, token string
		want        identity.Reason
	}{
		{"nothing", "", identity.ReasonMissing},
		{"a scheme and nothing", "Bearer ", identity.ReasonMissing},
		{"another scheme", "Basic dTE6cGFzcw==", identity.ReasonMalformed},
		{"a word", "hello", identity.ReasonMalformed},
		{"two parts", parts[0] + "." + parts[1], identity.ReasonMalformed},
		{"four parts", good + ".x", identity.ReasonMalformed},
		{"five parts, as if encrypted", good + ".x.y", identity.ReasonMalformed},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, identity.ReasonMalformed},
		{"a line break inside", parts[0] + "." + parts[1] + ".\n" + parts[2], identity.ReasonMalformed},
		{"padding", good + "==", identity.ReasonMalformed},
		{"stray bits in the signature", good[:len(good)-1] + spare(good[len(good)-1]), identity.ReasonMalformed},
		{"header that is no JSON", h.seal("{", payload(nil)), identity.ReasonMalformed},
		{"header null", h.seal("null", payload(nil)), identity.ReasonMalformed},
		{"header with alg twice", h.seal(`{"alg":"none","alg":"EdDSA"}`, payload(nil)), identity.ReasonMalformed},
		{"kid that is a number", headed(map[string]any{"kid": 7}), identity.ReasonMalformed},
		{"oversized", must(identity.Mint(h.ed, claims())) + strings.Repeat("A", identity.MaxToken), identity.ReasonMalformed},

		{"alg none", encode(map[string]any{"alg": "none", "kid": h.ed.ID()}) + "." + encode(payload(nil)) + ".", identity.ReasonAlgorithm},
		{"alg None", encode(map[string]any{"alg": "None", "kid": h.ed.ID()}) + "." + encode(payload(nil)) + ".", identity.ReasonAlgorithm},
		{"no alg", headed(map[string]any{"alg": nil}), identity.ReasonAlgorithm},
		{"HS256 with the public key as secret", hs256(h.ed.ID(), h.private().Public().(ed25519.PublicKey)), identity.ReasonAlgorithm},
		{"HS256 with the key file as secret", hs256(h.ed.ID(), h.jwks), identity.ReasonAlgorithm},
		{"PS256 with the RSA key", rs(t, jose.PS256, "rsa-1"), identity.ReasonAlgorithm},
		{"RS512 with the RSA key", rs(t, jose.RS512, "rsa-1"), identity.ReasonAlgorithm},
		{"RS256 signed by RSA under the Ed25519 key's id", rs(t, jose.RS256, h.ed.ID()), identity.ReasonAlgorithm},
		{"EdDSA under the RSA key's id", headed(map[string]any{"kid": "rsa-1"}), identity.ReasonAlgorithm},

		{"unknown kid", minted(other, func(*identity.Claims) {}), identity.ReasonKey},
		{"no kid among two keys", headed(map[string]any{"kid": nil}), identity.ReasonKey},
		{"empty kid", headed(map[string]any{"kid": ""}), identity.ReasonKey},
		{"another kid's key", strings.Join([]string{encode(h.header(nil)), parts[1], strings.Split(minted(other, func(*identity.Claims) {}), ".")[2]}, "."), identity.ReasonSignature},

		{"its own key", headed(map[string]any{"jwk": json.RawMessage(stranger)}), identity.ReasonMalformed},
		{"its own key file", headed(map[string]any{"jku": "https://evil.example/jwks.json"}), identity.ReasonMalformed},
		{"its own certificate", headed(map[string]any{"x5u": "https://evil.example/c.pem"}), identity.ReasonMalformed},
		{"its own chain", headed(map[string]any{"x5c": []string{}}), identity.ReasonMalformed},
		{"critical extensions", headed(map[string]any{"crit": []string{"b64"}, "b64": false}), identity.ReasonMalformed},
		{"another kind of token", headed(map[string]any{"typ": "logout+jwt"}), identity.ReasonMalformed},

		{"changed claims", parts[0] + "." + encode(payload(map[string]any{"roles": []string{"admin"}})) + "." + parts[2], identity.ReasonSignature},
		{"no signature", parts[0] + "." + parts[1] + ".", identity.ReasonSignature},
		{"a signature of zeros", parts[0] + "." + parts[1] + "." + encode(strings.Repeat("\x00", 64)), identity.ReasonSignature},
		{"half a signature", parts[0] + "." + parts[1] + "." + parts[2][:40], identity.ReasonSignature},

		{"expired", minted(h.ed, func(c *identity.Claims) { c.IssuedAt = noon.Add(-2 * time.Hour) }), identity.ReasonExpired},
		{"expired beyond the leeway", sealed(map[string]any{"exp": noon.Unix() - 30}), identity.ReasonExpired},
		{"expired before there were clocks", sealed(map[string]any{"exp": -1e15}), identity.ReasonExpired},
		{"not valid yet", sealed(map[string]any{"nbf": noon.Unix() + 31}), identity.ReasonNotYet},
		{"issued in the future", sealed(map[string]any{"iat": noon.Unix() + 31}), identity.ReasonNotYet},
		{"another issuer", minted(h.rsa, func(c *identity.Claims) { c.Issuer = "https://id.evil.example" }), identity.ReasonIssuer},
		{"no issuer", sealed(map[string]any{"iss": nil}), identity.ReasonIssuer},
		{"another audience", minted(h.ed, func(c *identity.Claims) { c.Audience = "billing" }), identity.ReasonAudience},
		{"an audience that contains ours", sealed(map[string]any{"aud": []string{"caio-admin", "not caio"}}), identity.ReasonAudience},
		{"no audience", sealed(map[string]any{"aud": nil}), identity.ReasonAudience},

		{"no expiry", sealed(map[string]any{"exp": nil}), identity.ReasonMalformed},
		{"expiry null", h.seal(h.header(nil), `{"sub":"u1","exp":null}`), identity.ReasonMalformed},
		{"expiry as text", sealed(map[string]any{"exp": "tomorrow"}), identity.ReasonMalformed},
		{"expiry beyond numbers", sealed(map[string]any{"exp": 1e300}), identity.ReasonMalformed},
		{"no subject", sealed(map[string]any{"sub": nil}), identity.ReasonMalformed},
		{"a subject that is a list", sealed(map[string]any{"sub": []string{"u1"}}), identity.ReasonMalformed},
		{"a long subject", sealed(map[string]any{"sub": strings.Repeat("ä", 257)}), identity.ReasonMalformed},
		{"a long tenant", sealed(map[string]any{"tenant": strings.Repeat("a", 129)}), identity.ReasonMalformed},
		{"too many roles", sealed(map[string]any{"roles": make([]string, 65)}), identity.ReasonMalformed},
		{"too many permissions", sealed(map[string]any{"permissions": make([]string, 257)}), identity.ReasonMalformed},
		{"roles as text", sealed(map[string]any{"roles": "admin"}), identity.ReasonMalformed},
		{"trust above 10", sealed(map[string]any{"trust_level": 11}), identity.ReasonMalformed},
		{"trust below 0", sealed(map[string]any{"trust_level": -1}), identity.ReasonMalformed},
		{"trust of half a step", sealed(map[string]any{"trust_level": 4.5}), identity.ReasonMalformed},
		{"trust beyond 32 bits", sealed(map[string]any{"trust_level": 1 << 32}), identity.ReasonMalformed},
		{"claims given twice", h.seal(h.header(nil), `{"sub":"u1","sub":"u2","exp":9e9}`), identity.ReasonMalformed},
		{"claims that are a list", h.seal(h.header(nil), `[]`), identity.ReasonMalformed},
		{"claims that are not UTF-8", h.seal(h.header(nil), "{\"sub\":\"\xff\",\"exp\":9e9}"), identity.ReasonMalformed},
		{"no claims", h.seal(h.header(nil), ""), identity.ReasonMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := h.verifier.Verify(t.Context(), c.token)
			var refused *identity.Error
			if !errors.As(err, &refused) {
				t.Fatalf("accepted as %v, or another error: %v", got, err)
			}
			if refused.Reason != c.want {
				t.Errorf("reason is %s (%v), want %s", refused.Reason, err, c.want)
			}
			for part := range strings.SplitSeq(c.token, ".") {
				if len(part) > 12 && strings.Contains(err.Error(), part) {
					t.Errorf("the error holds a part of the token: %v", err)
				}
			}
		})
	}
}

// spare returns a character that differs from c in the two lowest bits only, which base64 has to spare here.
func spare(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func hs256(kid string, secret []byte) string {
	text := encode(map[string]any{"alg": "HS256", "kid": kid}) + "." + encode(payload(nil))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func rs(t *testing.T, alg jose.SignatureAlgorithm, kid string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: rsaKeys()[2048], KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return must(must(signer.Sign(must(json.Marshal(payload(nil))))).CompactSerialize())
}

func TestTokensThatAreAcceptedAtTheEdge(t *testing.T) {
	h := newHouse(t)
	strictly := newHouse(t, func(o *identity.Options) { o.Leeway = -1 })
	for _, c := range []struct {
		name   string
		house  *house
		change map[string]any
		ok     bool
	}{
		{"just within the leeway after expiry", h, map[string]any{"exp": noon.Unix() - 29}, true},
		{"just within the leeway before nbf", h, map[string]any{"nbf": noon.Unix() + 30}, true},
		{"without leeway, a second left", strictly, map[string]any{"exp": noon.Unix() + 1}, true},
		{"without leeway, at expiry", strictly, map[string]any{"exp": noon.Unix()}, false},
		{"without leeway, a second early", strictly, map[string]any{"nbf": noon.Unix() + 1}, false},
		{"no iat", h, map[string]any{"iat": nil}, true},
		{"ours among several audiences", h, map[string]any{"aud": []string{"billing", audience}}, true},
		{"fractions of a second", h, map[string]any{"exp": float64(noon.Unix()) + 60.5}, true},
		{"claims of others", h, map[string]any{"email": "u1@acme.example", "nested": map[string]any{"a": 1}}, true},
		{"a long subject, in characters", h, map[string]any{"sub": strings.Repeat("ä", 256)}, true},
	} {
		if _, err := c.house.verifier.Verify(t.Context(), c.house.seal(c.house.header(nil), payload(c.change))); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, typ := range []any{nil, "JWT", "at+jwt", "application/at+JWT"} {
		if _, err := h.verifier.Verify(t.Context(), h.seal(h.header(map[string]any{"typ": typ}), payload(nil))); err != nil {
			t.Errorf("typ %v: %v", typ, err)
		}
	}
}

func TestATokenThatVerifiedOnceStillExpiresAndStillNeedsItsSignature(t *testing.T) {
	now := noon
	h := newHouse(t, func(o *identity.Options) { o.Now = func() time.Time { return now } })
	token := must(identity.Mint(h.ed, claims()))
	first := must(h.verifier.Verify(t.Context(), token))
	if again := must(h.verifier.Verify(t.Context(), "Bearer "+token)); !proto.Equal(first, again) || again.Subject != "u1" {
		t.Errorf("the second time it is %v", again)
	}
	signature := token[:strings.LastIndex(token, ".")+1]
	for _, forged := range []string{signature, signature + "AAAA", token[:len(token)-4] + spare('A') + "AAA", token + "A"} {
		if p, err := h.verifier.Verify(t.Context(), forged); err == nil {
			t.Errorf("%q is %v", forged, p)
		}
	}
	for _, at := range []struct {
		time   time.Time
		reason identity.Reason
	}{{noon.Add(2 * time.Hour), identity.ReasonExpired}, {noon.Add(-time.Hour), identity.ReasonNotYet}, {noon, ""}} {
		now = at.time
		p, err := h.verifier.Verify(t.Context(), token)
		var refused *identity.Error
		if at.reason == "" && err != nil || at.reason != "" && (p != nil || !errors.As(err, &refused) || refused.Reason != at.reason) {
			t.Errorf("at %s: %v, %v", at.time, p, err)
		}
	}
}

func TestKeysRotate(t *testing.T) {
	old, next := must(identity.GenerateKey()), must(identity.GenerateKey())
	verifier := func(keys ...*identity.PrivateKey) *identity.Verifier {
		return must(identity.New(identity.Options{
			Keys: must(identity.LoadKeys(must(identity.PublicSet(keys...)))), Issuer: issuer, Audience: audience, Now: func() time.Time { return noon },
		}))
	}
	for _, c := range []struct {
		name string
		keys []*identity.PrivateKey
		want [2]bool
	}{{"before", []*identity.PrivateKey{old}, [2]bool{true, false}}, {"meanwhile", []*identity.PrivateKey{old, next}, [2]bool{true, true}}, {"after", []*identity.PrivateKey{next}, [2]bool{false, true}}} {
		v := verifier(c.keys...)
		for i, key := range []*identity.PrivateKey{old, next} {
			if _, err := v.Verify(t.Context(), must(identity.Mint(key, claims()))); (err == nil) != c.want[i] {
				t.Errorf("%s, key %d: %v", c.name, i, err)
			}
		}
	}
}

func TestATokenWithoutKidIsTheSoleKeys(t *testing.T) {
	h := newHouse(t)
	sole := must(identity.New(identity.Options{
		Keys: must(identity.LoadKeys(must(identity.PublicSet(h.ed)))), Issuer: issuer, Audience: audience, Now: func() time.Time { return noon },
	}))
	if _, err := sole.Verify(t.Context(), h.seal(h.header(map[string]any{"kid": nil}), payload(nil))); err != nil {
		t.Error(err)
	}
}

func TestAVerifierNeedsKeysIssuerAndAudience(t *testing.T) {
	keys := must(identity.LoadKeys(must(identity.PublicSet(must(identity.GenerateKey())))))
	for _, o := range []identity.Options{
		{}, {Issuer: issuer, Audience: audience}, {Keys: keys, Audience: audience}, {Keys: keys, Issuer: issuer},
		{Keys: keys, Issuer: issuer, Audience: audience, Leeway: time.Hour},
	} {
		if _, err := identity.New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestVerifyingIsSafeForConcurrentUse(t *testing.T) {
	h := newHouse(t)
	tokens := []string{must(identity.Mint(h.ed, claims())), must(identity.Mint(h.rsa, claims())), hs256(h.ed.ID(), h.jwks)}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for range 20 {
				if p, err := h.verifier.Verify(t.Context(), tokens[i%3]); (err == nil) != (i%3 < 2) {
					t.Errorf("token %d: %v, %v", i%3, p, err)
				} else if p != nil {
					_ = identity.HasRole(p, identity.RoleAdmin) // the principal is shared, and only read
				}
			}
		})
	}
	wg.Wait()
}

func TestRolesDecideWhatAPrincipalMayDo(t *testing.T) {
	who := func(tenant string, roles ...string) *caiov1.Principal {
		return &caiov1.Principal{Subject: "s", Tenant: tenant, Roles: roles, Authenticated: true}
	}
	impostor := who("", "admin")
	impostor.Authenticated = false
	for _, c := range []struct {
		name             string
		p                *caiov1.Principal
		manages, readAll bool
		own              string // what a listing of everything is confined to; "-": none
	}{
		{"admin", who("", "admin"), true, true, ""},
		{"operator", who("", "user", "operator"), true, true, ""},
		{"auditor", who("", "auditor"), false, true, ""},
		{"auditor of a tenant", who("acme", "auditor"), false, false, "acme"},
		{"admin of a tenant", who("acme", "admin"), true, false, "acme"},
		{"user", who("acme", "user"), false, false, "acme"},
		{"user of no tenant", who("", "user"), false, false, "-"},
		{"Admin, spelled otherwise", who("", "Admin"), false, false, "-"},
		{"not authenticated", impostor, false, false, "-"},
		{"nobody", nil, false, false, "-"},
	} {
		if identity.CanManageServices(c.p) != c.manages || identity.CanReadAllTraces(c.p) != c.readAll {
			t.Errorf("%s: manages %v, reads all %v", c.name, identity.CanManageServices(c.p), identity.CanReadAllTraces(c.p))
		}
		if tenant, ok := identity.TraceTenant(c.p, ""); ok != (c.own != "-") || ok && tenant != c.own {
			t.Errorf("%s: asked for everything, gets %q, %v", c.name, tenant, ok)
		}
		if tenant, ok := identity.TraceTenant(c.p, "globex"); ok != c.readAll || ok && tenant != "globex" {
			t.Errorf("%s: asked for another tenant, gets %q, %v", c.name, tenant, ok)
		}
		for _, tenant := range []string{"", "acme", "globex"} {
			want := c.readAll || tenant != "" && tenant == c.own
			if identity.CanReadTrace(c.p, tenant) != want {
				t.Errorf("%s: a trace of tenant %q: %v", c.name, tenant, !want)
			}
		}
	}
}

func TestInspectingShowsWhatATokenSaysAndTrustsNothing(t *testing.T) {
	h := newHouse(t)
	i, err := identity.Inspect("Bearer " + hs256("k", []byte("x")))
	if err != nil || i.Algorithm != "HS256" || i.KeyID != "k" || i.Principal.Authenticated || i.Principal.Subject != "u1" {
		t.Errorf("%+v, %v", i, err)
	}
	i = must(identity.Inspect(must(identity.Mint(h.ed, claims()))))
	if i.KeyID != h.ed.ID() || i.Issuer != issuer || !slices.Equal(i.Audience, []string{audience}) || !i.Expiry.Equal(noon.Add(time.Hour)) || !i.IssuedAt.Equal(noon) || !i.NotBefore.Equal(noon) {
		t.Errorf("%+v", i)
	}
	if _, err := identity.Inspect("x.y"); err == nil {
		t.Error("two letters were inspected")
	}
}

func FuzzVerify(f *testing.F) {
	h := newHouse(f)
	minted := []string{must(identity.Mint(h.ed, claims())), must(identity.Mint(h.rsa, claims()))}
	for _, token := range minted {
		f.Add(token)
		f.Add(token[:len(token)-1])
	}
	f.Add(hs256(h.ed.ID(), h.jwks))
	f.Add(encode(map[string]any{"alg": "none"}) + "." + encode(payload(nil)) + ".")
	f.Add(encode(h.header(map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AA"}})) + ".e30.AA")
	f.Add("bearer ..")
	f.Fuzz(func(t *testing.T, bearer string) {
		p, err := h.verifier.Verify(t.Context(), bearer)
		_, token, cut := strings.Cut(bearer, " ")
		if !cut {
			token = bearer
		}
		known := slices.Contains(minted, strings.TrimLeft(token, " "))
		if known != (err == nil) || (p == nil) != (err != nil) {
			t.Errorf("%q: %v, %v", bearer, p, err)
		}
		var refused *identity.Error
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("an error of no kind: %v", err)
		}
		if i, err := identity.Inspect(bearer); err == nil && i.Principal.Authenticated {
			t.Error("inspecting authenticated somebody")
		}
	})
}

// BenchmarkVerify verifies one token again and again, and one that is seen for the first time.
func BenchmarkVerify(b *testing.B) {
	h := newHouse(b)
	keys := must(identity.LoadKeys(h.jwks))
	for name, key := range map[string]*identity.PrivateKey{"EdDSA": h.ed, "RS256": h.rsa} {
		token := must(identity.Mint(key, claims()))
		stranger := func() *identity.Verifier {
			return must(identity.New(identity.Options{Keys: keys, Issuer: issuer, Audience: audience, Now: func() time.Time { return noon }}))
		}
		for which, verifier := range map[string]func() *identity.Verifier{"known": func() *identity.Verifier { return h.verifier }, "new": stranger} {
			b.Run(name+"/"+which, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := verifier().Verify(b.Context(), token); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func Example() {
	key, err := identity.GenerateKey()
	if err != nil {
		fmt.Println(err)
		return
	}
	jwks, err := identity.PublicSet(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := identity.LoadKeys(jwks)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := identity.New(identity.Options{Keys: keys, Issuer: "caio", Audience: "caio"})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := identity.Mint(key, identity.Claims{Subject: "u1", Tenant: "acme", Issuer: "caio", Audience: "caio", TTL: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := v.Verify(context.Background(), "Bearer "+token)
	fmt.Println(p.Subject, p.Tenant, err)
	_, err = v.Verify(context.Background(), token+"!")
	fmt.Println(err)
	// Output:
	// u1 acme <nil>
	// token refused: it is not base64url
}
