package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// admit returns what a request of that durability waits for; empty: no trace of it is kept. It fails where that is not
// allowed, and where no trace can be kept, before anything is done that nothing would show.
func (e *Engine) admit(ctx context.Context, durability string) (trace.Durability, error) {
	until := trace.Queued
	switch durability {
	case "", "queued":
	case "durable":
		until = trace.Durable
	case "none":
		if e.opts.AllowUntraced {
			return "", nil
		}
		return "", fail("INVALID_REQUEST", "trace", "this server keeps a trace of every request", nil).
			hint("leave durability out; only a server started with --allow-untraced keeps none where that is asked")
	default:
		return "", fail("INVALID_REQUEST", "trace", fmt.Sprintf("there is no durability %.32q", durability), nil).
			hint("there are queued, durable and none")
	}
	err := e.opts.Traces.Admit(ctx)
	switch {
	case err == nil:
		return until, nil
	case errors.Is(err, trace.ErrFull):
		return "", fail("OVERLOADED", "trace", "no trace can be taken", err).hint("try again in a while")
	case ctx.Err() != nil:
		return "", unable("trace", "wait until a trace can be taken", err)
	}
	return "", unrecordable(err)
}

// unrecordable is the answer where a trace cannot be written.
func unrecordable(err error) *Error {
	return fail("UNAVAILABLE", "trace", "record the trace", err).hint("see the server's log; free space, or restart it")
}
