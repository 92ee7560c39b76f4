package server_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/server"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// view asks for an audit view and returns the status, the header and the body.
func view(t *testing.T, h *house, token, path string) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
	must(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := h.http1.Do(r)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: a body of type %q", path, got)
	}
	return response.StatusCode, response.Header, body
}

// decided leaves a trace and returns its id.
func decided(t *testing.T, h *house, token string, request *caiov1.Request) string {
	t.Helper()
	// A watch shows what is written after it began, and so what was only queued before.
	answer, err := h.api(token).Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: request, Durability: "durable"}))
	must(t, err)
	return answer.Msg.GetTraceId()
}

func TestAuditViewsShowWhatListShows(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	acme, auditor := h.keys.token(t, "acme", "user"), h.keys.token(t, "", "auditor")
	named := detection()
	named.Context = &caiov1.Context{RequestId: "order 7"}
	budget := detection()
	budget.Budget = &caiov1.Budget{MaxCost: 0.001, Currency: "USD"}
	first := decided(t, h, acme, named)
	second := decided(t, h, h.keys.token(t, "umbrella", "user"), budget)
	for _, tt := range []struct {
		token, path string
		want        []string
	}{
		{acme, "/audit/traces", []string{first}},
		{auditor, "/audit/traces", []string{second, first}},
		{auditor, "/api/v1/audit/traces?tenant=umbrella&status=refused", []string{second}},
		{auditor, "/audit/traces?request_id=order+7&min_duration_ms=0&since=2020-01-01T00:00:00Z&page_size=5", []string{first}},
		{auditor, "/audit/traces?rule=request.budget", []string{second}},
		{acme, "/audit/traces?rule=request.budget", nil},
		{acme, "/audit/traces?tenant=umbrella", nil},
		{auditor, "/audit/traces?min_cost=1e9", nil},
		{auditor, "/audit/violations", nil},
		{auditor, "/api/v1/audit/violations?min_cost=0", nil},
	} {
		status, _, body := view(t, h, tt.token, tt.path)
		page := &caiov1.TraceServiceListResponse{}
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", tt.path, status, body)
			continue
		}
		must(t, schema.ParseJSON(body, page))
		var got []string
		for _, stored := range page.GetTraces() {
			got = append(got, stored.GetTrace().GetTraceId())
		}
		if strings.Join(got, " ") != strings.Join(tt.want, " ") {
			t.Errorf("%s shows %v, want %v", tt.path, got, tt.want)
		}
	}
}

func TestAuditViewsAnswerAsConnectDoes(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	auditor := h.keys.token(t, "", "auditor")
	decided(t, h, h.keys.token(t, "acme", "user"), detection())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/caio.v1.TraceService/List", strings.NewReader("{}"))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+auditor)
	r.Header.Set("Content-Type", "application/json")
	response, err := h.http1.Do(r)
	must(t, err)
	defer response.Body.Close()
	want, err := io.ReadAll(response.Body)
	must(t, err)
	if _, _, got := view(t, h, auditor, "/audit/traces"); strings.TrimSpace(string(got)) != string(want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestAuditViewsShowViolations(t *testing.T) {
	up := upstream(t, detected)
	h := newHouse(t, setup{contracts: []string{reachable("one", up.URL, "")}, rego: map[string]string{"guarantee/never.rego": `package caio.guarantee.never

import rego.v1

violation contains {"msg": "never good enough", "reaction": "accept"} if input.request.context.priority == "high"
`}})
	user := h.keys.token(t, "acme", "user")
	var last string
	for _, priority := range []string{"", "high"} {
		request := detection()
		request.Context = &caiov1.Context{Priority: priority}
		answer, err := h.api(user).Orchestrate(t.Context(), connect.NewRequest(&caiov1.OrchestrateRequest{Request: request}))
		must(t, err)
		last = answer.Msg.GetTraceId()
	}
	for _, path := range []string{"/audit/violations", "/audit/violations?rule=caio.guarantee.never.violation", "/audit/traces?violations=true", "/audit/traces?rule=caio.guarantee.never.violation"} {
		status, _, body := view(t, h, user, path)
		page := &caiov1.TraceServiceListResponse{}
		must(t, schema.ParseJSON(body, page))
		if len(page.GetTraces()) != 1 || page.GetTraces()[0].GetTrace().GetTraceId() != last {
			t.Errorf("%s: %d, %d traces, want the one that broke a guarantee", path, status, len(page.GetTraces()))
		}
	}
}

func TestAuditViewsRefuseInJSON(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	auditor := h.keys.token(t, "", "auditor")
	for _, tt := range []struct {
		token, path string
		status      int
		code, says  string
	}{
		{"", "/audit/traces", 401, "UNAUTHENTICATED", "bearer token"},
		{"nonsense", "/audit/violations", 401, "UNAUTHENTICATED", "refused"},
		{auditor, "/audit/traces?color=red", 400, "INVALID_REQUEST", "color"},
		{auditor, "/audit/traces?status=strange", 400, "INVALID_REQUEST", "status"},
		{auditor, "/audit/traces?status=ok&status=failed", 400, "INVALID_REQUEST", "status"},
		{auditor, "/audit/traces?page_size=many", 400, "INVALID_REQUEST", "many"},
		{auditor, "/audit/traces?page_size=1001", 400, "INVALID_REQUEST", "page_size"},
		{auditor, "/audit/traces?min_cost=NaN", 400, "INVALID_REQUEST", "min_cost"},
		{auditor, "/audit/traces?since=yesterday", 400, "INVALID_REQUEST", "yesterday"},
		{auditor, "/audit/traces?violations=perhaps", 400, "INVALID_REQUEST", "violations"},
		{auditor, "/audit/violations?violations=false", 400, "INVALID_REQUEST", "violations"},
		{auditor, "/audit/traces?tenant=%zz", 400, "INVALID_REQUEST", "cannot be read"},
		{auditor, "/audit/traces?tenant=a;b", 400, "INVALID_REQUEST", "cannot be read"},
		{auditor, "/audit/traces?page_token=" + base64.RawURLEncoding.EncodeToString(make([]byte, 25)), 400, "INVALID_REQUEST", "page_token"},
	} {
		status, header, body := view(t, h, tt.token, tt.path)
		var told struct{ Code, Message, Hint string }
		must(t, json.Unmarshal(body, &told))
		if status != tt.status || told.Code != tt.code || !strings.Contains(told.Message, tt.says) || told.Hint == "" {
			t.Errorf("%s: %d %s", tt.path, status, body)
		}
		if (header.Get("WWW-Authenticate") != "") != (status == 401) {
			t.Errorf("%s: a challenge %q", tt.path, header.Get("WWW-Authenticate"))
		}
	}
}

func TestAuditViewsOfADevelopersServerNeedNoToken(t *testing.T) {
	h := newHouse(t, setup{options: func(o *server.Options) { o.InsecureDev = true }})
	if status, _, body := view(t, h, "", "/audit/traces"); status != http.StatusOK || !strings.Contains(string(body), `"traces":[]`) {
		t.Errorf("%d %s", status, body)
	}
}
