package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Codes that this package sets itself; the others come from the rooms below.
const (
	codeInvalidRequest   = "INVALID_REQUEST"
	codeInvalidContract  = "INVALID_CONTRACT"
	codeInvalidPolicy    = "INVALID_POLICY"
	codeInvalidAdapter   = "INVALID_ADAPTER"
	codeServiceNotFound  = "SERVICE_NOT_FOUND"
	codeTimeout          = "TIMEOUT"
	codeCanceled         = "CANCELED"
	codeUnauthenticated  = "UNAUTHENTICATED"
	codePermissionDenied = "PERMISSION_DENIED"
	codeTraceNotFound    = "TRACE_NOT_FOUND"
	codeUnavailable      = "UNAVAILABLE"
	codeOverloaded       = "OVERLOADED"
	codeInternal         = "INTERNAL"
)

// Stages that this package sets itself.
const (
	stageAuthenticate = "authenticate"
	stageRequest      = "request"
	stageContract     = "contract"
	stageRegistry     = "registry"
	stageTrace        = "trace"
	stagePolicy       = "policy"
	stageAdmin        = "admin"
	stageAdapter      = "adapter"
	stageServe        = "serve"
)

const hintSchema = "the messages are described in schema/proto/caio/v1; names are the proto's own, such as max_latency_ms"

// connectCode is the table from caio.v1.Error's code to connect's, and so to gRPC's status and, by connect's own
// table, to HTTP's. A code that is not listed is a fault of ours: INTERNAL.
//
// What no candidate may or can serve is FAILED_PRECONDITION: the request is well formed, and repeating it is of no use
// until contracts, policies or demands change. A service that broke its promise is ABORTED: another try may meet
// another service.
func connectCode(code string) connect.Code {
	switch code {
	case codeInvalidRequest, codeInvalidContract, codeInvalidPolicy, codeInvalidAdapter:
		return connect.CodeInvalidArgument // 400
	case codeServiceNotFound, codeTraceNotFound, "POLICY_NOT_FOUND":
		return connect.CodeNotFound // 404
	case "SERVICE_EXISTS":
		return connect.CodeAlreadyExists // 409
	case "NO_MATCHING_SERVICE", "RULE_VIOLATION", "BUDGET_EXCEEDED", "LATENCY_EXCEEDED", "ADAPTER_NOT_FOUND":
		return connect.CodeFailedPrecondition // 400
	case "SECURITY_VIOLATION", codePermissionDenied:
		return connect.CodePermissionDenied // 403
	case codeUnauthenticated:
		return connect.CodeUnauthenticated // 401
	case "GUARANTEE_VIOLATION":
		return connect.CodeAborted // 409
	case "EXECUTION_FAILED", "CIRCUIT_OPEN", codeUnavailable:
		return connect.CodeUnavailable // 503
	case codeTimeout:
		return connect.CodeDeadlineExceeded // 504
	case codeCanceled:
		return connect.CodeCanceled // 499
	case codeOverloaded:
		return connect.CodeResourceExhausted // 429
	default: // TRANSFORMATION_FAILED, INTERNAL
		return connect.CodeInternal // 500
	}
}

// retryAfter is how long a caller should wait before the same request may succeed; 0: not a matter of waiting.
func retryAfter(code string) time.Duration {
	switch code {
	case codeOverloaded:
		return time.Second
	case codeUnavailable, "CIRCUIT_OPEN":
		return 5 * time.Second
	default:
		return 0
	}
}

// newError is an error with one of the codes above.
func newError(code, stage, message, hint string) *connect.Error {
	return encode(&caiov1.Error{Code: code, Stage: stage, Message: message, Hint: hint})
}

// encode is e as it goes over the wire: "stage: message", e itself as the first detail, others after it.
func encode(e *caiov1.Error, others ...proto.Message) *connect.Error {
	text := e.GetMessage()
	if e.GetStage() != "" {
		text = e.GetStage() + ": " + text
	}
	out := connect.NewError(connectCode(e.GetCode()), errors.New(text))
	for _, m := range append([]proto.Message{e}, others...) {
		detail, err := connect.NewErrorDetail(m)
		if err != nil {
			// Only text that is not UTF-8 cannot be written; code and message still say what happened.
			continue
		}
		out.AddDetail(detail)
	}
	if wait := retryAfter(e.GetCode()); wait > 0 {
		out.Meta().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	return out
}

// toConnect is err as it goes over the wire. An error that says nothing to a caller, because it is not one of the
// house's, becomes INTERNAL without its text: that may hold anything.
func toConnect(err error) *connect.Error {
	var wire *connect.Error
	var invalid *protovalidate.ValidationError
	switch {
	case errors.As(err, &invalid):
		return newError(codeInvalidRequest, stageRequest, violations(invalid), hintSchema)
	case errors.As(err, &wire):
		if detail(wire) != nil {
			return wire
		}
		return adopt(wire)
	}
	if e := known(err); e != nil {
		return encode(e)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return newError(codeTimeout, stageServe, "the deadline passed before there was an answer", "allow more time")
	case errors.Is(err, context.Canceled):
		return newError(codeCanceled, stageServe, "the caller left before there was an answer", "")
	default:
		return newError(codeInternal, stageServe, "something went wrong inside", "the server's log says what")
	}
}

// adopt gives an error of connect itself, such as a body cut short, the detail that ours have. Its text describes the
// protocol, never a payload.
func adopt(wire *connect.Error) *connect.Error {
	code := codeInternal
	switch wire.Code() {
	case connect.CodeInvalidArgument, connect.CodeUnimplemented, connect.CodeResourceExhausted:
		code = codeInvalidRequest
	case connect.CodeCanceled:
		code = codeCanceled
	case connect.CodeDeadlineExceeded:
		code = codeTimeout
	}
	out := connect.NewError(wire.Code(), errors.New(stageServe+": "+wire.Message()))
	if d, err := connect.NewErrorDetail(&caiov1.Error{Code: code, Stage: stageServe, Message: wire.Message()}); err == nil {
		out.AddDetail(d)
	}
	return out
}

// detail is the caio.v1.Error in wire's details, or nil.
func detail(wire *connect.Error) *caiov1.Error {
	for _, d := range wire.Details() {
		m, err := d.Value()
		if err != nil {
			continue
		}
		if e, ok := m.(*caiov1.Error); ok {
			return e
		}
	}
	return nil
}

// violations names every field that broke a rule of the schema, and the rule, on one line.
func violations(err *protovalidate.ValidationError) string {
	texts := make([]string, 0, len(err.Violations))
	for _, v := range err.Violations {
		texts = append(texts, v.String())
	}
	return strings.Join(texts, "; ")
}

// known is what the rooms below say of err, or nil if it is none of theirs.
func known(err error) *caiov1.Error {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Detail
	}
	return nil
}
