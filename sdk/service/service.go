// Package service is what the author of an AI service builds on: write the four methods of Service, hand them and the
// service's contract to Run, and the service answers over HTTP in the form that CAIO's generic adapter ("http") speaks.
//
// The package hides the HTTP: routing, strict JSON, size limits, deadlines, panics, draining. It guarantees that every
// answer is JSON, that an error never carries more than its author put into it, and that no goroutine outlives Serve.
// It stands on the standard library alone and imports nothing of CAIO, so a service can be built, tested and shipped
// without it.
//
// # Over the wire
//
//	POST /v1/execute  {"intent": {"type": "...", "payload": {...}}, "context": {...}}
//	  200             {"output": {...}, "metadata": {...}, "usage": {"input_tokens": 0, "output_tokens": 0},
//	                   "verification": {"kept": true, "violations": []}}
//	POST /v1/verify   {"response": {"output": {...}, "metadata": {...}}, "latency_ms": 1.5}
//	  200             {"kept": false, "violations": [{"guarantee": "accuracy", "property": "confidence",
//	                   "promised": 0.95, "observed": 0.4, "message": "..."}]}
//	GET /health       200 {"status": "serving"}, 503 {"status": "down", "message": "..."}
//	GET /contract     the contract's own bytes
//
// Every error is {"error": {"code": "...", "message": "..."}} with the status of its code; see Error. A request may
// hold no unknown member, no second document, no invalid UTF-8, and not more than Options.MaxBodyBytes.
//
// # Who checks what
//
// A service verifies its own answers (VerifyGuarantees) and says in the answer what it found; it sends the answer all
// the same. Whether a broken guarantee is an error, a reason to ask another service, or to be accepted is decided by
// the policies of whoever called, which measure for themselves.
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
//		defer stop()
//		contract := service.Contract{Source: source, Guarantees: service.Guarantees{AccuracyMin: 0.95}}
//		if err := service.Run(ctx, "127.0.0.1:7411", detector{}, contract, service.Options{}); err != nil {
//			log.Fatal(err)
//		}
//	}
package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Service does the work. Serve calls Initialize once, before anything else; the other methods are called from many
// goroutines at once and must return soon after ctx ends.
type Service interface {
	// Initialize prepares for serving: loads models, checks that contract is one it can keep. An error keeps the
	// service from starting.
	Initialize(ctx context.Context, contract Contract) error
	// Execute does what the request's intent asks for. An *Error reaches the caller as it is; any other error becomes
	// CodeInternal with a message that says nothing, and goes to the log.
	Execute(ctx context.Context, request Request) (Response, error)
	// VerifyGuarantees says whether response keeps what the contract promises. Contract.Guarantees.Verify is the usual
	// body. An error means that it could not be found out.
	VerifyGuarantees(ctx context.Context, response Response) (Verification, error)
	// Health says whether Execute would work now. It is asked often and should be quick.
	Health(ctx context.Context) Health
}

// Contract is the service's contract: its bytes as they were written, and those promises that a service can check of a
// single answer. The bytes may be YAML or CUE, which the standard library does not read, so the promises are given
// beside them; `caio contract check` judges the bytes.
type Contract struct {
	// Source is served by GET /contract as it is. Empty: there is none, and GET /contract answers CodeNotFound.
	Source []byte
	// MediaType of Source. Empty: "application/yaml".
	MediaType string
	// Guarantees are the promises that are checked. The zero value promises nothing.
	Guarantees Guarantees
}

// Request is one thing to be done.
type Request struct {
	// Intent says what.
	Intent Intent `json:"intent"`
	// Context is a JSON object of circumstances. Nil: none were sent.
	Context json.RawMessage `json:"context,omitempty"`
}

// Intent says what is to be done; it has the names of CAIO's own intent. Payload carries any service's own form; the
// others are the typed forms, and a service reads the one it understands. Nil: not sent.
type Intent struct {
	// Type of work, such as "language_detection". Empty: not stated.
	Type string `json:"type,omitempty"`
	// Domain of work. Empty: none.
	Domain string `json:"domain,omitempty"`
	// Payload is a JSON object of the service's own form.
	Payload json.RawMessage `json:"payload,omitempty"`

	Chat          json.RawMessage `json:"chat,omitempty"`
	Embedding     json.RawMessage `json:"embedding,omitempty"`
	Search        json.RawMessage `json:"search,omitempty"`
	Speech        json.RawMessage `json:"speech,omitempty"`
	Transcription json.RawMessage `json:"transcription,omitempty"`
	Image         json.RawMessage `json:"image,omitempty"`
	Code          json.RawMessage `json:"code,omitempty"`
}

// Response is what came of a request.
type Response struct {
	// Output is the answer, in the service's own form. Nil is sent as {}.
	Output map[string]any `json:"output"`
	// Metadata is what the service says of its answer. Guarantee policies read it: "confidence" in [0, 1], for
	// instance, is held against the promised accuracy. Nil is sent as {}.
	Metadata map[string]any `json:"metadata"`
	// Usage is what was consumed. Nil: not counted.
	Usage *Usage `json:"usage,omitempty"`
	// Latency is how long Execute took. The server sets it before VerifyGuarantees; zero: unknown.
	Latency time.Duration `json:"-"`
}

// Usage counts tokens, both >= 0.
type Usage struct {
	InputTokens  int `json:"input_tokens"`
	OutputTokens int `json:"output_tokens"`
}

// Health says whether a service can serve.
type Health struct {
	// OK: Execute would work now. The zero value says it would not.
	OK bool
	// Message is for people, when it is not.
	Message string
}

// DecodePayload reads the intent's payload into v, a pointer to a struct with JSON tags. A missing payload, an unknown
// member and a value of the wrong type are *Error with CodeInvalidRequest.
func (r Request) DecodePayload(v any) error {
	if len(r.Intent.Payload) == 0 {
		return Invalid("intent.payload is missing")
	}
	if err := decodeStrict(r.Intent.Payload, v); err != nil {
		return Invalid("intent.payload: %v", err)
	}
	return nil
}

// decodeStrict reads exactly one JSON document without unknown members.
func decodeStrict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return describe(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON document")
	}
	return nil
}

// describe rewrites encoding/json's errors, which name Go types, for a caller who knows only JSON.
func describe(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s: found %s where another type is expected", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("found %s where another type is expected", kind.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON document is cut off")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not JSON at byte %d: %v", syntax.Offset, syntax)
	}
	// What is left is `json: unknown field "x"`.
	return errors.New(trimJSON(err.Error()))
}

func trimJSON(s string) string {
	const prefix = "json: "
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):]
	}
	return s
}
