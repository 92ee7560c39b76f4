package gateway_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// keeping holds one secret, "k", for the hosts of some URLs.
func keeping(value string, urls ...string) gateway.SecretSet {
	var hosts []string
	for _, u := range urls {
		_, at, _ := strings.Cut(u, "://")
		hosts = append(hosts, at)
	}
	return gateway.SecretSet{"K": {Value: value, Hosts: hosts}}
}

func signing(base string, auth *caiov1.Auth) *caiov1.Contract {
	contract := contractAt(base)
	auth.Secret = "k"
	contract.Adapter.Auth = auth
	return contract
}

func TestEachSchemeSignsInItsWay(t *testing.T) {
	for name, test := range map[string]struct {
		auth        *caiov1.Auth
		secret      string
		part        string // of the secret, that nobody may see
		header, url string // what the upstream gets
	}{
		"header with a word before it": {&caiov1.Auth{Scheme: "header", Header: "authorization", Prefix: "Token"}, sesame, sesame, "Token " + sesame, "/?a=b"},
		"query":                        {&caiov1.Auth{Scheme: "query", Parameter: "key"}, "a secret/with=signs&more", "a secret/with=signs&more", "", "/?a=b&key=a+secret%2Fwith%3Dsigns%26more"},
		"basic":                        {&caiov1.Auth{Scheme: "basic"}, `{"username": "me", "password": "` + sesame + `"}`, sesame, "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+sesame)), "/?a=b"},
	} {
		var got *http.Request
		server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			w.WriteHeader(400)
			fmt.Fprintf(w, "you sent %s and %s", r.Header.Get("Authorization"), r.URL)
		})
		g := open(t, gateway.Options{Secrets: keeping(test.secret, server.URL)})
		var seen strings.Builder
		_, e := execute(t.Context(), t, g, gateway.Call{Contract: signing(server.URL, test.auth), Adapter: spied(&seen, caller(adapter.Action{URL: "/?a=b"}))})
		wantCode(t, e, gateway.CodeExecution, "you sent", "[redacted]")
		if got.Header.Get("Authorization") != test.header || got.URL.String() != test.url {
			t.Errorf("%s: the upstream got %q and %s", name, got.Header.Get("Authorization"), got.URL)
		}
		for _, secret := range []string{test.part, url.QueryEscape(test.part), base64.StdEncoding.EncodeToString([]byte("me:" + test.part))} {
			if strings.Contains(seen.String(), secret) || strings.Contains(e.Message, secret) {
				t.Errorf("%s: it shows in\n%s\n%s", name, seen.String(), e.Message)
			}
		}
	}
}

// spied notes everything that an adapter sees.
func spied(seen *strings.Builder, inner machine) machine {
	var mu sync.Mutex
	return machine(func(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
		mu.Lock()
		fmt.Fprintf(seen, "%s %s %s %s %v ", ev.Intent, ev.Contract, ev.Body, ev.Data, ev.Headers)
		mu.Unlock()
		return inner(ctx, state, ev)
	})
}

func TestCredentialInTheURLFollowsToNoOtherHost(t *testing.T) {
	var asked []string
	elsewhere := upstream(t, func(w http.ResponseWriter, r *http.Request) { asked = append(asked, "elsewhere "+r.URL.String()) })
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		switch r.URL.Path {
		case "/first": // a server that copies the query, as many do
			http.Redirect(w, r, "/second?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
		case "/second":
			http.Redirect(w, r, elsewhere.URL+"/third?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
		}
	})
	contract := signing(server.URL, &caiov1.Auth{Scheme: "query", Parameter: "key"})
	contract.Api.AllowedHosts = []string{host(elsewhere.URL)}
	g := open(t, gateway.Options{Secrets: keeping(sesame, server.URL)})
	if _, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/first?a=b"})}); e != nil {
		t.Fatal(e)
	}
	if want := "[/first?a=b&key=" + sesame + " /second?a=b&key=" + sesame + " elsewhere /third?a=b]"; fmt.Sprint(asked) != want {
		t.Errorf("%v, want %s", asked, want)
	}
	_, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/first?key=guest"})})
	wantCode(t, e, gateway.CodeTransformation, "parameter key")
	server.Close()
	_, e = execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{Method: "GET", URL: "/first"})})
	if wantCode(t, e, gateway.CodeExecution); strings.Contains(fmt.Sprint(e.Message, e.Unwrap()), sesame) {
		t.Errorf("%v: %v", e, e.Unwrap())
	}
}

