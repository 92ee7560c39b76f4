package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// MaxToken is the length of the longest token that is looked at, in bytes.
const MaxToken = 8 << 10

// Leeway is how far clocks may differ unless Options say otherwise, and the most they may say.
const (
	DefaultLeeway = 30 * time.Second
	MaxLeeway     = 5 * time.Minute
)

// Options of a verifier.
type Options struct {
	Keys     *Keys            // required
	Issuer   string           // required: iss of the tokens that are accepted
	Audience string           // required: must be among their aud
	Leeway   time.Duration    // by which clocks may differ; 0: DefaultLeeway, negative: none, at most MaxLeeway
	Now      func() time.Time // the clock; nil: time.Now
}

// Verifier verifies tokens, and remembers those that verified. Use it from as many goroutines as you like.
type Verifier struct {
	o     Options
	cache cache
}

// New returns a verifier. It fails without keys, issuer or audience, each of which makes a token worth less.
func New(o Options) (*Verifier, error) {
	switch {
	case o.Keys == nil:
		return nil, errors.New("verify tokens: no keys are given")
	case o.Issuer == "" || o.Audience == "":
		return nil, errors.New("verify tokens: issuer and audience must be given")
	case o.Leeway > MaxLeeway:
		return nil, fmt.Errorf("verify tokens: a leeway of %s; at most %s is allowed", o.Leeway, MaxLeeway)
	case o.Leeway == 0:
		o.Leeway = DefaultLeeway
	case o.Leeway < 0:
		o.Leeway = 0
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Verifier{o: o}, nil
}

// Verify returns who the bearer of a token is. The token may have the scheme "Bearer" before it, as an Authorization
// header does. The principal has authenticated set; it is shared among the calls with one token and must not be changed.
// Errors: *Error with its Reason, or ctx's if it has ended.
func (v *Verifier) Verify(ctx context.Context, bearer string) (*caiov1.Principal, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	token, err := strip(bearer)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte(token))
	if known := v.cache.get(key); known != nil {
		if err := v.accept(known.claims); err != nil {
			return nil, err
		}
		return known.principal, nil
	}
	payload, err := v.signed(token)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	if err := v.accept(c); err != nil {
		return nil, err
	}
	known := &verified{c, c.principal()}
	v.cache.put(key, known)
	return known.principal, nil
}

// strip returns the token without its scheme.
func strip(bearer string) (string, error) {
	token := bearer
	if scheme, rest, found := strings.Cut(bearer, " "); found && strings.EqualFold(scheme, "bearer") {
		token = strings.TrimLeft(rest, " ")
	}
	switch {
	case token == "":
		return "", refuse(ReasonMissing, "there is none")
	case len(token) > MaxToken:
		return "", refuse(ReasonMalformed, fmt.Sprintf("it has %d bytes, at most %d are looked at", len(token), MaxToken))
	}
	return token, nil
}

// algorithms are those that are accepted. Symmetric ones and "none" never can be: the keys are public.
var algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.RS256}

// signed returns the token's payload if one of the keys signed it.
func (v *Verifier) signed(token string) ([]byte, error) {
	h, _, err := split(token)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(algorithms, jose.SignatureAlgorithm(h.Alg)) {
		return nil, refuse(ReasonAlgorithm, "only EdDSA and RS256 are accepted")
	}
	key, ok := v.o.Keys.find(h)
	if !ok {
		return nil, refuse(ReasonKey, fmt.Sprintf("none of the %d known keys has the id it names", len(v.o.Keys.byID)))
	}
	if string(key.algorithm) != h.Alg {
		return nil, refuse(ReasonAlgorithm, "the key it names is for another algorithm")
	}
	// The algorithm is bound to the key from here on: go-jose sees no other.
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{key.algorithm})
	if err != nil {
		return nil, refuse(ReasonMalformed, "it is not a signed token")
	}
	payload, err := jws.Verify(key.key)
	if err != nil {
		return nil, refuse(ReasonSignature, "its signature does not verify")
	}
	return payload, nil
}

// find returns the key that the token names, or the only one if it names none.
func (k *Keys) find(h *header) (publicKey, bool) {
	if h.Kid == nil {
		if k.sole == nil {
			return publicKey{}, false
		}
		return *k.sole, true
	}
	key, ok := k.byID[*h.Kid]
	return key, ok
}

// header is the part of a JOSE header that is read.
type header struct {
	Alg string  `json:"alg"`
	Kid *string `json:"kid"`
	Typ string  `json:"typ"`
}

// strict takes base64url without padding, line breaks and stray bits, so that a token has one spelling.
var strict = base64.RawURLEncoding.Strict()

// split reads the header of a token and decodes its payload, verifying neither.
func split(token string) (*header, []byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, refuse(ReasonMalformed, "it does not have three parts")
	}
	var decoded [3][]byte
	for i, part := range parts {
		b, err := strict.DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") { // which even a strict decoder skips
			return nil, nil, refuse(ReasonMalformed, "it is not base64url")
		}
		decoded[i] = b
	}
	var names map[string]json.RawMessage
	if err := json.Unmarshal(decoded[0], &names); err != nil || names == nil {
		return nil, nil, refuse(ReasonMalformed, "its header is not a JSON object")
	}
	// Keys of its own choice, and extensions that change what the token means.
	for _, name := range []string{"jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256", "crit", "b64", "zip", "enc"} {
		if _, set := names[name]; set {
			return nil, nil, refuse(ReasonMalformed, "its header has "+name+", which is not accepted")
		}
	}
	h := &header{}
	if err := json.Unmarshal(decoded[0], h); err != nil {
		return nil, nil, refuse(ReasonMalformed, "its header has a field of the wrong type")
	}
	switch strings.TrimPrefix(strings.ToLower(h.Typ), "application/") {
	case "", "jwt", "at+jwt": // RFC 8725, 3.11: other kinds of token mean something else
	default:
		return nil, nil, refuse(ReasonMalformed, "its typ is neither JWT nor at+jwt")
	}
	return h, decoded[1], nil
}

// accept judges the claims of a token whose signature verified.
func (v *Verifier) accept(c *tokenClaims) error {
	now := v.o.Now()
	switch {
	case !now.Add(-v.o.Leeway).Before(c.Expiry.Time()):
		return refuse(ReasonExpired, "it expired at "+c.Expiry.Time().UTC().Format(time.RFC3339))
	case c.NotBefore != nil && now.Add(v.o.Leeway).Before(c.NotBefore.Time()):
		return refuse(ReasonNotYet, "it is not valid before "+c.NotBefore.Time().UTC().Format(time.RFC3339))
	case c.IssuedAt != nil && now.Add(v.o.Leeway).Before(c.IssuedAt.Time()):
		return refuse(ReasonNotYet, "it was issued in the future; a clock is wrong")
	case c.Issuer != v.o.Issuer:
		return refuse(ReasonIssuer, fmt.Sprintf("its issuer is not %q", v.o.Issuer))
	case !c.Audience.Contains(v.o.Audience):
		return refuse(ReasonAudience, fmt.Sprintf("it is not meant for %q", v.o.Audience))
	}
	return nil
}
