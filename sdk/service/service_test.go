package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/sdk/service"
)

// echo is a real, small service: it returns its text, and does whatever its text asks for.
type echo struct {
	contract service.Contract
	entered  chan struct{} // told when "wait" was entered
	release  chan struct{} // ends "wait"
}

func (e *echo) Initialize(_ context.Context, contract service.Contract) error {
	if string(contract.Source) == "bad" {
		return errors.New("a contract this service cannot keep")
	}
	e.contract = contract
	return nil
}

func (e *echo) Execute(ctx context.Context, request service.Request) (service.Response, error) {
	var payload struct {
		Text       string  `json:"text"`
		Confidence float64 `json:"confidence"`
	}
	if err := request.DecodePayload(&payload); err != nil {
		return service.Response{}, err
	}
	switch payload.Text {
	case "panic":
		panic("secret of the stack")
	case "fault":
		return service.Response{}, errors.New("password=hunter2")
	case "nan":
		return service.Response{Output: map[string]any{"x": math.NaN()}}, nil
	case "own":
		return service.Response{}, &service.Error{Code: "too_sad", Message: "this text is too sad"}
	case "deadline":
		<-ctx.Done()
		return service.Response{}, ctx.Err()
	case "wait":
		e.entered <- struct{}{}
		<-e.release
	}
	return service.Response{
		Output:   map[string]any{"text": payload.Text},
		Metadata: map[string]any{"confidence": payload.Confidence},
		Usage:    &service.Usage{InputTokens: 1, OutputTokens: 2},
	}, nil
}

func (e *echo) VerifyGuarantees(_ context.Context, response service.Response) (service.Verification, error) {
	return e.contract.Guarantees.Verify(response), nil
}

func (e *echo) Health(context.Context) service.Health {
	if e.contract.MediaType == "down" {
		return service.Health{Message: "model is gone"}
	}
	return service.Health{OK: true}
}

var contract = service.Contract{Source: []byte("service_id: echo\n"), Guarantees: service.Guarantees{AccuracyMin: 0.9}}

func handler(t *testing.T, options service.Options) (http.Handler, *echo) {
	t.Helper()
	e := &echo{entered: make(chan struct{}), release: make(chan struct{})}
	if err := e.Initialize(t.Context(), contract); err != nil {
		t.Fatal(err)
	}
	return service.Handler(e, contract, options), e
}

