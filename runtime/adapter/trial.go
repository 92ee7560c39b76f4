package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// A stranger's module is tried before the house takes it: a process of its own reads, compiles and runs it once, under limits of the
// system, so that what no check foresaw in the compiler ends that process and not the server. What it compiled is in the
// compile cache then, and loading it is cheap.

const (
	trialTime   = time.Minute // somebody waits for it; a module of 16 MB compiles in a few seconds
	trialCPU    = 40          // seconds of processor time
	trialMemory = 6 << 30     // bytes of addresses, of which Go's runtime and guests reserve more than they use
	trialFile   = 512 << 20   // bytes of one file, that is: of the compile cache's
)

// Verdict is what a trial writes: one JSON object. Empty fields mean that the module passed.
type Verdict struct {
	Rule    string `json:"rule,omitempty"` // as in RefusedError, or "trial" for a fault of ours, Message says which
	Message string `json:"message,omitempty"`
}

// Try is the child's half of a trial: it limits the process it runs in, for ever, reads a module from in, loads it, and writes
// the verdict to out. An error means that there is none. options are those of the server, so that both compile alike.
func Try(ctx context.Context, in io.Reader, out io.Writer, options Options) (err error) {
	if err := limitProcess(); err != nil {
		return fmt.Errorf("limit the trial: %w", err)
	}
	wasm, err := io.ReadAll(io.LimitReader(in, maxModuleBytes+1))
	if err != nil {
		return fmt.Errorf("read the module: %w", err)
	}
	r, err := Open(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	return json.NewEncoder(out).Encode(r.judge(ctx, wasm))
}

// judge loads a module and holds it to its first steps: one that crashes when it is asked for a plain chat would crash for callers.
func (r *Runtime) judge(ctx context.Context, wasm []byte) Verdict {
	m, err := r.Load(ctx, "trial", wasm)
	var refused *RefusedError
	var fault *GuestError
	switch {
	case errors.As(err, &refused):
		return Verdict{refused.Rule, refused.Message}
	case errors.As(err, &fault):
		return Verdict{"self-test", string(fault.Kind) + ": " + fault.Message}
	case err != nil:
		return Verdict{"trial", err.Error()}
	case errors.As(m.practice, &fault):
		return Verdict{"self-test", fmt.Sprintf("adapter %s: %s: %s", fault.Adapter, fault.Kind, fault.Message)}
	}
	return Verdict{}
}

// LoadTried loads a stranger's module, after Options.Trial found nothing wrong with it. One trial runs at a time. Errors are those
// of Load; the rule of a *RefusedError may be "self-test", when it failed its first steps, or "trial", when the trial itself
// came to no end: it took too long or too much. ctx ends a trial.
func (r *Runtime) LoadTried(ctx context.Context, name string, wasm []byte) (*Module, error) {
	if len(r.options.Trial) == 0 {
		return nil, errors.New("try an adapter module: no command is set for it")
	}
	if len(wasm) > maxModuleBytes {
		return nil, &RefusedError{name, "size", fmt.Sprintf("%d bytes, at most %d are allowed", len(wasm), maxModuleBytes)}
	}
	select {
	case r.trial <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another trial of an adapter: %w", ctx.Err())
	}
	verdict, err := r.try(ctx, wasm)
	<-r.trial
	switch {
	case err != nil:
		return nil, err
	case verdict.Rule != "":
		return nil, &RefusedError{name, verdict.Rule, verdict.Message}
	}
	return r.Load(ctx, name, wasm)
}

// try is the parent's half of a trial.
func (r *Runtime) try(ctx context.Context, wasm []byte) (Verdict, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, trialTime, errTrialTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.options.Trial[0], r.options.Trial[1:]...)
	cmd.Env = []string{} // the server's holds secrets
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(wasm)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil && context.Cause(ctx) == errTrialTime:
		return Verdict{"trial", "it was not compiled and tried within " + trialTime.String()}, nil
	case ctx.Err() != nil:
		return Verdict{}, fmt.Errorf("try an adapter module: %w", ctx.Err())
	case errors.As(err, &exit):
		return Verdict{"trial", fmt.Sprintf("the process that tried it ended by %v: it took more than %d s of processor time, or more than %d GB",
			exit.ProcessState, trialCPU, trialMemory>>30)}, nil
	case err != nil:
		return Verdict{}, fmt.Errorf("try an adapter module: %w", err)
	}
	var verdict Verdict
	if err := json.Unmarshal(out, &verdict); err != nil {
		return Verdict{}, fmt.Errorf("try an adapter module: read the verdict: %w", err)
	}
	return verdict, nil
}

var errTrialTime = errors.New("the trial's time is over")
