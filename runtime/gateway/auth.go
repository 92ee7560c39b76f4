package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A signer adds a credential to a request that is about to be sent; req's header is its own.
type signer func(req *http.Request, body []byte)

// readAuth checks how the host is to sign, and notes which headers and which parameter are then the host's alone.
func (s *service) readAuth() error {
	a := s.auth
	missing := func(field, example string) error {
		return refused(fmt.Sprintf("name it in adapter.auth.%s, such as %s", field, example), "service %s: adapter.auth of scheme %q names no %s", s.id, a.GetScheme(), field)
	}
	s.signed = []string{"Authorization"}
	switch a.GetScheme() {
	case "", "none":
		s.signed = nil
		return nil
	case "bearer", "basic", "google_service_account":
	case "header":
		name := http.CanonicalHeaderKey(a.GetHeader())
		if !validName(name) || hostHeader(name) {
			return refused("name a header in adapter.auth.header, such as x-api-key", "service %s: a credential cannot be sent in header %q", s.id, a.GetHeader())
		}
		s.signed = append(s.signed, name)
	case "query":
		if s.parameter = a.GetParameter(); s.parameter == "" {
			return missing("parameter", "key")
		}
	case "sigv4":
		if a.GetRegion() == "" {
			return missing("region", "us-east-1")
		}
		if a.GetService() == "" {
			return missing("service", "bedrock")
		}
		s.signed = append(s.signed, "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256")
	case "oauth2":
		if a.GetTokenUrl() == "" {
			return missing("token_url", "https://login.example.com/oauth2/token")
		}
	default:
		return refused("set adapter.auth.scheme to none, bearer, header, query, basic, sigv4, oauth2 or google_service_account",
			"service %s: adapter.auth.scheme %q is not known", s.id, a.GetScheme())
	}
	if a.GetSecret() == "" {
		return missing("secret", "provider-key")
	}
	return nil
}

// A secretFile is a secret of several parts, as they stand in its JSON.
type secretFile struct {
	Username        string `json:"username"`
	Password        string `json:"password"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token"`
	ClientID        string `json:"client_id"`
	ClientSecret    string `json:"client_secret"`
	ClientEmail     string `json:"client_email"`
	PrivateKey      string `json:"private_key"`
	PrivateKeyID    string `json:"private_key_id"`
	TokenURI        string `json:"token_uri"`
}

// parts reads the secret of a scheme that needs several.
func (s *service) parts(value string) (*secretFile, error) {
	f := &secretFile{}
	err := json.Unmarshal([]byte(value), f)
	var need []string
	var have bool
	switch s.auth.GetScheme() {
	case "basic":
		need, have = []string{"username", "password"}, f.Username != "" && !strings.Contains(f.Username, ":")
	case "sigv4":
		need, have = []string{"access_key_id", "secret_access_key"}, f.AccessKeyID != "" && f.SecretAccessKey != "" && validValue(f.AccessKeyID+f.SessionToken)
	case "oauth2":
		need, have = []string{"client_id", "client_secret"}, f.ClientID != "" && f.ClientSecret != ""
	case "google_service_account":
		need, have = []string{"client_email", "private_key"}, f.ClientEmail != "" && f.PrivateKey != ""
	}
	if err != nil || !have { // what stands there is not shown, encoding/json would quote it
		return nil, refused(fmt.Sprintf(`set its value to JSON: {"%s": "...", "%s": "..."}`, need[0], need[1]),
			"service %s: secret %q is not what scheme %s needs: JSON with %s and %s", s.id, s.auth.GetSecret(), s.auth.GetScheme(), need[0], need[1])
	}
	return f, nil
}

