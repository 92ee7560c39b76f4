package server_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/server"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// said is what a JSON caller reads of an error.
type said struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Details []struct {
		Type  string `json:"type"`
		Debug struct {
			Code, Message, Stage, Hint string
		} `json:"debug"`
	} `json:"details"`
}

const decide = caiov1connect.OrchestratorServiceDecideProcedure

func TestEachBadRequestGetsItsClearError(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	user := h.keys.token(t, "acme", "user")
	for _, tt := range []struct {
		name, path, token, body string
		status                  int
		code, message           string
	}{
		{"broken JSON", decide, user, `{"request":`, 400, "INVALID_REQUEST", "unexpected EOF"},
		{"empty body", decide, user, ``, 400, "INVALID_REQUEST", "the body is empty"},
		{"unknown field", decide, user, `{"request":{"capabillities":["detect"]}}`, 400, "INVALID_REQUEST", `unknown field "capabillities"`},
		{"wrong type", decide, user, `{"request":{"max_latency_ms":"fast"}}`, 400, "INVALID_REQUEST", `"fast"`},
		{"NaN", decide, user, `{"request":{"max_latency_ms":"NaN"}}`, 400, "INVALID_REQUEST", "request.max_latency_ms: "},
		{"infinite budget", decide, user, `{"request":{"budget":{"max_cost":"Infinity"}}}`, 400, "INVALID_REQUEST", "request.budget.max_cost: "},
		{"below the range", decide, user, `{"request":{"budget":{"max_cost":-1}}}`, 400, "INVALID_REQUEST", "request.budget.max_cost: "},
		{"wrong word", decide, user, `{"request":{"match":"some"}}`, 400, "INVALID_REQUEST", "request.match: "},
		{"two faults", decide, user, `{"request":{"match":"some","budget":{"max_cost":-1}}}`, 400, "INVALID_REQUEST", "; "},
		{"nothing asked", decide, user, `{}`, 400, "INVALID_REQUEST", "request: "},
		{"own principal", decide, user, `{"request":{"principal":{"subject":"root"}}}`, 400, "INVALID_REQUEST", "request.principal is set by the server"},
		{"10 MB", decide, user, `{"request":{"capabilities":["` + strings.Repeat("x", 10<<20) + `"]}}`, 400, "INVALID_REQUEST", "4194304 bytes"},
		{"unknown trace", caiov1connect.TraceServiceGetProcedure, user, `{"trace_id":"00"}`, 404, "TRACE_NOT_FOUND", `"00"`},
		{"unknown service", caiov1connect.RegistryServiceGetProcedure, user, `{"service_id":"two"}`, 404, "SERVICE_NOT_FOUND", `"two"`},
		{"foreign page token", caiov1connect.RegistryServiceListProcedure, user, `{"page_token":"?"}`, 400, "INVALID_REQUEST", "page_token"},
		{"foreign trace page token", caiov1connect.TraceServiceListProcedure, user, `{"page_token":"?"}`, 400, "INVALID_REQUEST", "page_token"},
		{"no token", decide, "", `{"request":{}}`, 401, "UNAUTHENTICATED", "a bearer token is required"},
		{"no role", decide, h.keys.token(t, "acme"), `{"request":{}}`, 403, "PERMISSION_DENIED", "admin, operator, user"},
		{"auditors do not ask", decide, h.keys.token(t, "acme", "auditor"), `{"request":{}}`, 403, "PERMISSION_DENIED", "auditor"},
		{"users do not remove", caiov1connect.RegistryServiceRemoveProcedure, user, `{"service_id":"one"}`, 403, "PERMISSION_DENIED", "admin, operator"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			response, body := post(t, h, tt.path, tt.token, tt.body)
			var e said
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("%s: %q: %v", response.Status, body, err)
			}
			if response.StatusCode != tt.status || len(e.Details) == 0 || e.Details[0].Type != "caio.v1.Error" {
				t.Fatalf("%s: %s, want %d and a caio.v1.Error", response.Status, body, tt.status)
			}
			d := e.Details[0].Debug
			if d.Code != tt.code || !strings.Contains(d.Message, tt.message) || d.Hint == "" || e.Message != d.Stage+": "+d.Message {
				t.Errorf("got %+v, want %s, a hint, and %q", e, tt.code, tt.message)
			}
		})
	}
	if response, body := post(t, h, decide, user, `{"request":{"capabilities":["detect"]}}`); response.StatusCode != http.StatusOK {
		t.Errorf("a good request after them all: %s %s", response.Status, body)
	}
}

