package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// put sends one contract, as its author wrote it, and returns what is in force then.
type put func(ctx context.Context, p *peer, source *caiov1.Source) (*caiov1.Service, error)

// putOutcome is what became of one file.
type putOutcome struct {
	File    string          `json:"file"`
	Service json.RawMessage `json:"service,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
	Faults  json.RawMessage `json:"faults,omitempty"`
}

// newPutCommand is a command that sends contracts: register or update.
func newPutCommand(verb, short, done string, send put) *cobra.Command {
	cmd := &cobra.Command{
		Use:   verb + " FILE...",
		Short: short,
		Long: short + `. Every file is tried; a file that is refused leaves the others in force. The exit code is 1 if the
server refused any, and 3 if one could not be read or sent.`,
		Example: "  caio service " + verb + " examples/contracts/*.yaml\n  caio service " + verb + " -    (reads YAML from standard input)",
		Args:    cobra.MinimumNArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		var first error
		outcomes := []putOutcome{}
		for _, file := range files {
			service, err := sendFile(ctx, cmd, peer, file, send)
			outcomes = append(outcomes, outcomeOf(file, service, err))
			if err != nil {
				explained := peer.explain(err)
				if first == nil {
					first = silently(explained)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "caio: %s: %v\n", file, explained)
				continue
			}
			if !out.json() {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s (revision %d)\n", done, service.GetContract().GetServiceId(),
					service.GetContract().GetVersion(), service.GetRevision())
			}
		}
		if out.json() {
			if err := document(cmd.OutOrStdout(), outcomes); err != nil {
				return err
			}
		}
		return first
	}
	return cmd
}

// silently is err's exit code without its text, which was printed already.
func silently(err error) error {
	var coded *exitError
	if errors.As(err, &coded) {
		return &exitError{coded.code, nil}
	}
	return &exitError{exitFailed, nil}
}

func sendFile(ctx context.Context, cmd *cobra.Command, p *peer, file string, send put) (*caiov1.Service, error) {
	content, err := readFileOrStdin(cmd.InOrStdin(), file)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	name := filepath.Base(file)
	if file == "-" {
		name = "stdin.yaml"
	}
	return send(ctx, p, &caiov1.Source{Content: content, Filename: name})
}

func outcomeOf(file string, service *caiov1.Service, err error) putOutcome {
	out := putOutcome{File: file}
	// What cannot be written as JSON came over the wire and was read from it; it can.
	if service != nil {
		out.Service, _ = schema.JSON(service)
	}
	if err == nil {
		return out
	}
	e := told(err)
	if e == nil {
		e = &caiov1.Error{Code: "UNAVAILABLE", Message: err.Error()}
	}
	out.Error, _ = schema.JSON(e)
	if faults := faultsOf(err); faults != nil {
		out.Faults, _ = schema.JSON(&caiov1.ValidateResponse{Faults: faults})
	}
	return out
}