func TestSecretOfPartsSaysWhatIsMissing(t *testing.T) {
	for scheme, says := range map[string]string{"basic": `{"username": "...", "password": "..."}`, "sigv4": "access_key_id and secret_access_key",
		"oauth2": "client_id and client_secret", "google_service_account": "client_email and private_key"} {
		for _, secret := range []string{sesame, `{"other": "` + sesame + `"}`, `{"username": 5}`} {
			contract := signing("https://api.service.test", &caiov1.Auth{Scheme: scheme, Region: "r", Service: "s", TokenUrl: "https://api.service.test/token", Scopes: []string{"s"}})
			g := open(t, gateway.Options{Secrets: keeping(secret, "https://api.service.test")})
			_, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
			if wantCode(t, e, gateway.CodeExecution, `secret "k"`, says); strings.Contains(e.Message+e.Hint, sesame) {
				t.Error(e)
			}
		}
	}
}

// The date is part of the signature, so that a try that waited is signed anew.
func TestSigV4SignsEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		g, contract := bubble(t, gateway.Options{Secrets: keeping(`{"access_key_id": "AKID", "secret_access_key": "`+sesame+`", "session_token": "temporary"}`, "http://localhost:80")},
			func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Header.Get("X-Amz-Date")+" "+r.Header.Get("Authorization")+" "+r.Header.Get("X-Amz-Security-Token"))
				if len(got) < 2 {
					w.Header().Set("Retry-After", "5")
					w.WriteHeader(429)
				}
			})
		contract.Api.BaseUrl = "http://localhost"
		contract.Adapter.Auth = &caiov1.Auth{Scheme: "sigv4", Secret: "k", Region: "eu-central-1", Service: "bedrock"}
		if _, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/model/a:0/converse", Body: []byte("{}")})}); e != nil {
			t.Fatal(e)
		}
		if len(got) != 2 || got[0] == got[1] || got[0][:16] == got[1][:16] {
			t.Fatalf("%q", got)
		}
		for _, line := range got {
			if !strings.Contains(line, " AWS4-HMAC-SHA256 Credential=AKID/20000101/eu-central-1/bedrock/aws4_request, SignedHeaders=") || !strings.HasSuffix(line, " temporary") {
				t.Error(line)
			}
		}
	})
}

func TestTokenIsFetchedOnceAndAgainWhenItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetched atomic.Int32
		revoked := ""
		g, contract := bubble(t, gateway.Options{Secrets: keeping(`{"client_id": "me", "client_secret": "`+sesame+`"}`, "http://localhost:80")},
			func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					time.Sleep(time.Second) // all callers wait for this one
					id, secret, _ := r.BasicAuth()
					if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "read write" || r.FormValue("audience") != "api" || id != "me" || secret != sesame {
						t.Errorf("%v %v", r.Form, r.Header)
					}
					fmt.Fprintf(w, `{"access_token": "token-0123456789-%d", "token_type": "Bearer", "expires_in": "3600"}`, fetched.Add(1))
					return
				}
				if got := r.Header.Get("Authorization"); got == revoked {
					w.WriteHeader(401)
				} else {
					io.WriteString(w, got)
				}
			})
		contract.Api.BaseUrl = "http://localhost"
		contract.Adapter.Auth = &caiov1.Auth{Scheme: "oauth2", Secret: "k", TokenUrl: "http://localhost/token", Scopes: []string{"read", "write"}, Audience: "api"}
		call := gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})}
		ask := func(fetches int32) {
			t.Helper()
			if out, e := execute(t.Context(), t, g, call); e != nil || body(out) != "Bearer [redacted]" || fetched.Load() != fetches {
				t.Errorf("%v, %v, %d tokens fetched; want %d", out, e, fetched.Load(), fetches)
			}
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { ask(1) })
		}
		all.Wait()
		time.Sleep(58 * time.Minute)
		ask(1)
		time.Sleep(time.Minute) // less than a minute is left of the first
		ask(2)
		revoked = "Bearer token-0123456789-2"
		ask(3)
		revoked = "Bearer token-0123456789-3"
		ask(4)
	})
}

