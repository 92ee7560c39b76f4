package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// An execution is one adapter at work for one caller. Not for concurrent use: it lives on the goroutine of Execute.
type execution struct {
	gateway *Gateway
	call    Call
	service *service

	body    *stream  // the streamed body being read; nil: none
	ended   bool     // a body that was to be streamed came whole: asking for its next frame brings the end
	asked   int      // HTTP actions so far
	calls   int32    // requests that went out
	status  int      // of the last answer
	sent    bool     // a delta was handed to the caller
	key     string   // names this execution to upstreams; made when first needed
	secrets []string // that were sent, to be kept out of what comes back
}

// run feeds the adapter with events until it is done.
func (x *execution) run(ctx context.Context) (*caiov1.Result, error) {
	var err error
	if x.service, err = x.gateway.services.get(x.call.Contract); err != nil {
		return nil, err
	}
	release, err := x.service.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	defer x.closeBody(false)
	intent, err := schema.JSON(x.call.Intent)
	if err != nil {
		return nil, broken(err, "service %s: %v", x.service.id, err)
	}
	ev := adapter.Event{Kind: adapter.KindStart, Intent: intent, Contract: x.service.start, Stream: x.call.Stream}
	var state []byte
	for steps := 0; ; {
		if ctx.Err() != nil {
			return nil, interrupted(ctx)
		}
		if ev.Kind != adapter.KindFrame {
			if steps++; steps > x.gateway.options.MaxSteps {
				return nil, broken(nil, "service %s: its adapter did not come to an end within %d steps", x.service.id, x.gateway.options.MaxSteps)
			}
		}
		reply, err := x.call.Adapter.Step(ctx, state, ev)
		if err != nil && ctx.Err() != nil {
			return nil, interrupted(ctx)
		}
		if err != nil {
			return nil, broken(err, "service %s: run its adapter: %v", x.service.id, err)
		}
		state = reply.State
		next, result, err := x.act(ctx, reply.Actions)
		if err != nil || result != nil {
			return result, err
		}
		ev = next
	}
}

// act does what the adapter asks for and returns the event that follows from it, or the result.
func (x *execution) act(ctx context.Context, actions []adapter.Action) (ev adapter.Event, result *caiov1.Result, err error) {
	var said *caiov1.Delta // and not handed on yet
	for i := range actions {
		a := &actions[i]
		if a.Kind == adapter.ActionEmit {
			if said, err = x.say(said, a.Data); err != nil {
				return ev, nil, err
			}
			continue
		}
		if err := x.emit(said); err != nil {
			return ev, nil, err
		}
		if i != len(actions)-1 {
			return ev, nil, broken(nil, "service %s: its adapter asked for more after an action that ends a step", x.service.id)
		}
		switch a.Kind {
		case adapter.ActionHTTP:
			x.closeBody(true)
			ev, err = x.fetch(ctx, a)
		case adapter.ActionWait:
			x.closeBody(true)
			ev, err = x.wait(ctx, time.Duration(a.DelayMS)*time.Millisecond)
		case adapter.ActionDone:
			if result, err = x.done(a.Data); err == nil {
				x.closeBody(true)
			}
		case adapter.ActionFail:
			x.closeBody(true)
			err = x.fail(a)
		default:
			err = broken(nil, "service %s: its adapter asked for an action of unknown kind %d", x.service.id, a.Kind)
		}
		return ev, result, err
	}
	if err := x.emit(said); err != nil {
		return ev, nil, err
	}
	ev, err = x.frame(ctx)
	return ev, nil, err
}

// say reads a delta and hands on the one said before it, unless both are one: of frames that came together each would cost
// the caller a message.
func (x *execution) say(before *caiov1.Delta, raw []byte) (*caiov1.Delta, error) {
	if x.call.Emit == nil {
		return nil, nil
	}
	delta := &caiov1.Delta{}
	if err := schema.ParseJSON(raw, delta); err != nil {
		return nil, broken(err, "service %s: its adapter emitted something else than a delta: %v", x.service.id, err)
	}
	if join(before, delta) {
		return before, nil
	}
	return delta, x.emit(before)
}

// join appends d to before and tells whether it could: where both are text, or both are thought, and nothing else.
func join(before, d *caiov1.Delta) bool {
	if before == nil || before.Data != nil || d.Data != nil || len(before.ToolCalls)+len(d.ToolCalls)+len(before.Audio)+len(d.Audio) > 0 {
		return false
	}
	if before.Reasoning == "" && d.Reasoning == "" {
		before.Text += d.Text
		return true
	}
	if before.Text == "" && d.Text == "" {
		before.Reasoning += d.Reasoning
		return true
	}
	return false
}

// emit hands a delta to the caller, if there is one.
func (x *execution) emit(delta *caiov1.Delta) error {
	if delta == nil {
		return nil
	}
	x.sent = true // even if Emit fails: something may have left
	if err := x.call.Emit(delta); err != nil {
		return &Error{Code: CodeCanceled, Message: "the caller stopped reading", cause: err}
	}
	return nil
}