func TestTheLimitHoldsForWhatUnfoldsOnEveryPath(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}, options: func(o *server.Options) { o.MaxBodyBytes = 1000 }})
	for path, body := range map[string]string{
		decide: `{"request":{"capabilities":["detect"]}}`,
		caiov1connect.SystemServiceHealthProcedure: `{}`,
		"/grpc.health.v1.Health/Check":             `{}`,
	} {
		for _, size := range []int{500, 5000} {
			var zipped bytes.Buffer
			z := gzip.NewWriter(&zipped)
			_, err := io.WriteString(z, body+strings.Repeat(" ", size-len(body)))
			must(t, errors.Join(err, z.Close()))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, &zipped)
			must(t, err)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Content-Encoding", "gzip")
			r.Header.Set("Authorization", "Bearer "+h.keys.token(t, "acme", "user"))
			if response, answer := do(t, h, r); (response.StatusCode == http.StatusOK) != (size < 1000) {
				t.Errorf("%s: %d bytes got %s: %s", path, size, response.Status, answer)
			}
		}
	}
}

func TestABodyOfAnotherTypeIsToldWhatToSend(t *testing.T) {
	h := newHouse(t, setup{})
	for _, contentType := range []string{"application/x-www-form-urlencoded", "text/plain", "application/xml", ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+decide, strings.NewReader(`{"request":{}}`))
		must(t, err)
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Authorization", "Bearer "+h.keys.token(t, "acme", "user"))
		if response, body := do(t, h, r); response.StatusCode != http.StatusBadRequest || !strings.Contains(body, "INVALID_REQUEST") ||
			!strings.Contains(body, "application/json") {
			t.Errorf("%q: %s: %q", contentType, response.Status, body)
		}
	}
}

func TestClientsThatSendEverythingBeforeTheyReadSeeTheError(t *testing.T) {
	h := newHouse(t, setup{})
	const size = 20 << 20
	for name, head := range map[string]string{
		"declared": fmt.Sprintf("Content-Length: %d\r\n\r\n", size),
		"chunked":  fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", size),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
			must(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "POST "+decide+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "+
				h.keys.token(t, "acme", "user")+"\r\n"+head)
			must(t, err)
			_, err = conn.Write(bytes.Repeat([]byte(" "), size))
			must(t, err)
			if name == "chunked" {
				_, err = io.WriteString(conn, "\r\n0\r\n\r\n")
				must(t, err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			defer response.Body.Close()
			if body, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(body), "limit of 4194304 bytes") {
				t.Errorf("%s: %s, %v", response.Status, body, err)
			}
		})
	}
}

func TestWhoAsksBeforeSendingIsSparedTheTrouble(t *testing.T) {
	h := newHouse(t, setup{})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST "+decide+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n")
	must(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "limit") {
		t.Errorf("%s: %s, %v", response.Status, body, err)
	}
}

