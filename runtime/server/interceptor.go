package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// edge is the outermost interceptor of every call: it gives every error its detail, and logs that the call was made.
type edge struct{ logger *slog.Logger }

func (e *edge) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		start := time.Now()
		var trace string
		response, err := next(ctx, req)
		if err == nil {
			if traced, ok := response.Any().(interface{ GetTraceId() string }); ok {
				trace = traced.GetTraceId()
			}
			e.log(ctx, req.Spec(), start, trace, nil)
			return response, nil
		}
		wire := e.encode(ctx, req.Spec(), err)
		e.log(ctx, req.Spec(), start, trace, wire)
		return nil, wire
	}
}

func (e *edge) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		start := time.Now()
		stream := &edgeConn{StreamingHandlerConn: conn}
		err := next(ctx, stream)
		if err == nil {
			e.log(ctx, conn.Spec(), start, stream.trace, nil)
			return nil
		}
		wire := e.encode(ctx, conn.Spec(), err)
		e.log(ctx, conn.Spec(), start, stream.trace, wire)
		return wire
	}
}

func (e *edge) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// encode maps err. What a caller is not told, the log is.
func (e *edge) encode(ctx context.Context, spec connect.Spec, err error) *connect.Error {
	wire := toConnect(err)
	if wire.Code() == connect.CodeInternal {
		e.logger.ErrorContext(ctx, "internal error", "procedure", spec.Procedure, "error", err)
	}
	return wire
}

func (e *edge) log(ctx context.Context, spec connect.Spec, start time.Time, trace string, wire *connect.Error) {
	if !e.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	code := "OK"
	if wire != nil {
		told := detail(wire)
		code = told.GetCode()
		if trace == "" {
			trace = told.GetTraceId()
		}
	}
	e.logger.DebugContext(ctx, "served", "procedure", spec.Procedure, "code", code, "trace_id", trace,
		"duration_ms", float64(time.Since(start).Microseconds())/1000)
}

// edgeConn notes the trace id of what is sent.
type edgeConn struct {
	connect.StreamingHandlerConn
	trace string
}

func (c *edgeConn) Send(message any) error {
	if m, ok := message.(*caiov1.OrchestrateStreamResponse); ok && m.GetResponse() != nil {
		c.trace = m.GetResponse().GetTraceId()
	}
	return c.StreamingHandlerConn.Send(message)
}

// reader refuses messages that could not be read; see poison.
type reader struct{}

func (reader) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if err := poisoned(req.Any()); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

func (reader) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, readerConn{conn})
	}
}

func (reader) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

type readerConn struct{ connect.StreamingHandlerConn }

func (c readerConn) Receive(message any) error {
	if err := c.StreamingHandlerConn.Receive(message); err != nil {
		return err
	}
	return poisoned(message)
}

// recovered turns a panic into an INTERNAL error. It is a fault of ours, so the log gets the stack; the value itself
// may hold what a caller sent and is told to nobody but the log.
func recovered(logger *slog.Logger) func(context.Context, connect.Spec, http.Header, any) error {
	return func(ctx context.Context, spec connect.Spec, _ http.Header, value any) error {
		logger.ErrorContext(ctx, "panic", "procedure", spec.Procedure, "value", fmt.Sprint(value), "stack", string(debug.Stack()))
		return newError(codeInternal, stageServe, "something went wrong inside", "the server's log says what")
	}
}
