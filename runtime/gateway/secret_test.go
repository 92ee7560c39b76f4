package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

const sesame = "sk-open-sesame-0123456789"

func TestCredentialIsAddedBehindTheAdaptersBack(t *testing.T) {
	for _, auth := range []*caiov1.Auth{
		{Scheme: "bearer", Secret: "my-key"},
		{Scheme: "header", Secret: "my-key", Header: "x-api-key"},
	} {
		var got http.Header
		server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			w.Header().Set("X-Echo", sesame)
			w.Header().Set("Set-Cookie", "session=1")
			io.WriteString(w, "you sent "+sesame) // an upstream that repeats what it got
		})
		contract := contractAt(server.URL)
		contract.Adapter.Auth = auth
		g := open(t, gateway.Options{Secrets: gateway.SecretSet{"MY_KEY": {Value: sesame, Hosts: []string{strings.ToUpper(host(server.URL))}}}})
		var seen strings.Builder
		out, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: machine(func(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
			fmt.Fprintf(&seen, "%s %s %s %s %v ", ev.Intent, ev.Contract, ev.Body, ev.Data, ev.Headers)
			return caller(adapter.Action{URL: "/"})(ctx, state, ev)
		})})
		if e != nil || body(out) != "you sent [redacted]" {
			t.Errorf("%v, %v", out, e)
		}
		if strings.Contains(seen.String(), sesame) || strings.Contains(seen.String(), "session=1") {
			t.Errorf("the adapter saw %s", seen.String())
		}
		want := map[string]string{"bearer": "Authorization: Bearer " + sesame, "header": "X-Api-Key: " + sesame}[auth.Scheme]
		name, value, _ := strings.Cut(want, ": ")
		if len(got[name]) != 1 || got.Get(name) != value {
			t.Errorf("%s: the upstream got %v", auth.Scheme, got)
		}
	}
}

func TestAdapterMayNotSignWhereTheHostDoes(t *testing.T) {
	var got http.Header
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header })
	g := open(t, gateway.Options{Secrets: gateway.SecretSet{"K": {Value: sesame, Hosts: []string{host(server.URL)}}}})
	for _, name := range []string{"authorization", "COOKIE", "x-api-key"} {
		call := gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{URL: "/", Headers: []adapter.Header{{Name: name, Value: "guest"}}})}
		if _, e := execute(t.Context(), t, g, call); e != nil || got.Get(name) != "guest" {
			t.Errorf("%s where the contract names no credential: %v, %v", name, got, e)
		}
		call.Contract = contractAt(server.URL)
		call.Contract.Adapter.Auth = &caiov1.Auth{Scheme: "header", Secret: "k", Header: "X-Api-Key"}
		_, e := execute(t.Context(), t, g, call)
		wantCode(t, e, gateway.CodeTransformation, http.CanonicalHeaderKey(name), "credential")
	}
}

func TestMissingSecretSaysHowToSetIt(t *testing.T) {
	contract := contractAt("https://api.service.test")
	contract.Adapter.Auth = &caiov1.Auth{Scheme: "bearer", Secret: "openai-eu.key"}
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
	wantCode(t, e, gateway.CodeExecution, `"openai-eu.key"`, "CAIO_SECRET_OPENAI_EU_KEY and CAIO_SECRET_OPENAI_EU_KEY_HOSTS=api.service.test:443")
	if !e.Retryable {
		t.Error("another service may have its secret")
	}
}

// tlsUpstream serves h under any name and port, over TLS, and returns a transport that leads there.
func tlsUpstream(t *testing.T, h http.HandlerFunc) *http.Transport {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.InsecureSkipVerify = true // the names are invented
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return transport
}

func TestSecretGoesToItsOwnHostsOnly(t *testing.T) {
	for name, test := range map[string]struct {
		base, url string
		hosts     []string
		sent      bool
		says      string // "": the call is made
	}{
		"host":                        {"https://api.service.test", "", []string{"api.service.test"}, true, ""},
		"host and port":               {"https://api.service.test", "", []string{"api.service.test:443"}, true, ""},
		"case":                        {"https://API.Service.Test", "", []string{"api.SERVICE.test"}, true, ""},
		"own port":                    {"https://api.service.test:8443", "", []string{"api.service.test:8443"}, true, ""},
		"another port":                {"https://api.service.test:8443", "", []string{"api.service.test"}, false, "api.service.test:8443"},
		"another host":                {"https://api.service.test", "", []string{"service.test", "test", "api.service.test.evil.test"}, false, "not to be sent to host api.service.test:443"},
		"no host":                     {"https://api.service.test", "", nil, false, "not to be sent"},
		"a wildcard is no host":       {"https://api.service.test", "", []string{"*.service.test"}, false, "*.service.test"},
		"listed file host":            {"https://api.service.test", "https://files.test/", []string{"api.service.test"}, false, ""},
		"file host with the secret":   {"https://api.service.test", "https://files.test/", []string{"api.service.test", "files.test"}, true, ""},
		"without TLS":                 {"http://api.service.test", "", []string{"api.service.test"}, false, "without TLS"},
		"an http URL of an https one": {"https://api.service.test", "http://files.test/", []string{"files.test"}, false, "without TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			asked := false
			transport := tlsUpstream(t, func(w http.ResponseWriter, r *http.Request) { got, asked = r.Header.Get("Authorization"), true })
			contract := contractAt(test.base)
			contract.Api.AllowedHosts = []string{"files.test"}
			contract.Adapter.Auth = &caiov1.Auth{Scheme: "bearer", Secret: "k"}
			g := open(t, gateway.Options{Transport: transport, Secrets: gateway.SecretSet{"K": {Value: sesame, Hosts: test.hosts}}})
			if test.url == "" {
				test.url = "/"
			}
			_, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: test.url})})
			if test.says != "" {
				wantCode(t, e, gateway.CodeExecution, test.says)
			} else if e != nil {
				t.Fatal(e)
			}
			if asked != (test.says == "") || (got == "Bearer "+sesame) != test.sent {
				t.Errorf("asked %v, got %q", asked, got)
			}
		})
	}
}

