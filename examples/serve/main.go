// Serve runs the example's services until it is interrupted.
//
//	go run ./examples/serve                                    all of them, each where its contract says
//	go run ./examples/serve detect-fast summarize              some of them
//	go run ./examples/serve -addr 127.0.0.1:0 detect-fast      one of them somewhere else; 0 picks a free port
//
// It prints the address of each service on standard output and logs to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/smarthausgroup/caio/examples/services"
	"github.com/smarthausgroup/caio/sdk/service"
)

func main() {
	addr := flag.String("addr", "", "where to listen, host:port; for one service only (default: where its contract says)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, addr string, ids []string) error {
	chosen, err := choose(ids)
	if err != nil {
		return err
	}
	if addr != "" && len(chosen) != 1 {
		return errors.New("-addr is for one service: name it")
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range chosen {
		at := addr
		if at == "" {
			u, err := url.Parse(s.BaseURL)
			if err != nil {
				return fmt.Errorf("contract %s: %w", s.File, err)
			}
			at = u.Host
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
		if err != nil {
			cancel() // the services that listen already
			return errors.Join(err, group.Wait())
		}
		fmt.Fprintf(w, "%-16s http://%s\n", s.ServiceID, listener.Addr())
		group.Go(func() error {
			options := service.Options{Logger: log.With("service", s.ServiceID)}
			if err := service.Serve(ctx, listener, s.New(), s.ForService(), options); err != nil {
				return fmt.Errorf("%s: %w", s.ServiceID, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// choose returns the services of these ids, all for none.
func choose(ids []string) ([]services.Service, error) {
	all, err := services.All()
	if err != nil || len(ids) == 0 {
		return all, err
	}
	var chosen []services.Service
	for _, id := range ids {
		i := slices.IndexFunc(all, func(s services.Service) bool { return s.ServiceID == id })
		if i < 0 {
			return nil, fmt.Errorf("there is no service %q; there are %v", id, names(all))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func names(all []services.Service) []string {
	var names []string
	for _, s := range all {
		names = append(names, s.ServiceID)
	}
	return names
}
