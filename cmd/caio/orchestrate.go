package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newOrchestrateCommand() *cobra.Command {
	var file, durability string
	var seed uint64
	var stream, explain bool
	cmd := &cobra.Command{
		Use:   "orchestrate --request FILE",
		Short: "Send a request to a running server and show the answer, who gave it and why",
		Long: `Orchestrate sends a request, in the same form as for 'caio decide', and shows the answer and its trace.

With -o json the answer is one JSON document; with --stream one a line, pieces first; a refusal is printed as
{"error": ...}. Who asks is what the token says; a principal in the file counts only without one, which takes a
server started with --insecure-dev.

Exit code 0: answered. 1: the answer is no, and it says why. 2: the command line is wrong. 3: something failed.`,
		Example: "  caio orchestrate --request examples/requests/fast.json\n" +
			"  caio orchestrate --request FILE.json --explain -o json\n" +
			"  echo '{\"capabilities\":[\"chat\"],\"intent\":{\"chat\":{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}}}' | caio orchestrate --request - --stream",
		Args: noArguments,
	}
	out, remote := addOutput(cmd), addRemote(cmd, 2*time.Minute)
	cmd.Flags().StringVar(&file, "request", "", "request as JSON; - for standard input")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "breaks ties among equally good services")
	cmd.Flags().BoolVar(&stream, "stream", false, "show the answer as it comes")
	cmd.Flags().BoolVar(&explain, "explain", false, "show every candidate and why it fell")
	cmd.Flags().StringVar(&durability, "durability", "queued", "answer once the trace is queued, or durable (on disk); none: keep no trace, where the server allows it")
	_ = cmd.MarkFlagRequired("request")
	_ = cmd.RegisterFlagCompletionFunc("durability", cobra.FixedCompletions([]string{"queued", "durable", "none"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		req, err := readRequest(cmd.InOrStdin(), file)
		if err != nil {
			return failed(err)
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		if req.GetPrincipal() != nil && peer.authenticated {
			// The file may be one for `caio decide`, where nobody else could say who asks.
			req.Principal = nil
			fmt.Fprintf(cmd.ErrOrStderr(), "note: the token says who asks; the principal in %s is left out\n", file)
		}
		call := &orchestration{
			peer: peer, out: cmd.OutOrStdout(), json: out.json(), stream: stream,
			request: &caiov1.OrchestrateRequest{Request: req, Seed: seed, Explain: explain, Durability: durability},
		}
		response, err := call.send(ctx)
		if err != nil {
			return call.refusal(err)
		}
		return call.show(response)
	}
	return cmd
}

// orchestration is one request on its way to the server, and how the answer is to be shown.
type orchestration struct {
	peer         *peer
	out          io.Writer
	json, stream bool
	pieces       bool // some were shown
	request      *caiov1.OrchestrateRequest
}

// send returns the answer. Pieces of a stream are shown as they come.
func (o *orchestration) send(ctx context.Context) (*caiov1.OrchestrateResponse, error) {
	if !o.stream {
		response, err := o.peer.orchestrator.Orchestrate(ctx, connect.NewRequest(o.request))
		if err != nil {
			return nil, err
		}
		return response.Msg, nil
	}
	stream, err := o.peer.orchestrator.OrchestrateStream(ctx, connect.NewRequest(&caiov1.OrchestrateStreamRequest{
		Request: o.request.GetRequest(), Seed: o.request.GetSeed(), Explain: o.request.GetExplain(), Durability: o.request.GetDurability(),
	}))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var response *caiov1.OrchestrateResponse
	for stream.Receive() {
		switch event := stream.Msg().GetEvent().(type) {
		case *caiov1.OrchestrateStreamResponse_Delta:
			o.pieces = true
			if err := o.showDelta(event.Delta); err != nil {
				return nil, err
			}
		case *caiov1.OrchestrateStreamResponse_Response:
			response = event.Response
		}
	}
	if o.pieces && !o.json {
		fmt.Fprintln(o.out)
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	if response == nil {
		return nil, errors.New("the stream ended without an answer")
	}
	return response, nil
}

func (o *orchestration) showDelta(delta *caiov1.Delta) error {
	if o.json {
		return message(o.out, &caiov1.OrchestrateStreamResponse{Event: &caiov1.OrchestrateStreamResponse_Delta{Delta: delta}})
	}
	text := delta.GetText()
	if delta.GetData() != nil {
		raw, err := schema.JSON(delta.GetData())
		if err != nil {
			return err
		}
		text += string(raw) + "\n"
	}
	_, err := io.WriteString(o.out, printableText(text))
	return err
}

func (o *orchestration) show(response *caiov1.OrchestrateResponse) error {
	switch {
	case o.json && o.stream:
		return message(o.out, &caiov1.OrchestrateStreamResponse{Event: &caiov1.OrchestrateStreamResponse_Response{Response: response}})
	case o.json:
		return message(o.out, response)
	}
	if !o.pieces { // also where a stream was wanted, but the service answered at once
		text, err := resultText(response.GetResult())
		if err != nil {
			return err
		}
		fmt.Fprintln(o.out, printableText(text))
	}
	fmt.Fprintln(o.out)
	pairs(o.out,
		[2]string{"service", response.GetServiceId()},
		[2]string{"why", response.GetWhy()},
		[2]string{"model", response.GetResult().GetModel()},
		[2]string{"took", milliseconds(response.GetDurationMs())},
		[2]string{"trace", response.GetTraceId()},
	)
	if len(response.GetAttempts()) > 1 {
		fmt.Fprintln(o.out)
		if err := showAttempts(o.out, response.GetAttempts()); err != nil {
			return err
		}
	}
	if response.GetDecision() != nil {
		fmt.Fprintln(o.out)
		return showFunnel(o.out, response.GetDecision())
	}
	return nil
}

// refusal shows why there is no answer.
func (o *orchestration) refusal(err error) error {
	e := told(err)
	if o.json && e != nil {
		// What came over the wire as a message can be written as one.
		raw, writeErr := schema.JSON(e)
		if writeErr != nil {
			return writeErr
		}
		if _, writeErr := fmt.Fprintf(o.out, "{\"error\":%s}\n", raw); writeErr != nil {
			return writeErr
		}
		return o.peer.explain(err)
	}
	if len(e.GetCandidates()) > 0 {
		if err := showFunnel(o.out, &caiov1.Decision{Candidates: e.GetCandidates()}); err != nil {
			return err
		}
		fmt.Fprintln(o.out)
	}
	return o.peer.explain(err)
}

// resultText is a result as people read it: what was said, or else the whole as JSON.
func resultText(r *caiov1.Result) (string, error) {
	if text := r.GetChat().GetMessage().GetContent(); text != "" {
		return text, nil
	}
	if r.GetOutput() != nil {
		raw, err := schema.JSON(r.GetOutput())
		return string(raw), err
	}
	if n := len(r.GetEmbedding().GetVectors()); n > 0 {
		return fmt.Sprintf("%d vectors of %d coordinates; -o json prints them", n, len(r.GetEmbedding().GetVectors()[0].GetValues())), nil
	}
	raw, err := schema.JSON(r)
	return string(raw), err
}
