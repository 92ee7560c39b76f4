package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The codes of caio.v1.Error that an execution may end with.
const (
	CodeExecution      = "EXECUTION_FAILED"      // the service was not reached, refused, or answered with an error
	CodeTransformation = "TRANSFORMATION_FAILED" // the adapter broke down, or broke the protocol of steps
	CodeTimeout        = "TIMEOUT"               // a try took too long, or the deadline passed
	CodeCircuitOpen    = "CIRCUIT_OPEN"          // the service failed too often lately and is left alone for a while
	CodeOverloaded     = "OVERLOADED"            // the service is at its own limit of concurrent requests
	CodeCanceled       = "CANCELED"              // the caller no longer waits
)

// maxMessage bounds an Error's message and hint, in bytes: upstreams answer with whole web pages.
const maxMessage = 500

// Error is why an execution failed. It holds no secret and nothing of a payload but what the upstream itself said.
type Error struct {
	Code      string // one of the codes above, or what the adapter said: INVALID_REQUEST, UNAVAILABLE
	Message   string // for people: lower case, one line, valid UTF-8, at most 500 bytes
	Hint      string // what to do next; empty: nothing better is known
	Status    int    // the upstream's HTTP status; 0: it did not answer, or that is not why it failed
	Retryable bool   // another candidate may succeed
	Request   bool   // the request is at fault and not the service, which was not asked, or refused to do just this
	Reason    string // what the provider meant, as in caio.v1.Error; empty: not said
	Sent      bool   // a delta already reached the caller, so that nobody else may answer in this one's place

	cause error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns what caused it, nil when nothing else did: for errors.Is and errors.As, not for printing, because it
// may hold what an upstream sent.
func (e *Error) Unwrap() error { return e.cause }

// broken is an adapter's failure: it trapped, or asked for what the protocol does not allow. Another candidate may
// well use another adapter.
func broken(cause error, format string, args ...any) *Error {
	return &Error{Code: CodeTransformation, Message: fmt.Sprintf(format, args...), Retryable: true, cause: cause}
}

// refused is what the host does not do for this service, whoever asks: the service's configuration is at fault.
func refused(hint, format string, args ...any) *Error {
	return &Error{Code: CodeExecution, Message: fmt.Sprintf(format, args...), Hint: hint, Retryable: true}
}

// interrupted says why ctx, which is done, is done. Nobody waits for another candidate then.
func interrupted(ctx context.Context) *Error {
	e := &Error{Code: CodeCanceled, Message: "the caller canceled the request", cause: context.Cause(ctx)}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Code, e.Message = CodeTimeout, "the request's deadline passed"
		e.Hint = "allow more time (the call's own deadline), or demand a faster service (max_latency_ms)"
	}
	return e
}

// clean makes foreign text fit for an error message: secrets replaced, one line, valid UTF-8, cut to maxMessage.
func clean(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, redaction)
		}
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= maxMessage {
		return s
	}
	const more = "…"
	end := maxMessage - len(more)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}