func ask(t testing.TB, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestExecuteAnswersInTheDocumentedForm(t *testing.T) {
	h, _ := handler(t, service.Options{})
	w := ask(t, h, "POST", "/v1/execute", `{"intent":{"type":"echo","payload":{"text":"hello","confidence":0.95}},"context":{"priority":"high"}}`)
	want := `{"output":{"text":"hello"},"metadata":{"confidence":0.95},"usage":{"input_tokens":1,"output_tokens":2},"verification":{"kept":true,"violations":[]}}` + "\n"
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d %s\nwant 200 %s", w.Code, w.Body, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

func TestExecuteSaysWhichPromiseItsAnswerBroke(t *testing.T) {
	h, _ := handler(t, service.Options{})
	w := ask(t, h, "POST", "/v1/execute", `{"intent":{"payload":{"text":"hello","confidence":0.4}}}`)
	var got struct {
		Verification service.Verification `json:"verification"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	v := got.Verification
	if w.Code != 200 || v.Kept || len(v.Violations) != 1 || v.Violations[0].Guarantee != "accuracy" || *v.Violations[0].Observed != 0.4 {
		t.Errorf("%d %+v", w.Code, v)
	}
}

func TestEveryBadRequestGetsItsOwnError(t *testing.T) {
	for name, test := range map[string]struct {
		method, path, mediaType, body string
		status                        int
		code, message                 string
	}{
		"empty":              {"POST", "/v1/execute", "application/json", ``, 400, "invalid_request", "cut off"},
		"cut off":            {"POST", "/v1/execute", "application/json", `{"intent":{`, 400, "invalid_request", "cut off"},
		"not JSON":           {"POST", "/v1/execute", "application/json", `{'intent'}`, 400, "invalid_request", "byte 2"},
		"no intent":          {"POST", "/v1/execute", "application/json", `{}`, 400, "invalid_request", "intent is missing"},
		"no payload":         {"POST", "/v1/execute", "application/json", `{"intent":{}}`, 400, "invalid_request", "intent.payload is missing"},
		"unknown member":     {"POST", "/v1/execute", "application/json", `{"intent":{},"intend":1}`, 400, "invalid_request", `unknown field "intend"`},
		"unknown in payload": {"POST", "/v1/execute", "application/json", `{"intent":{"payload":{"texd":""}}}`, 400, "invalid_request", `unknown field "texd"`},
		"wrong type":         {"POST", "/v1/execute", "application/json", `{"intent":{"payload":{"text":7}}}`, 400, "invalid_request", "text: found number"},
		"two documents":      {"POST", "/v1/execute", "application/json", `{"intent":{}} {}`, 400, "invalid_request", "more than one"},
		"not UTF-8":          {"POST", "/v1/execute", "application/json", "{\"intent\":{\"type\":\"\xff\"}}", 400, "invalid_request", "UTF-8"},
		"too large":          {"POST", "/v1/execute", "application/json", `{"intent":{"type":"` + strings.Repeat("a", 2000) + `"}}`, 413, "too_large", "over 1000 bytes"},
		"a form":             {"POST", "/v1/execute", "application/x-www-form-urlencoded", `a=b`, 415, "media_type", "application/json"},
		"wrong method":       {"GET", "/v1/execute", "application/json", ``, 405, "method", "POST"},
		"wrong address":      {"GET", "/v1/nothing", "application/json", ``, 404, "not_found", "/v1/execute"},
		"verify nothing":     {"POST", "/v1/verify", "application/json", `{}`, 400, "invalid_request", "response is missing"},
		"negative latency":   {"POST", "/v1/verify", "application/json", `{"response":{},"latency_ms":-1}`, 400, "invalid_request", "latency_ms"},
		"a code of its own":  {"POST", "/v1/execute", "application/json", `{"intent":{"payload":{"text":"own"}}}`, 422, "too_sad", "too sad"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := handler(t, service.Options{MaxBodyBytes: 1000})
			r := httptest.NewRequestWithContext(t.Context(), test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.mediaType)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			wantError(t, w, test.status, test.code, test.message)
		})
	}
}

func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code, message string) {
	t.Helper()
	var got struct{ Error service.Error }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if w.Code != status || got.Error.Code != code || !strings.Contains(got.Error.Message, message) {
		t.Errorf("%d %+v, want %d %s ...%s...", w.Code, got.Error, status, code, message)
	}
}

func TestFaultsReachTheLogAndNotTheCaller(t *testing.T) {
	for text, secret := range map[string]string{"panic": "secret of the stack", "fault": "hunter2", "nan": "NaN"} {
		t.Run(text, func(t *testing.T) {
			var log bytes.Buffer
			h, _ := handler(t, service.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			w := ask(t, h, "POST", "/v1/execute", `{"intent":{"payload":{"text":"`+text+`"}}}`)
			wantError(t, w, 500, "internal", "log")
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the caller sees %s", w.Body)
			}
			if !strings.Contains(log.String(), secret) {
				t.Errorf("the log does not tell: %s", &log)
			}
		})
	}
}

func TestACallThatTakesTooLongIsATimeout(t *testing.T) {
	h, _ := handler(t, service.Options{Timeout: time.Millisecond})
	w := ask(t, h, "POST", "/v1/execute", `{"intent":{"payload":{"text":"deadline"}}}`)
	wantError(t, w, 504, "timeout", "1ms")
}

func TestCallsOverTheLimitAreRefusedAndTheRestFinish(t *testing.T) {
	h, e := handler(t, service.Options{MaxConcurrent: 1})
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- ask(t, h, "POST", "/v1/execute", `{"intent":{"payload":{"text":"wait"}}}`) }()
	<-e.entered
	w := ask(t, h, "POST", "/v1/execute", `{"intent":{"payload":{"text":"hello"}}}`)
	wantError(t, w, 503, "unavailable", "1 calls")
	if w.Header().Get("Retry-After") != "1" {
		t.Error("no Retry-After")
	}
	close(e.release)
	if w := <-first; w.Code != 200 {
		t.Errorf("first call: %d %s", w.Code, w.Body)
	}
	if w := ask(t, h, "POST", "/v1/execute", `{"intent":{"payload":{"text":"hello"}}}`); w.Code != 200 {
		t.Errorf("after: %d %s", w.Code, w.Body)
	}
}

func TestHealthTellsUpFromDown(t *testing.T) {
	h, e := handler(t, service.Options{})
	if w := ask(t, h, "GET", "/health", ""); w.Code != 200 || w.Body.String() != `{"status":"serving"}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	e.contract.MediaType = "down"
	if w := ask(t, h, "GET", "/health", ""); w.Code != 503 || w.Body.String() != `{"status":"down","message":"model is gone"}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestContractIsServedAsItWasWritten(t *testing.T) {
	h, e := handler(t, service.Options{})
	w := ask(t, h, "GET", "/contract", "")
	if w.Body.String() != "service_id: echo\n" || w.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	without := service.Handler(e, service.Contract{}, service.Options{})
	wantError(t, ask(t, without, "GET", "/contract", ""), 404, "not_found", "without a contract")
}

func TestVerifyJudgesAnAnswerOfExecuteAsItIs(t *testing.T) {
	h, _ := handler(t, service.Options{})
	answer := ask(t, h, "POST", "/v1/execute", `{"intent":{"payload":{"text":"hello","confidence":0.4}}}`)
	w := ask(t, h, "POST", "/v1/verify", `{"response":`+answer.Body.String()+`}`)
	var v service.Verification
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if w.Code != 200 || v.Kept || len(v.Violations) != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestGuaranteesHoldAnswersAgainstPromises(t *testing.T) {
	promised := service.Guarantees{AccuracyMin: 0.9, LatencyMax: 10 * time.Millisecond}
	for name, test := range map[string]struct {
		guarantees service.Guarantees
		confidence any
		latency    time.Duration
		broken     []string
	}{
		"kept":                      {promised, 0.9, 10 * time.Millisecond, nil},
		"nothing promised":          {service.Guarantees{}, nil, time.Hour, nil},
		"an int":                    {promised, 1, 0, nil},
		"too unsure":                {promised, 0.89, 0, []string{"accuracy"}},
		"confidence not stated":     {promised, nil, 0, []string{"accuracy"}},
		"confidence is no number":   {promised, "high", 0, []string{"accuracy"}},
		"confidence is NaN":         {promised, math.NaN(), 0, []string{"accuracy"}},
		"confidence over 1":         {promised, 95.0, 0, []string{"accuracy"}},
		"too slow":                  {promised, 0.9, 11 * time.Millisecond, []string{"latency"}},
		"both, accuracy first":      {promised, 0.1, time.Second, []string{"accuracy", "latency"}},
		"latency unknown is no sin": {promised, 0.9, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			response := service.Response{Metadata: map[string]any{"confidence": test.confidence}, Latency: test.latency}
			v := test.guarantees.Verify(response)
			var broken []string
			for _, violation := range v.Violations {
				broken = append(broken, violation.Guarantee)
			}
			if v.Kept != (len(test.broken) == 0) || !slices.Equal(broken, test.broken) {
				t.Errorf("%+v, want broken %v", v, test.broken)
			}
		})
	}
}

func TestServeLetsRunningCallsFinish(t *testing.T) {
	e := &echo{entered: make(chan struct{}), release: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- service.Serve(ctx, listener, e, contract, service.Options{}) }()
	url := "http://" + listener.Addr().String()

	type answer struct {
		status int
		body   string
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		response, err := http.Post(url+"/v1/execute", "application/json", strings.NewReader(`{"intent":{"payload":{"text":"wait","confidence":1}}}`))
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		answered <- answer{response.StatusCode, string(body), err}
	}()
	<-e.entered
	cancel()
	close(e.release)
	if a := <-answered; a.err != nil || a.status != 200 || !strings.Contains(a.body, `"text":"wait"`) {
		t.Errorf("the running call: %+v", a)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestServeSaysWhenACallOutlivesTheDrain(t *testing.T) {
	e := &echo{entered: make(chan struct{}), release: make(chan struct{})}
	defer close(e.release)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- service.Serve(ctx, listener, e, contract, service.Options{DrainTimeout: time.Millisecond})
	}()
	asked := make(chan error, 1)
	go func() {
		response, err := http.Post("http://"+listener.Addr().String()+"/v1/execute", "application/json", strings.NewReader(`{"intent":{"payload":{"text":"wait"}}}`))
		if err == nil {
			response.Body.Close()
		}
		asked <- err
	}()
	<-e.entered
	cancel()
	if err := <-served; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want a deadline", err)
	}
	if err := <-asked; err == nil {
		t.Error("the call was answered although its service never did")
	}
}

func TestRunStartsNothingThatCannotBeKept(t *testing.T) {
	err := service.Run(t.Context(), "127.0.0.1:0", &echo{}, service.Contract{Source: []byte("bad")}, service.Options{})
	if err == nil || !strings.Contains(err.Error(), "cannot keep") {
		t.Errorf("%v", err)
	}
	if err := service.Run(t.Context(), "no address", &echo{}, contract, service.Options{}); err == nil {
		t.Error("listened on no address")
	}
}

func FuzzEveryBodyGetsJSON(f *testing.F) {
	for _, seed := range []string{
		`{"intent":{"payload":{"text":"hello"}}}`, `{"intent":null}`, `[]`, `{"intent":{"payload":[]},"context":7}`, "\x00", `{"response":{"metadata":{"confidence":1e999}}}`, ``,
	} {
		f.Add(seed)
	}
	h := service.Handler(&shouter{guarantees: contract.Guarantees}, contract, service.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/v1/execute", "/v1/verify"} {
			w := ask(t, h, "POST", path, body)
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: %d %q is not JSON", path, w.Code, w.Body)
			}
			if w.Code >= 500 {
				t.Errorf("%s: a body makes the service fail: %s", path, w.Body)
			}
		}
	})
}
