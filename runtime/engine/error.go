package engine

import (
	"context"
	"errors"

	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Error is every error of this package's door: what happened (Code), where (Stage), what to do (Hint), and, when
// candidates fell, why each did. It holds no secret and no payload.
type Error struct {
	Detail *caiov1.Error // never nil
	cause  error
}

// Error returns "stage: message".
func (e *Error) Error() string { return e.Detail.GetStage() + ": " + e.Detail.GetMessage() }

// Unwrap returns what caused e, nil if nothing did.
func (e *Error) Unwrap() error { return e.cause }

func fail(code, stage, message string, cause error) *Error {
	if cause != nil {
		message += ": " + cause.Error()
	}
	return &Error{&caiov1.Error{Code: code, Stage: stage, Message: message}, cause}
}

func (e *Error) hint(hint string) *Error {
	e.Detail.Hint = hint
	return e
}

// unable classifies an error of deciding: a caller that left, a deadline, or a fault of the house.
func unable(stage, message string, err error) *Error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fail("TIMEOUT", stage, message, err)
	case errors.Is(err, context.Canceled):
		return fail("CANCELED", stage, message, err)
	}
	return fail("INTERNAL", stage, message, err)
}

// fromGateway tells what an execution's error means to a caller.
func fromGateway(err error) *Error {
	var ge *gateway.Error
	if !errors.As(err, &ge) {
		return unable("execute", "execute", err)
	}
	return &Error{&caiov1.Error{Code: ge.Code, Stage: "execute", Message: ge.Message, Hint: ge.Hint, Reason: ge.Reason}, err}
}
