package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/server"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// preflight asks, as a browser does, whether a page of origin may orchestrate.
func preflight(t *testing.T, h *house, origin string) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, h.url+caiov1connect.OrchestratorServiceOrchestrateProcedure, nil)
	must(t, err)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	r.Header.Set("Access-Control-Request-Headers", "authorization,connect-protocol-version,content-type")
	response, _ := do(t, h, r)
	return response.Header
}

func TestOnlyPagesOfAllowedOriginsMayCall(t *testing.T) {
	const app = "https://app.example.com"
	h := newHouse(t, setup{options: func(o *server.Options) { o.AllowedOrigins = []string{app} }})
	header := preflight(t, h, app)
	if header.Get("Access-Control-Allow-Origin") != app || !strings.Contains(strings.ToLower(header.Get("Access-Control-Allow-Headers")), "authorization") {
		t.Errorf("an allowed page may not call: %v", header)
	}
	if header := preflight(t, h, "https://evil.example.com"); header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign page may call: %v", header)
	}
}

func TestWithoutOriginsNoPageMayCall(t *testing.T) {
	h := newHouse(t, setup{})
	if header := preflight(t, h, "https://app.example.com"); header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page may call: %v", header)
	}
}

func TestUnsafeOptionsAreRefusedAtTheStart(t *testing.T) {
	keys := newIssuer(t)
	for name, opts := range map[string]server.Options{
		"no keys":             {},
		"every origin":        {Verifier: keys.verifier, AllowedOrigins: []string{"*"}},
		"every origin, among": {Verifier: keys.verifier, AllowedOrigins: []string{"https://app.example.com", "*"}},
	} {
		if _, err := server.New(opts); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
