package adapter

import (
	"errors"
	"strconv"
)

// served is what Serve offered. The exports of a Wasm module are plain functions, so this cannot be handed to them; it is
// written during initialization only, and a guest has one thread.
var served []Adapter

// Serve offers adapters to the host. Call it once, from an init function of package main: the host runs a module's
// initialization and its exports, never main. It panics on a bad or repeated name, which makes the host refuse the module.
// Natively it only checks.
func Serve(adapters ...Adapter) {
	if served != nil {
		panic("adapter: Serve was called twice")
	}
	seen := map[string]bool{}
	for _, a := range adapters {
		name := a.Info().Name
		if !validName(name) {
			panic("adapter: name " + strconv.Quote(name) + " is not [a-z0-9_-]{1,64}")
		}
		if seen[name] {
			panic("adapter: name " + strconv.Quote(name) + " is used twice")
		}
		seen[name] = true
	}
	served = adapters
}

func validName(name string) bool {
	if len(name) == 0 || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// Run answers one event as the host would see it: errors and panics have become a fail action. Tests of adapters call it
// natively. Safe for concurrent use if the adapter is pure, as it must be.
func Run(a Adapter, state []byte, ev *Event) Reply {
	if b, ok := a.(Batcher); ok && len(ev.more) > 0 {
		return run(func() (Reply, error) {
			return b.StepFrames(state, append([]Frame{{ev.Name, ev.Data}}, ev.more...))
		})
	}
	reply := runStep(a, state, ev)
	for _, f := range ev.more {
		if n := len(reply.Actions); n > 0 && reply.Actions[n-1].Kind != ActionEmit {
			break // it is over
		}
		next := runStep(a, reply.State, &Event{Kind: ev.Kind, Name: f.Name, Data: f.Data})
		reply.State, reply.Actions = next.State, append(reply.Actions, next.Actions...)
	}
	return reply
}

func runStep(a Adapter, state []byte, ev *Event) Reply {
	if ev.Kind < KindStart || ev.Kind > KindTimer {
		return fail(unknownEvent(ev.Kind))
	}
	return run(func() (Reply, error) {
		reply, err := a.Step(state, ev)
		if err != nil {
			reply = Reply{}
		}
		return reply, err
	})
}

// run makes a fail action of an error or a panic, behind what was emitted.
func run(step func() (Reply, error)) (reply Reply) {
	defer func() {
		if cause := recover(); cause != nil {
			reply = fail(errors.New("the adapter panicked: " + panicText(cause)))
		}
	}()
	reply, err := step()
	if err != nil {
		return Reply{Actions: append(reply.Actions, fail(err).Actions...)}
	}
	return reply
}

func fail(err error) Reply {
	f := &Failure{}
	if !errors.As(err, &f) {
		// The adapter is at a loss; another one may not be.
		f = &Failure{Message: err.Error(), Retryable: true}
	}
	if f.Code == "" {
		f.Code = ExecutionFailed
	}
	return Do(Action{Kind: ActionFail, Code: f.Code, Message: f.Message, Status: f.Status, Retryable: f.Retryable, Reason: f.Reason})
}

func panicText(cause any) string {
	switch cause := cause.(type) {
	case error:
		return clip(cause.Error())
	case string:
		return clip(cause)
	}
	return "a value that is no text"
}

// step answers one call document among adapters. What cannot be read is the host's fault, and answered with a failure.
func step(out *Encoder, adapters []Adapter, doc []byte) {
	out.Reset()
	c, err := decodeCall(doc)
	if err != nil {
		encodeReply(out, fail(err))
		return
	}
	for _, a := range adapters {
		if a.Info().Name == c.adapter {
			encodeReply(out, Run(a, c.state, &c.event))
			return
		}
	}
	encodeReply(out, fail(errors.New("this module has no adapter "+strconv.Quote(clip(c.adapter)))))
}
