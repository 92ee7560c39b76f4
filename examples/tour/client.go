package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// A client calls the server as one principal.
type client struct {
	registry     caiov1connect.RegistryServiceClient
	orchestrator caiov1connect.OrchestratorServiceClient
}

func newClient(url, token string, transport http.RoundTripper) *client {
	httpClient := &http.Client{Transport: transport}
	bearer := connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			request.Header().Set("Authorization", "Bearer "+token)
			return next(ctx, request)
		}
	}))
	return &client{
		registry:     caiov1connect.NewRegistryServiceClient(httpClient, url, bearer),
		orchestrator: caiov1connect.NewOrchestratorServiceClient(httpClient, url, bearer),
	}
}

// put brings a contract into force, whether the service is known already or not.
func (c *client) put(ctx context.Context, filename string, content []byte) error {
	source := &caiov1.Source{Content: content, Filename: filename}
	_, err := c.registry.Register(ctx, connect.NewRequest(&caiov1.RegisterRequest{Form: &caiov1.RegisterRequest_Source{Source: source}}))
	if detail(err).GetCode() == "SERVICE_EXISTS" {
		_, err = c.registry.Update(ctx, connect.NewRequest(&caiov1.UpdateRequest{Form: &caiov1.UpdateRequest_Source{Source: source}}))
	}
	if err != nil {
		return fmt.Errorf("register %s: %w", filename, err)
	}
	return nil
}

// detail returns what the server said of err in its own form; nil for nil and for errors of anybody else.
func detail(err error) *caiov1.Error {
	var wire *connect.Error
	if !errors.As(err, &wire) {
		return nil
	}
	for _, d := range wire.Details() {
		if message, err := d.Value(); err == nil {
			if e, ok := message.(*caiov1.Error); ok {
				return e
			}
		}
	}
	return nil
}