// frame reads the next frame of the body.
func (x *execution) frame(ctx context.Context) (adapter.Event, error) {
	if x.body == nil {
		if x.ended {
			x.ended = false
			return adapter.Event{Kind: adapter.KindEnd}, nil
		}
		return adapter.Event{}, broken(nil, "service %s: its adapter asked for nothing while no body is being read", x.service.id)
	}
	name, data, err := x.body.frames.next()
	switch {
	case err == nil:
		ev := adapter.Event{Kind: adapter.KindFrame, Name: name, Data: x.redactBytes(data)}
		x.more(&ev)
		return ev, nil
	case errors.Is(err, io.EOF):
		x.closeBody(true)
		return adapter.Event{Kind: adapter.KindEnd}, nil
	}
	if ctx.Err() != nil {
		return adapter.Event{}, interrupted(ctx)
	}
	return adapter.Event{}, x.callError(x.body.host, x.body.failed(err), 1)
}

// more adds the frames that came with the one in ev. What is only tried out is seen frame by frame.
func (x *execution) more(ev *adapter.Event) {
	frames, here := x.body.frames.(hasty)
	batcher, takes := x.call.Adapter.(Batcher)
	if !here || !takes || !batcher.TakesMore() || x.gateway.dry != nil {
		return
	}
	for len(ev.More) < adapter.MaxMore {
		name, data, ok := frames.here()
		if !ok {
			return
		}
		ev.More = append(ev.More, adapter.Frame{Name: name, Data: x.redactBytes(data)})
	}
}

// wait lets time pass.
func (x *execution) wait(ctx context.Context, d time.Duration) (adapter.Event, error) {
	if dry := x.gateway.dry; dry != nil {
		dry.Waits = append(dry.Waits, d)
		return adapter.Event{Kind: adapter.KindTimer}, nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return adapter.Event{Kind: adapter.KindTimer}, nil
	case <-ctx.Done():
		return adapter.Event{}, interrupted(ctx)
	}
}

// done reads the result.
func (x *execution) done(raw []byte) (*caiov1.Result, error) {
	result := &caiov1.Result{}
	if err := schema.ParseJSON(raw, result); err != nil {
		return nil, broken(err, "service %s: its adapter returned something else than a result: %v", x.service.id, err)
	}
	if u := result.GetUsage(); min(u.GetInputTokens(), u.GetOutputTokens(), u.GetCachedInputTokens(), u.GetCacheWriteTokens(), u.GetReasoningTokens(), u.GetCharacters(), u.GetUnits()) < 0 || u.GetSeconds() < 0 {
		return nil, broken(nil, "service %s: its adapter returned a negative usage", x.service.id)
	}
	return result, nil
}

// fail is the adapter's own verdict. What it may say is limited: codes that speak of callers' rights or of this
// installation are not an adapter's to use.
func (x *execution) fail(a *adapter.Action) error {
	if x.gateway.dry != nil {
		x.gateway.dry.Said = true
	}
	e := &Error{Code: CodeExecution, Message: a.Message, Status: a.Status, Retryable: a.Retryable, Reason: a.Reason}
	switch a.Code {
	case CodeTransformation, CodeTimeout, CodeOverloaded, "INVALID_REQUEST", "UNAVAILABLE":
		e.Code = a.Code
	}
	switch e.Status {
	case 0: // the adapter says so before any call: this cannot be asked of the service
		e.Request = x.asked == 0 && (e.Code == CodeTransformation || e.Code == "INVALID_REQUEST")
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusUnavailableForLegalReasons:
		e.Request = !e.Retryable
	}
	if strings.TrimSpace(e.Message) == "" {
		e.Message = "the adapter gave no reason"
	}
	if status := strconv.Itoa(a.Status); a.Status != 0 && !strings.Contains(e.Message, status) {
		e.Message = "status " + status + ": " + e.Message
	}
	e.Message = fmt.Sprintf("service %s: %s", x.service.id, e.Message)
	return e
}

// closeBody ends the reading of a streamed body, if there is one. good: the upstream did its part.
func (x *execution) closeBody(good bool) {
	if x.body != nil {
		x.body.close(x.gateway, good)
	}
	x.body, x.ended = nil, false
}

// idempotencyKey names the current HTTP action: the same at every try, another for every action.
func (x *execution) idempotencyKey() string {
	if x.key == "" && x.gateway.dry != nil {
		x.key = "<made for each execution>" // so that the same files give the same bytes
	}
	if x.key == "" {
		x.key = rand.Text()
	}
	return x.key + "-" + strconv.Itoa(x.asked)
}

// explain turns any error of run into the *Error that the caller gets.
func (x *execution) explain(ctx context.Context, err error) error {
	var e *Error
	switch {
	case errors.As(err, &e):
	case ctx.Err() != nil:
		e = interrupted(ctx)
	default:
		e = &Error{Code: CodeExecution, Message: err.Error(), Retryable: true, cause: err}
	}
	out := *e // it may be shared
	out.Message, out.Hint = clean(e.Message, x.secrets), clean(e.Hint, x.secrets)
	out.Sent = x.sent
	return &out
}