func TestErrorsCarryTheirDetailOverEveryProtocol(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "required_trust_level: 9")}})
	nan := &caiov1.Request{MaxLatencyMs: new(math.NaN())}
	large := &caiov1.Request{Intent: &caiov1.Intent{Body: &caiov1.Intent_Payload{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{
		"text": structpb.NewStringValue(strings.Repeat("x", 5<<20))}}}}}
	for name, api := range protocols(h, h.keys.token(t, "acme", "user")) {
		for _, tt := range []struct {
			name    string
			request *caiov1.Request
			want    string
			code    connect.Code
		}{
			{"validation", nan, "INVALID_REQUEST", connect.CodeInvalidArgument},
			{"size", large, "INVALID_REQUEST", connect.CodeInvalidArgument},
			{"own principal", &caiov1.Request{Principal: &caiov1.Principal{}}, "INVALID_REQUEST", connect.CodeInvalidArgument},
			{"refusal", detection(), "SECURITY_VIOLATION", connect.CodePermissionDenied},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				_, err := api.Orchestrate(t.Context(), connect.NewRequest(&caiov1.OrchestrateRequest{Request: tt.request}))
				if e, code := errorOf(t, err); e.GetCode() != tt.want || code != tt.code || e.GetHint() == "" {
					t.Errorf("unary: got %v (%v), want %s (%v)", e, code, tt.want, tt.code)
				}
				_, _, err = receive(t, api, tt.request)
				if e, code := errorOf(t, err); e.GetCode() != tt.want || code != tt.code || e.GetHint() == "" {
					t.Errorf("stream: got %v (%v), want %s (%v)", e, code, tt.want, tt.code)
				}
			})
		}
	}
}

func TestARefusalTellsWhyEachCandidateFell(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "required_trust_level: 9"), service("two", "required_trust_level: 8")}})
	_, err := h.api(h.keys.token(t, "acme", "user")).Orchestrate(t.Context(), connect.NewRequest(&caiov1.OrchestrateRequest{Request: detection()}))
	e, _ := errorOf(t, err)
	if len(e.GetCandidates()) != 2 || len(e.GetCandidates()[0].GetReasons()) == 0 || e.GetTraceId() == "" {
		t.Errorf("got %v", e)
	}
}

func TestBadTokensAreRefusedAndSayWhatIsWrong(t *testing.T) {
	h := newHouse(t, setup{})
	good := h.keys.token(t, "acme", "user")
	stranger := newIssuer(t).token(t, "acme", "user")
	none := unsigned(t, good)
	for _, tt := range []struct{ name, authorization, want string }{
		{"expired", "Bearer " + h.keys.mint(t, "acme", time.Now().Add(-2*time.Hour), "user"), "expired"},
		{"alg none", "Bearer " + none, "algorithm"},
		{"another's key", "Bearer " + stranger, "key"},
		{"altered", "Bearer " + altered(t, good), "signature"},
		{"garbage", "Bearer garbage", "malformed"},
		{"another scheme", "Basic dTE6cGFzcw==", "bearer token"},
		{"empty", "Bearer ", "bearer token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+decide, strings.NewReader(`{"request":{}}`))
			must(t, err)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", tt.authorization)
			response, body := do(t, h, r)
			if response.StatusCode != http.StatusUnauthorized || !strings.Contains(body, tt.want) || !strings.Contains(body, "UNAUTHENTICATED") {
				t.Errorf("%s: %s, want 401 and %q", response.Status, body, tt.want)
			}
			if challenge := response.Header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, `Bearer realm="caio", error="`) {
				t.Errorf("challenge %q", challenge)
			}
			if secret := strings.TrimPrefix(tt.authorization, "Bearer "); secret != "" && strings.Contains(body+h.logs.String(), secret) {
				t.Error("the token is repeated in the answer or the log")
			}
		})
	}
}

// altered is token with another first character of its signature. The last ones would not do: what a signature ends in
// is so often the same that replacing it may change nothing.
func altered(t *testing.T, token string) string {
	t.Helper()
	i := strings.LastIndexByte(token, '.') + 1
	other := "A"
	if token[i] == 'A' {
		other = "B"
	}
	changed := token[:i] + other + token[i+1:]
	if changed == token || i == 0 {
		t.Fatal("the token was not altered")
	}
	return changed
}

// unsigned is token with its claims, but without a signature and an algorithm that says so.
func unsigned(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}

func TestTheBodyOfAStrangerIsNotRead(t *testing.T) {
	h := newHouse(t, setup{})
	// The body never ends: whoever waited for it would wait for ever.
	body, writer := io.Pipe()
	defer writer.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+decide, body)
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	response, err := h.http2.Do(r)
	must(t, err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s", response.Status)
	}
}

