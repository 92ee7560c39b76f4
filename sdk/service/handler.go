package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"
	"unicode/utf8"
)

// Options tune a server. The zero value is a good default.
type Options struct {
	// MaxBodyBytes is the largest request body. 0: 1 MiB.
	MaxBodyBytes int64
	// Timeout ends the context of one call. 0: 30 s.
	Timeout time.Duration
	// MaxConcurrent calls of Execute run at once; more are refused with CodeUnavailable. State the same number as
	// constraints.max_concurrent_requests in the contract. 0: no limit.
	MaxConcurrent int
	// DrainTimeout is how long Serve waits for running calls after its context ended. 0: 10 s.
	DrainTimeout time.Duration
	// Logger gets faults of the service: panics, errors that are not *Error. Never payloads. Nil: none are logged.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxBodyBytes <= 0 {
		o.MaxBodyBytes = 1 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.DrainTimeout <= 0 {
		o.DrainTimeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Handler returns the HTTP face of a service that was initialized already; Serve and Run do that themselves. It starts
// no goroutine and is safe for concurrent use.
func Handler(service Service, contract Contract, options Options) http.Handler {
	h := &handler{service: service, contract: contract, options: options.withDefaults()}
	if n := h.options.MaxConcurrent; n > 0 {
		h.slots = make(chan struct{}, n)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/execute", h.calls(h.execute))
	mux.Handle("POST /v1/verify", h.calls(h.verify))
	mux.Handle("GET /health", h.calls(h.health))
	mux.Handle("GET /contract", h.calls(h.document))
	// Without these the mux would answer in plain text.
	mux.Handle("/v1/execute", h.calls(wrongMethod(http.MethodPost)))
	mux.Handle("/v1/verify", h.calls(wrongMethod(http.MethodPost)))
	mux.Handle("/health", h.calls(wrongMethod(http.MethodGet)))
	mux.Handle("/contract", h.calls(wrongMethod(http.MethodGet)))
	mux.Handle("/", h.calls(unknownAddress))
	return mux
}

type handler struct {
	service  Service
	contract Contract
	options  Options
	slots    chan struct{} // one entry for each running Execute; nil: no limit
}

// calls wraps one address: deadline, panics, and the one place where an error is written.
func (h *handler) calls(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), h.options.Timeout)
		defer cancel()
		err := contained(func() error { return serve(w, r.WithContext(ctx)) })
		if err == nil {
			return
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = &Error{Code: CodeTimeout, Message: fmt.Sprintf("not done within %v", h.options.Timeout)}
		}
		visible, ok := public(err)
		if !ok && r.Context().Err() == nil { // a caller who left is no fault of the service
			h.options.Logger.ErrorContext(ctx, "call failed", "path", r.URL.Path, "error", err)
		}
		write(w, visible.status(), map[string]*Error{"error": visible})
	})
}

// contained turns a panic of the service into an error with its stack. The server's own abort passes through.
func contained(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}

// executed is a response with what the service itself found of it.
type executed struct {
	Response
	Verification *Verification `json:"verification,omitempty"`
}

func (h *handler) execute(w http.ResponseWriter, r *http.Request) error {
	if h.slots != nil {
		select {
		case h.slots <- struct{}{}:
			defer func() { <-h.slots }()
		default:
			w.Header().Set("Retry-After", "1")
			return &Error{Code: CodeUnavailable, Message: fmt.Sprintf("%d calls are running already", h.options.MaxConcurrent)}
		}
	}
	var request struct {
		Intent  *Intent         `json:"intent"`
		Context json.RawMessage `json:"context"`
	}
	if err := h.read(w, r, &request); err != nil {
		return err
	}
	if request.Intent == nil {
		return Invalid("intent is missing")
	}
	started := time.Now()
	response, err := h.service.Execute(r.Context(), Request{Intent: *request.Intent, Context: request.Context})
	if err != nil {
		return err
	}
	response.Latency = time.Since(started)
	verification, err := h.service.VerifyGuarantees(r.Context(), response)
	if err != nil {
		return fmt.Errorf("verify guarantees: %w", err)
	}
	return write(w, http.StatusOK, executed{response.filled(), verification.filled()})
}

func (h *handler) verify(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		Response *struct {
			Output       map[string]any  `json:"output"`
			Metadata     map[string]any  `json:"metadata"`
			Usage        *Usage          `json:"usage"`
			Verification json.RawMessage `json:"verification"` // an answer of /v1/execute may be handed in as it is
		} `json:"response"`
		LatencyMS float64 `json:"latency_ms"`
	}
	if err := h.read(w, r, &request); err != nil {
		return err
	}
	if request.Response == nil {
		return Invalid("response is missing")
	}
	if request.LatencyMS < 0 || request.LatencyMS > float64(24*time.Hour/time.Millisecond) {
		return Invalid("latency_ms: %v is not between 0 and one day", request.LatencyMS)
	}
	response := Response{Output: request.Response.Output, Metadata: request.Response.Metadata, Usage: request.Response.Usage}
	response.Latency = time.Duration(request.LatencyMS * float64(time.Millisecond))
	verification, err := h.service.VerifyGuarantees(r.Context(), response)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, verification.filled())
}

func (h *handler) health(w http.ResponseWriter, r *http.Request) error {
	type answer struct {
		Status  string `json:"status"`
		Message string `json:"message,omitempty"`
	}
	health := h.service.Health(r.Context())
	if !health.OK {
		return write(w, http.StatusServiceUnavailable, answer{"down", health.Message})
	}
	return write(w, http.StatusOK, answer{Status: "serving"})
}

func (h *handler) document(w http.ResponseWriter, _ *http.Request) error {
	if len(h.contract.Source) == 0 {
		return &Error{Code: CodeNotFound, Message: "this service was started without a contract"}
	}
	mediaType := h.contract.MediaType
	if mediaType == "" {
		mediaType = "application/yaml"
	}
	w.Header().Set("Content-Type", mediaType)
	_, _ = w.Write(h.contract.Source) // the caller left: nobody is there to be told
	return nil
}

func wrongMethod(allowed string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allowed)
		return &Error{Code: CodeMethod, Message: fmt.Sprintf("%s is answered for %s only", r.URL.Path, allowed)}
	}
}

func unknownAddress(_ http.ResponseWriter, _ *http.Request) error {
	return &Error{Code: CodeNotFound, Message: "known are POST /v1/execute, POST /v1/verify, GET /health, GET /contract"}
}

// read decodes the body of r into v, strictly.
func (h *handler) read(w http.ResponseWriter, r *http.Request, v any) error {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return &Error{Code: CodeMediaType, Message: "the body must be application/json"}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.options.MaxBodyBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("the body is over %d bytes", large.Limit)}
	case err != nil:
		return Invalid("the body could not be read to its end")
	case !utf8.Valid(raw):
		return Invalid("the body is not UTF-8")
	}
	if err := decodeStrict(raw, v); err != nil {
		return Invalid("%v", err)
	}
	return nil
}

// write encodes before it sends, so that a value which is no JSON (NaN, a channel) becomes an error and not half an
// answer.
func write(w http.ResponseWriter, status int, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the caller left: nobody is there to be told
	return nil
}

func (r Response) filled() Response {
	if r.Output == nil {
		r.Output = map[string]any{}
	}
	if r.Metadata == nil {
		r.Metadata = map[string]any{}
	}
	return r
}

func (v Verification) filled() *Verification {
	if v.Violations == nil {
		v.Violations = []Violation{}
	}
	return &v
}
