package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Run initializes service, listens on addr (host:port, port 0 picks a free one) and serves until ctx ends; see Serve.
// The address it listens on goes to Options.Logger; who must know it otherwise listens himself and calls Serve.
func Run(ctx context.Context, addr string, service Service, contract Contract, options Options) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	options.withDefaults().Logger.InfoContext(ctx, "listening", "address", listener.Addr().String())
	return Serve(ctx, listener, service, contract, options)
}

// Serve initializes service and serves it on listener, which it closes. When ctx ends it takes no more calls, lets the
// running ones finish for up to Options.DrainTimeout, and returns nil; it returns an error when initializing,
// accepting, or draining in time did not work. No goroutine of Serve outlives it, but an Execute that ignores its
// context may.
func Serve(ctx context.Context, listener net.Listener, service Service, contract Contract, options Options) error {
	defer listener.Close()
	options = options.withDefaults()
	if err := contained(func() error { return service.Initialize(ctx, contract) }); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	server := &http.Server{
		Handler:           Handler(service, contract, options),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       options.Timeout,
		// Counted from the header on: reading the body, the call, and its answer, be it "timeout", must fit in.
		WriteTimeout:   2*options.Timeout + 5*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(options.Logger.Handler(), slog.LevelWarn),
		// Calls end with their own deadline or their caller, not with ctx: draining lets them finish.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("accept on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), options.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("drain within %v: %w", options.DrainTimeout, err), server.Close())
	}
	<-served // http.ErrServerClosed: the goroutine is done
	return err
}