func TestInsecureDevLetsStrangersNameThemselves(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "required_trust_level: 9")}, options: func(o *server.Options) {
		o.Verifier, o.InsecureDev = nil, true
	}})
	if !strings.Contains(h.logs.String(), "INSECURE") {
		t.Error("the log says nothing of it")
	}
	api := h.api("")
	answer, err := api.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: detection()}))
	must(t, err)
	if answer.Msg.GetDecision().GetServiceId() != "one" {
		t.Errorf("the anonymous developer was refused: %v", answer.Msg.GetDecision().GetError())
	}
	named := detection()
	named.Principal = &caiov1.Principal{Subject: "weak", TrustLevel: 1, Authenticated: true}
	answer, err = api.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: named}))
	must(t, err)
	if got := answer.Msg.GetDecision().GetError().GetCode(); got != "SECURITY_VIOLATION" {
		t.Errorf("the principal of the request was not taken as it stands: %q", got)
	}
	if _, err := api.registry.Remove(t.Context(), connect.NewRequest(&caiov1.RemoveRequest{ServiceId: "one"})); err != nil {
		t.Errorf("the anonymous developer may not remove: %v", err)
	}
}

func TestInsecureDevStillHoldsTokensAgainstTheirSignature(t *testing.T) {
	h := newHouse(t, setup{options: func(o *server.Options) { o.InsecureDev = true }})
	_, err := h.api(newIssuer(t).token(t, "acme", "user")).Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: detection()}))
	if e, _ := errorOf(t, err); e.GetCode() != "UNAUTHENTICATED" {
		t.Errorf("got %v", e)
	}
}

// panics is a source of randomness that does what no source should.
type panics struct{}

func (panics) Read([]byte) (int, error) { panic("out of luck: hunter2") }

func TestAPanicIsOneErrorAndDisturbsNobody(t *testing.T) {
	h := newHouse(t, setup{rand: &engine.Options{Rand: panics{}}})
	for name, api := range protocols(h, h.keys.token(t, "", "admin")) {
		t.Run(name, func(t *testing.T) {
			_, err := api.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: detection()}))
			if e, _ := errorOf(t, err); e.GetCode() != "INTERNAL" || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
			_, _, err = receive(t, api, detection())
			if e, _ := errorOf(t, err); e.GetCode() != "INTERNAL" || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("stream: got %v", err)
			}
			if _, err := api.registry.List(t.Context(), connect.NewRequest(&caiov1.ListRequest{})); err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
	}
	if log := h.logs.String(); !strings.Contains(log, "level=ERROR msg=panic") || !strings.Contains(log, "goroutine") {
		t.Errorf("the log has no stack: %s", log)
	}
}

func TestTheLogNamesCallsButNoPayloads(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	request := detection()
	request.Intent = &caiov1.Intent{Body: &caiov1.Intent_Payload{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{
		"text": structpb.NewStringValue("secret words")}}}}
	answer, err := h.api(h.keys.token(t, "acme", "user")).Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: request}))
	must(t, err)
	log := h.logs.String()
	if !strings.Contains(log, "procedure="+decide+" code=OK trace_id="+answer.Msg.GetTraceId()) || strings.Contains(log, "secret words") {
		t.Errorf("log: %s", log)
	}
}

func TestTheCallersDeadlineReachesTheService(t *testing.T) {
	left := make(chan struct{})
	up := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // net/http notices that a client left only when its body is read
		<-r.Context().Done()
		close(left)
	})
	h := newHouse(t, setup{contracts: []string{reachable("one", up.URL, "")}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+caiov1connect.OrchestratorServiceOrchestrateProcedure,
		strings.NewReader(`{"request":{"capabilities":["detect"]}}`))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Connect-Timeout-Ms", "200")
	r.Header.Set("Authorization", "Bearer "+h.keys.token(t, "acme", "user"))
	if response, body := do(t, h, r); response.StatusCode != http.StatusGatewayTimeout || !strings.Contains(body, `"TIMEOUT"`) {
		t.Errorf("%s: %s, want 504 and TIMEOUT", response.Status, body)
	}
	<-left
}