func TestTokenThatIsNotGivenSaysWhy(t *testing.T) {
	const client = `{"client_id": "me", "client_secret": "` + sesame + `"}`
	asked := 0
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch asked++; r.URL.Path {
		case "/form": // wants the client in the form, and redirects nobody
			if r.FormValue("client_secret") == sesame {
				io.WriteString(w, `{"access_token": "t"}`)
				return
			}
			w.WriteHeader(401)
		case "/refused":
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error": "invalid_client", "error_description": "who is %s?"}`, sesame)
		case "/redirect":
			http.Redirect(w, r, "https://evil.test/", http.StatusTemporaryRedirect)
		case "/down":
			w.WriteHeader(503)
		case "/page":
			io.WriteString(w, "<html>")
		}
	})
	for path, test := range map[string]struct {
		asked int
		says  []string
	}{
		"/form":     {3, nil}, // and the call itself
		"/refused":  {2, []string{"secret \"k\"", "status 400, invalid_client who is [redacted]?"}},
		"/redirect": {2, []string{"status 307"}},
		"/down":     {3, []string{"status 503", "3 tries"}},
		"/page":     {2, []string{"status 200"}},
	} {
		asked = 0
		g := open(t, gateway.Options{Secrets: keeping(client, server.URL), Backoff: time.Millisecond})
		_, e := execute(t.Context(), t, g, gateway.Call{Contract: signing(server.URL, &caiov1.Auth{Scheme: "oauth2", TokenUrl: server.URL + path}), Adapter: caller(adapter.Action{URL: "/api"})})
		if test.says == nil && e != nil || test.says != nil && e == nil || asked != test.asked {
			t.Errorf("%s: %v, asked %d times", path, e, asked)
		} else if test.says != nil {
			wantCode(t, e, gateway.CodeExecution, test.says...)
		}
	}
	for where, says := range map[string]string{"https://login.test/token": "login.test:443", "http://service.test/token": "without TLS"} {
		secrets := keeping(client, server.URL, "http://service.test:80")
		_, e := execute(t.Context(), t, open(t, gateway.Options{Secrets: secrets}),
			gateway.Call{Contract: signing(server.URL, &caiov1.Auth{Scheme: "oauth2", TokenUrl: where}), Adapter: caller(adapter.Action{URL: "/api"})})
		wantCode(t, e, gateway.CodeExecution, says)
	}
}

func TestServiceAccountSignsForItsTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	// claims verifies a token and returns what it says.
	claims := func(token string) map[string]any {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("%q is no JWT", token)
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err == nil {
			err = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature)
		}
		head, headErr := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil || headErr != nil || string(head) != `{"alg":"RS256","kid":"key-1","typ":"JWT"}` {
			t.Fatalf("%s: %v", head, err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		said := map[string]any{}
		if err != nil || json.Unmarshal(raw, &said) != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if life := said["exp"].(float64) - said["iat"].(float64); life != 3600 || said["iss"] != "robot@project.test" {
			t.Errorf("%s", raw)
		}
		return said
	}
	var got string
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			got = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			return
		}
		if said := claims(r.FormValue("assertion")); said["scope"] != "a b" || said["aud"] != "http://"+r.Host+"/token" || r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			t.Errorf("%v", said)
		}
		io.WriteString(w, `{"access_token": "fetched", "expires_in": 3599}`)
	})
	file, err := json.MarshalIndent(map[string]string{"type": "service_account", "client_email": "robot@project.test", "private_key_id": "key-1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": server.URL + "/token"}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	// The file stands in the secrets file and in the environment as it is, lines and all.
	inFile, err := gateway.ParseSecrets([]byte(`{"k": {"value": ` + string(file) + `, "hosts": ["` + host(server.URL) + `"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	inEnv, err := gateway.SecretsFromEnv([]string{"CAIO_SECRET_K=" + string(file), "CAIO_SECRET_K_HOSTS=" + host(server.URL)})
	if err != nil || inEnv["K"].Value != inFile["K"].Value {
		t.Fatalf("%v, and the two differ: %t", err, inEnv["K"].Value != inFile["K"].Value)
	}
	g := open(t, gateway.Options{Secrets: inEnv})
	call := gateway.Call{Contract: signing(server.URL, &caiov1.Auth{Scheme: "google_service_account", Scopes: []string{"a", "b"}}), Adapter: caller(adapter.Action{URL: "/api"})}
	if _, e := execute(t.Context(), t, g, call); e != nil || got != "fetched" {
		t.Errorf("%v, %q", e, got)
	}
	call.Contract = signing(server.URL, &caiov1.Auth{Scheme: "google_service_account", Audience: "https://api.test/"})
	if _, e := execute(t.Context(), t, g, call); e != nil || claims(got)["aud"] != "https://api.test/" || claims(got)["sub"] != "robot@project.test" {
		t.Errorf("%v, %q", e, got)
	}
}
