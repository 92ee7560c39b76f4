package service

import (
	"errors"
	"fmt"
	"net/http"
)

// Codes of errors, and the HTTP status each is sent with.
const (
	CodeInvalidRequest = "invalid_request" // 400: the request is not what the service understands
	CodeNotFound       = "not_found"       // 404: no such address, or there is no contract
	CodeMethod         = "method"          // 405: the address is asked with another method
	CodeTooLarge       = "too_large"       // 413: the body is over Options.MaxBodyBytes
	CodeMediaType      = "media_type"      // 415: the body is not application/json
	CodeUnprocessable  = "unprocessable"   // 422: understood, but cannot be done for this input
	CodeInternal       = "internal"        // 500: a fault of the service
	CodeUnavailable    = "unavailable"     // 503: try again later
	CodeTimeout        = "timeout"         // 504: took longer than Options.Timeout
)

// statuses is the one table from code to HTTP status. A code that is not in it is the service's own, sent with 422.
var statuses = map[string]int{
	CodeInvalidRequest: http.StatusBadRequest,
	CodeNotFound:       http.StatusNotFound,
	CodeMethod:         http.StatusMethodNotAllowed,
	CodeTooLarge:       http.StatusRequestEntityTooLarge,
	CodeMediaType:      http.StatusUnsupportedMediaType,
	CodeUnprocessable:  http.StatusUnprocessableEntity,
	CodeInternal:       http.StatusInternalServerError,
	CodeUnavailable:    http.StatusServiceUnavailable,
	CodeTimeout:        http.StatusGatewayTimeout,
}

// Error is an error that callers see: {"error": {"code", "message"}}. It must hold no secret.
type Error struct {
	// Code is for programs: one of the codes above, or the service's own, which is sent with status 422.
	Code string `json:"code"`
	// Message is for people.
	Message string `json:"message"`
}

// Error returns "code: message".
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Invalid returns an *Error with CodeInvalidRequest.
func Invalid(format string, args ...any) error {
	return &Error{Code: CodeInvalidRequest, Message: fmt.Sprintf(format, args...)}
}

// Unprocessable returns an *Error with CodeUnprocessable.
func Unprocessable(format string, args ...any) error {
	return &Error{Code: CodeUnprocessable, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) status() int {
	if status, ok := statuses[e.Code]; ok {
		return status
	}
	return http.StatusUnprocessableEntity
}

// public returns what of err a caller may see. ok is false when err is none of the service's words and belongs into
// the log instead.
func public(err error) (visible *Error, ok bool) {
	if errors.As(err, &visible) {
		return visible, true
	}
	return &Error{Code: CodeInternal, Message: "the service could not answer; its log says why"}, false
}
