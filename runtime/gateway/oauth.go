package gateway

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxTokenBytes = 1 << 20
	unstatedLife  = 5 * time.Minute // of a token whose server does not say
	assertionLife = time.Hour       // the longest that Google takes
)

// oauth2 returns what fetches tokens with a client's credentials (RFC 6749, section 4.4). Servers must take them as a user's
// name and password (section 2.3.1); some that do not want them in the form.
func (t *tokens) oauth2(s *service, f *secretFile, listed hostSet) (func(context.Context) (*token, error), error) {
	u, err := t.tokenURL(s, s.auth.GetTokenUrl(), "adapter.auth.token_url of the contract", listed)
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if scopes := s.auth.GetScopes(); len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	if s.auth.GetAudience() != "" {
		form.Set("audience", s.auth.GetAudience())
	}
	return func(ctx context.Context) (*token, error) {
		basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(f.ClientID) + ":" + url.QueryEscape(f.ClientSecret)))
		got, err := t.fetch(ctx, s, u, form, "Basic "+basic)
		var refused *tokenError
		if !errors.As(err, &refused) || refused.again {
			return got, err
		}
		whole := url.Values{"client_id": {f.ClientID}, "client_secret": {f.ClientSecret}}
		for name, values := range form {
			whole[name] = values
		}
		if got, err := t.fetch(ctx, s, u, whole, ""); err == nil {
			return got, nil
		}
		return nil, err // the first refusal is the one that the standard speaks of
	}, nil
}

// google returns what makes tokens with a service account's key: fetched with a signed assertion (RFC 7523, section 2.1)
// where scopes are asked for, else signed here for an audience.
func (t *tokens) google(s *service, f *secretFile, listed hostSet) (func(context.Context) (*token, error), error) {
	key, err := readKey(f.PrivateKey)
	if err != nil {
		return nil, refused("set its value to the key file that Google gave out, as it is", "service %s: secret %q: private_key: %v", s.id, s.auth.GetSecret(), err)
	}
	if s.auth.GetAudience() != "" {
		return func(context.Context) (*token, error) {
			now := time.Now()
			value, err := signed(key, f.PrivateKeyID, now, map[string]any{"iss": f.ClientEmail, "sub": f.ClientEmail, "aud": s.auth.GetAudience()})
			return newToken(value, assertionLife, now), err
		}, nil
	}
	where := f.TokenURI
	if where == "" {
		where = "https://oauth2.googleapis.com/token"
	}
	u, err := t.tokenURL(s, where, "token_uri of the secret", listed)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*token, error) {
		assertion, err := signed(key, f.PrivateKeyID, time.Now(), map[string]any{"iss": f.ClientEmail, "aud": where, "scope": strings.Join(s.auth.GetScopes(), " ")})
		if err != nil {
			return nil, err
		}
		return t.fetch(ctx, s, u, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}, "")
	}, nil
}

// tokenURL checks where tokens are fetched from: what is sent there is worth as much as the secret.
func (t *tokens) tokenURL(s *service, raw, what string, listed hostSet) (*url.URL, error) {
	u, hostport, err := parseURL(raw)
	name := s.auth.GetSecret()
	if err != nil {
		return nil, refused("correct "+what, "service %s: %s: %v", s.id, what, err)
	}
	if !listed.has(hostport) {
		return nil, refused(fmt.Sprintf("add %s to %s%s%s if tokens are to be fetched there", hostport, envPrefix, secretName(name), envHosts),
			"service %s: secret %q is not to be sent to host %s, which %s names", s.id, name, hostport, what)
	}
	if u.Scheme != "https" && !isLoopback(u.Hostname()) {
		return nil, refused("use https in "+what, "service %s: secret %q would be sent to host %s without TLS", s.id, name, hostport)
	}
	return u, t.options.allowed(s, u, hostport)
}

// fetch asks for a token (RFC 6749, section 5). Redirects are not followed.
func (t *tokens) fetch(ctx context.Context, s *service, u *url.URL, form url.Values, authorization string) (*token, error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}, "User-Agent": {"caio"}}
	if authorization != "" {
		header["Authorization"] = []string{authorization}
	}
	failed := &tokenError{hint: "see that adapter.auth and the secret are what the provider gave out"}
	resp, err := t.options.Transport.RoundTrip(newRequest(ctx, http.MethodPost, u, header, []byte(form.Encode())))
	if err != nil {
		failed.again, failed.cause = !isRefusedAddress(err), err
		failed.message = fmt.Sprintf("fetch a token for secret %q at %s: %v", s.auth.GetSecret(), u.Host, err)
		return nil, failed
	}
	defer resp.Body.Close()
	body, err := readBody(resp.Body, resp.ContentLength, maxTokenBytes)
	if err != nil {
		failed.again, failed.cause = true, err
		failed.message = fmt.Sprintf("fetch a token for secret %q at %s: %v", s.auth.GetSecret(), u.Host, err)
		return nil, failed
	}
	var answer struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"` // some send it in quotes
		Error       string      `json:"error"`
		Description string      `json:"error_description"`
	}
	err = json.Unmarshal(body, &answer)
	if err != nil || !isSuccess(resp.StatusCode) || answer.AccessToken == "" || !validValue(answer.AccessToken) {
		failed.message = strings.TrimRight(fmt.Sprintf("fetch a token for secret %q at %s: status %d, %s %s", s.auth.GetSecret(), u.Host, resp.StatusCode, answer.Error, answer.Description), " ,")
		failed.again = resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
		return nil, failed
	}
	life := unstatedLife
	if seconds, err := answer.ExpiresIn.Float64(); err == nil && seconds > 0 && seconds < 1e8 {
		life = time.Duration(seconds * float64(time.Second))
	}
	return newToken(answer.AccessToken, life, time.Now()), nil
}

// readKey reads an RSA key from PEM, PKCS #8 as Google writes it or PKCS #1.
func readKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("neither PKCS #8 nor PKCS #1")
	}
	if own, ok := key.(*rsa.PrivateKey); ok {
		return own, nil
	}
	return nil, errors.New("not an RSA key")
}

// signed returns a JWT of the claims (RFC 7515, RS256), good for an hour from now on.
func signed(key *rsa.PrivateKey, id string, now time.Time, claims map[string]any) (string, error) {
	claims["iat"], claims["exp"] = now.Unix(), now.Add(assertionLife).Unix()
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": id})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := bytes.Join([][]byte{encoded(head), encoded(body)}, []byte("."))
	sum := sha256.Sum256(text)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return string(text) + "." + string(encoded(signature)), nil
}

func encoded(b []byte) []byte { return base64.RawURLEncoding.AppendEncode(nil, b) }
