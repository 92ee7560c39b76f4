// Tour shows CAIO at work on a machine with nothing but this repository: it starts the example's services and
// `caio serve` on loopback, registers the contracts, sends a request for each story of examples/README.md, and prints
// who served it and why. Then it stays up, with the next commands to try, until it is interrupted.
//
//	make run                           builds and starts it
//	go run ./examples/tour -once       runs the stories, and exits with 1 if one did not go as it should
//
// Nothing of it is for show only: the services really listen, requests really travel through policies, adapter and
// gateway, every caller shows a token of his own, and every line has a trace that can be looked up.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// workflowsDir is where the workflows are, seen from the repository's root.
const workflowsDir = "examples/workflows"

type options struct {
	caio, addr, data, policies string
	once                       bool
	chat                       *chatServer // nil: there is none
}

func main() {
	o := options{}
	flag.StringVar(&o.caio, "caio", "bin/caio", "the caio program; `make build` makes it")
	flag.StringVar(&o.addr, "addr", "", "where caio serve listens (default 127.0.0.1:7400, a free port if that is taken)")
	flag.StringVar(&o.data, "data", ".caio", "directory for the registry, traces, keys, tokens and the log of caio serve")
	flag.StringVar(&o.policies, "policy-overlay", "examples/policies", "policies laid over the default ones")
	flag.BoolVar(&o.once, "once", false, "end after the stories; exit with 1 if one did not go as it should")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if o.chat, err = chatFromEnv(os.Getenv); err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

// run starts everything, tells the stories, stays, and takes everything down in the reverse order.
func run(ctx context.Context, o options, w io.Writer) (err error) {
	if err := ensure(o); err != nil {
		return err
	}
	fleet, err := startServices(ctx)
	if err != nil {
		return fmt.Errorf("start the services: %w", err)
	}
	defer func() { err = errors.Join(err, fleet.stop()) }()
	house, err := startHouse(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, house.stop()) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	operator, err := house.operator(ctx, transport)
	if err != nil {
		return err
	}
	stories, err := register(ctx, operator, fleet, o.chat)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d services are running and registered at %s (log: %s)\n\n", len(stories.services), house.url, house.logFile())
	rows, err := stories.tell(ctx, house, transport)
	if err != nil {
		return err
	}
	ran, err := tellChains(ctx, house, workflowsDir)
	if err != nil {
		return err
	}
	rows = append(rows, ran...)
	if err := table(w, rows); err != nil {
		return err
	}
	if err := verdict(w, rows); o.once {
		return err
	} else if err != nil {
		fmt.Fprintln(w, err)
	}
	nextSteps(w, o, house, rows)
	select {
	case <-ctx.Done():
		fmt.Fprintln(w, "\nstopping")
		return nil
	case err := <-fleet.failed:
		return cmp.Or(err, errors.New("a service ended by itself"))
	case <-house.ended:
		if ctx.Err() != nil {
			return nil // Ctrl-C reaches the child, too, and sometimes first
		}
		return fmt.Errorf("caio serve ended by itself; %s says why", house.logFile())
	}
}

// ensure checks what a newcomer may have forgotten, before anything is started.
func ensure(o options) error {
	if _, err := os.Stat(o.caio); err != nil {
		return fmt.Errorf("%w: run 'make build', or name the program with -caio", err)
	}
	if _, err := os.Stat(o.policies); err != nil {
		return fmt.Errorf("%w: run the tour in the repository's root", err)
	}
	return os.MkdirAll(o.data, 0o700)
}