func TestErrorsHoldNoSecretAndNoWebPage(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(401)
		fmt.Fprintf(w, "key %s is wrong\r\n\x00\xff<html>%s", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), strings.Repeat("é", 2000))
	})
	contract := contractAt(server.URL)
	contract.Adapter.Auth = &caiov1.Auth{Scheme: "bearer", Secret: "k"}
	for _, secret := range []string{sesame, "short"} { // a short one reaches the adapter, but no error
		g := open(t, gateway.Options{Secrets: gateway.SecretSet{"K": {Value: secret, Hosts: []string{host(server.URL)}}}})
		_, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
		wantCode(t, e, gateway.CodeExecution, "key [redacted] is wrong", "status 401")
		if strings.Contains(e.Message, secret) || len(e.Message) > 500 || !utf8.ValidString(e.Message) || strings.ContainsAny(e.Message, "\r\n\x00") || e.Status != 401 {
			t.Errorf("%d bytes: %q", len(e.Message), e.Message)
		}
	}
}

func TestSecretsFromTheEnvironment(t *testing.T) {
	got, err := gateway.SecretsFromEnv([]string{
		"PATH=/bin", "CAIO_SECRET_A=" + sesame, "CAIO_SECRET_A_HOSTS=API.a.test, b.test:8443,",
		"CAIO_SECRET_EMPTY=", "CAIO_SECRET_B-C=x=y", "CAIO_SECRET_B-C_HOSTS=::1,[::1]:80", "CAIO_SECRETX=1",
	})
	want := gateway.SecretSet{
		"A":   {Value: sesame, Hosts: []string{"api.a.test", "b.test:8443"}},
		"B_C": {Value: "x=y", Hosts: []string{"::1", "[::1]:80"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d secrets, %v", len(got), err)
	}
	if s, ok := got.Lookup("b.c"); !ok || s.Value != "x=y" {
		t.Error("b.c is not found")
	}

	_, err = gateway.SecretsFromEnv([]string{"CAIO_SECRET_A=" + sesame, "CAIO_SECRET_B_HOSTS=b.test", "CAIO_SECRET_C=" + sesame + "\n", "CAIO_SECRET_C_HOSTS=c.test",
		"CAIO_SECRET_D=" + sesame, "CAIO_SECRET_D_HOSTS=https://d.test", "CAIO_SECRET_E=" + sesame, "CAIO_SECRET_E_HOSTS=e.test:http"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"CAIO_SECRET_A is set but CAIO_SECRET_A_HOSTS is not", "CAIO_SECRET_B_HOSTS is set but CAIO_SECRET_B is not", "CAIO_SECRET_C: ", "CAIO_SECRET_D: ", "https://d.test", "e.test:http"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), sesame) {
		t.Error("the error shows the secret")
	}
}

func TestSecretsFromAFile(t *testing.T) {
	got, err := gateway.ParseSecrets([]byte(`{"my-key": {"value": "` + sesame + `", "hosts": ["A.test"]}}` + "\n"))
	if want := (gateway.SecretSet{"MY_KEY": {Value: sesame, Hosts: []string{"a.test"}}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d secrets, %v", len(got), err)
	}
	over := gateway.SecretSet{"MY_KEY": {Value: "2"}, "B": {Value: "3"}}
	if both := got.With(over); both["MY_KEY"].Value != "2" || both["B"].Value != "3" || got["MY_KEY"].Value != sesame {
		t.Error("With does not put one set over the other")
	}
	for _, bad := range []string{
		``, `[]`, `{"a": "` + sesame + `"}`, `{"a": {"value": 12345678901234567890, "hosts": ["a.test"]}}`, `{"a": {"value": "` + sesame + `", "host": "a.test"}}`,
		`{"a": {"value": "` + sesame + `"}}`, `{"a": {"value": "", "hosts": ["a.test"]}}`, `{"a": {"value": "` + sesame + ` ", "hosts": ["a.test"]}}`,
		`{"a": {"value": "` + sesame + `", "hosts": ["a.test"]}, "A": {"value": "` + sesame + `", "hosts": ["a.test"]}}`, `{} {}`, `{"a": {"value": "` + sesame + `", "hosts": ["a/b"]}}`,
	} {
		if _, err := gateway.ParseSecrets([]byte(bad)); err == nil || strings.Contains(err.Error(), sesame) || strings.Contains(err.Error(), "12345678901234567890") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	set := gateway.SecretSet{"A": {Value: sesame, Hosts: []string{"a.test"}}}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", set["A"], "set", set)
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{log.String(), string(raw), fmt.Sprintf("%v %+v %#v %s %q", set, set, set, set["A"], set["A"])} {
		if strings.Contains(s, sesame) || !strings.Contains(s, "redacted") {
			t.Error(s)
		}
	}
}

func FuzzParseSecrets(f *testing.F) {
	f.Add([]byte(`{"my-key": {"value": "v", "hosts": ["a.test", "b:1"]}}`))
	f.Add([]byte(`{"a": {"value": "x\u0000"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := gateway.ParseSecrets(raw)
		if (err == nil) == (set == nil) {
			t.Fatal("neither a set nor an error, or both")
		}
		for name, s := range set {
			if found, ok := set.Lookup(strings.ToLower(name)); !ok || found.Value == "" || len(s.Hosts) == 0 {
				t.Fatalf("%q is of no use", name)
			}
		}
	})
}
