package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func host(url string) string { return strings.TrimPrefix(url, "http://") }

func TestRedirectToAHostOffTheListIsRefused(t *testing.T) {
	reached := false
	other := upstream(t, func(http.ResponseWriter, *http.Request) { reached = true })
	for name, target := range map[string]struct{ to, says string }{
		"another port":     {other.URL, host(other.URL)},
		"another name":     {"http://evil.test/x", "evil.test:80"},
		"another scheme":   {"ftp://service.test/", `"ftp"`},
		"file":             {"file:///etc/passwd", `"file"`},
		"user information": {"http://a:b@127.0.0.1/", "user information"},
		"metadata":         {"http://169.254.169.254/latest/meta-data", "169.254.169.254"},
		"no URL":           {"http://[::1", "not a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", target.to)
				w.WriteHeader(307)
			})
			out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{URL: "/"})})
			wantCode(t, e, gateway.CodeExecution, "redirect", host(server.URL), target.says)
			if reached || out.Observed.GetCalls() != 1 {
				t.Errorf("reached %v, observed %v", reached, out.Observed)
			}
			if name == "another name" && !strings.Contains(e.Hint, "api.allowed_hosts") {
				t.Errorf("hint %q", e.Hint)
			}
		})
	}
}

func TestRedirectKeepsOrDropsMethodAndBody(t *testing.T) {
	for _, test := range []struct {
		status       int
		method, want string
	}{
		{301, "POST", "GET"}, {302, "POST", "GET"}, {303, "POST", "GET"}, {307, "POST", "POST body"}, {308, "POST", "POST body"},
		{301, "GET", "GET"}, {303, "PUT", "GET"}, {302, "PUT", "PUT body"}, {303, "HEAD", "HEAD"},
	} {
		var got, kind, key string
		server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/a" {
				w.Header().Set("Location", "b?x=1#frag") // relative to the path
				w.WriteHeader(test.status)
				return
			}
			b, _ := io.ReadAll(r.Body)
			got, kind, key = strings.TrimSpace(r.Method+" "+string(b)), r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key")
			if r.URL.String() != "/b?x=1" {
				t.Errorf("asked for %s", r.URL)
			}
		})
		call := adapter.Action{Method: test.method, URL: "/a", Headers: []adapter.Header{{Name: "content-type", Value: "text/plain"}}}
		if test.method != "GET" && test.method != "HEAD" {
			call.Body = []byte("body")
		}
		out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(call)})
		if e != nil || got != test.want || out.Observed.GetCalls() != 2 {
			t.Errorf("%d after %s: %q, %v, observed %v", test.status, test.method, got, e, out.Observed)
		}
		if kept := strings.HasSuffix(test.want, "body") || test.method == "GET" || test.method == "HEAD"; (kind != "") != kept || (key != "") != (test.want == "POST body") {
			t.Errorf("%d after %s: content type %q, key %q", test.status, test.method, kind, key)
		}
	}
}

func TestRedirectToAnotherHostCarriesNoCredential(t *testing.T) {
	var got http.Header
	other := upstream(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header })
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sesame-sesame-sesame" || r.Header.Get("X-Custom") != "1" {
			t.Errorf("the first host got %v", r.Header)
		}
		to := other.URL
		if r.URL.Path == "/again" {
			to = "/other"
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	contract := contractAt(server.URL)
	contract.Api.AllowedHosts = []string{host(other.URL)}
	contract.Adapter.Auth = &caiov1.Auth{Scheme: "bearer", Secret: "key"}
	// Even a host that may have the secret does not get it by a redirect.
	secrets := gateway.SecretSet{"KEY": {Value: "sesame-sesame-sesame", Hosts: []string{host(server.URL), host(other.URL)}}}
	for _, path := range []string{"/", "/again"} {
		got = nil
		_, e := execute(t.Context(), t, open(t, gateway.Options{Secrets: secrets}), gateway.Call{Contract: contract, Adapter: caller(adapter.Action{
			URL: path, Body: []byte("b"), Headers: []adapter.Header{{Name: "X-Custom", Value: "1"}, {Name: "Accept", Value: "a/b"}}})})
		if e != nil {
			t.Fatal(e)
		}
		if got.Get("Authorization") != "" || got.Get("X-Custom") != "" || got.Get("Accept") != "a/b" {
			t.Errorf("%s: the other host got %v", path, got)
		}
	}
}

// A contract may name any header for its credential, those that otherwise follow to another host among them.
func TestRedirectToAnotherHostCarriesNoCredentialWhateverItsHeader(t *testing.T) {
	const value = "sesame-sesame-sesame"
	for _, name := range []string{"Accept", "accept-language", "Content-Type", "User-Agent"} {
		var got http.Header
		other := upstream(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header })
		server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(name) != value {
				t.Errorf("%s: the first host got %v", name, r.Header)
			}
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		})
		contract := contractAt(server.URL)
		contract.Api.AllowedHosts = []string{host(other.URL)}
		contract.Adapter.Auth = &caiov1.Auth{Scheme: "header", Header: name, Secret: "key"}
		secrets := gateway.SecretSet{"KEY": {Value: value, Hosts: []string{host(server.URL)}}}
		_, e := execute(t.Context(), t, open(t, gateway.Options{Secrets: secrets}),
			gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/", Body: []byte("b")})})
		if e != nil || got == nil {
			t.Fatalf("%s: the other host got %v, %v", name, got, e)
		}
		if got.Get(name) == value {
			t.Errorf("%s: the other host got the credential", name)
		}
	}
}

func TestEndlessRedirectsEnd(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
	})
	out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{Method: "GET", URL: "/a"})})
	wantCode(t, e, gateway.CodeExecution, "more than 5 times")
	if out.Observed.GetCalls() != 6 {
		t.Errorf("observed %v", out.Observed)
	}
}

func TestRedirectWithoutATargetIsAnAnswer(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(302) })
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{URL: "/"})})
	wantCode(t, e, gateway.CodeExecution, "status 302")
}

// The host that redirects to a result has done the work; 503 of the next one is no licence to begin anew.
func TestPostIsNotRepeatedOnceItWasTaken(t *testing.T) {
	posts := 0
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			posts++
			http.Redirect(w, r, "/result", http.StatusSeeOther)
			return
		}
		w.WriteHeader(503)
	})
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{URL: "/"})})
	wantCode(t, e, gateway.CodeExecution, "503")
	if posts != 1 {
		t.Errorf("posted %d times", posts)
	}
}
