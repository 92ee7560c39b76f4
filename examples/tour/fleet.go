package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/smarthausgroup/caio/examples/services"
	"github.com/smarthausgroup/caio/sdk/service"
)

// A fleet is the example's services, each listening on a free port of loopback.
type fleet struct {
	members []member
	failed  chan error // receives once, when the first service ends although nobody stopped it
	cancel  context.CancelFunc
	group   *errgroup.Group
}

type member struct {
	services.Service
	url string
}

func startServices(ctx context.Context) (*fleet, error) {
	all, err := services.All()
	if err != nil {
		return nil, err
	}
	// The services outlive ctx: caio serve goes first, so that its running requests can finish.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &fleet{cancel: cancel, group: &errgroup.Group{}, failed: make(chan error, len(all))}
	for _, s := range all {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, f.stop())
		}
		f.members = append(f.members, member{s, "http://" + listener.Addr().String()})
		f.group.Go(func() error {
			err := service.Serve(ctx, listener, s.New(), s.ForService(), service.Options{})
			if err != nil {
				err = fmt.Errorf("%s: %w", s.ServiceID, err)
				f.failed <- err
			}
			return err
		})
	}
	return f, nil
}

// stop ends every service and waits for it.
func (f *fleet) stop() error {
	f.cancel()
	return f.group.Wait()
}