// credential returns what signs r: a signer, or where a token has to be fetched first, its source. Both are nil where
// nothing is signed. A call to base_url's host needs the credential; another host of the contract's list gets it if it is
// listed for the secret too, and is called without otherwise: a link to a file elsewhere has to be followed without it.
func (x *execution) credential(r *request) (signer, *tokenSource, error) {
	s := x.service
	if s.signed == nil {
		return nil, nil, nil
	}
	if x.gateway.dry != nil {
		return x.placeholder(r), nil, nil
	}
	name := s.auth.GetSecret()
	normal := secretName(name)
	secret, ok := x.gateway.options.Secrets.Lookup(name)
	if !ok || secret.Value == "" {
		return nil, nil, refused(fmt.Sprintf("set %s%s and %[1]s%[2]s%s=%s in the server's environment, or name it in its secrets file", envPrefix, normal, envHosts, s.base),
			"service %s: there is no secret %q", s.id, name)
	}
	listed := hostSet{}
	for _, host := range secret.Hosts {
		if err := listed.add(host); err != nil {
			return nil, nil, refused("correct the secret's hosts", "service %s: secret %q: %v", s.id, name, err)
		}
	}
	switch {
	case !listed.has(r.hostport) && r.hostport == s.base:
		return nil, nil, refused(fmt.Sprintf("add %s to %s%s%s if it may have the secret", r.hostport, envPrefix, normal, envHosts),
			"service %s: secret %q is not to be sent to host %s", s.id, name, r.hostport)
	case !listed.has(r.hostport):
		return nil, nil, nil
	case r.url.Scheme != "https" && !isLoopback(r.url.Hostname()):
		return nil, nil, refused("use https in api.base_url", "service %s: secret %q would be sent to host %s without TLS", s.id, name, r.hostport)
	case !validValue(secret.Value):
		return nil, nil, refused("", "service %s: secret %q holds control characters", s.id, name)
	}
	return x.signer(secret.Value, listed)
}

// signer returns what the contract's scheme makes of a secret.
func (x *execution) signer(value string, listed hostSet) (signer, *tokenSource, error) {
	a := x.service.auth
	switch a.GetScheme() {
	case "bearer":
		x.keepOut(value)
		return headerSigner("Authorization", "Bearer "+value), nil, nil
	case "header":
		x.keepOut(value)
		if a.GetPrefix() != "" {
			value = a.GetPrefix() + " " + value
		}
		return headerSigner(http.CanonicalHeaderKey(a.GetHeader()), value), nil, nil
	case "query":
		x.keepOut(value, url.QueryEscape(value), url.PathEscape(value))
		return func(req *http.Request, _ []byte) { req.URL = withParameter(req.URL, a.GetParameter(), value) }, nil, nil
	}
	f, err := x.service.parts(value)
	if err != nil {
		return nil, nil, err
	}
	x.keepOut(f.Password, f.SecretAccessKey, f.SessionToken, f.ClientSecret)
	switch a.GetScheme() {
	case "basic":
		both := base64.StdEncoding.EncodeToString([]byte(f.Username + ":" + f.Password))
		x.keepOut(both)
		return headerSigner("Authorization", "Basic "+both), nil, nil
	case "sigv4":
		k := &awsKey{id: f.AccessKeyID, secret: f.SecretAccessKey, session: f.SessionToken, region: a.GetRegion(), service: a.GetService()}
		return func(req *http.Request, body []byte) { k.sign(req, body, time.Now()) }, nil, nil
	}
	source, err := x.gateway.tokens.source(x.service, value, f, listed)
	return nil, source, err
}

func headerSigner(name, value string) signer {
	return func(req *http.Request, _ []byte) { req.Header[name] = []string{value} }
}

// withParameter returns u with a parameter that stands there once, whatever stood there before.
func withParameter(u *url.URL, name, value string) *url.URL {
	out := withoutParameter(u, name)
	if out.RawQuery != "" {
		out.RawQuery += "&"
	}
	out.RawQuery += url.QueryEscape(name) + "=" + url.QueryEscape(value)
	return out
}

// withoutParameter returns u without a parameter; "" is none.
func withoutParameter(u *url.URL, name string) *url.URL {
	if name == "" {
		return u
	}
	out := *u
	out.RawQuery = strings.Join(slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(key)
		return pair == "" || err == nil && plain == name
	}), "&")
	return &out
}

// keepOut notes secrets that are sent, so that they are kept out of what comes back.
func (x *execution) keepOut(secrets ...string) {
	for _, secret := range secrets {
		if secret != "" && !slices.Contains(x.secrets, secret) {
			x.secrets = append(x.secrets, secret)
		}
	}
}
