package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newWorkflowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "workflow",
		Short: "Decide and run requests that belong together, as a chain or a graph of steps",
	}
	cmd.AddCommand(newWorkflowDecideCommand(), newWorkflowRunCommand())
	return cmd
}

// workflowSource is the file a workflow is in, and the seed it is decided by.
type workflowSource struct {
	file string
	seed uint64
}

func addWorkflowSource(cmd *cobra.Command) *workflowSource {
	s := &workflowSource{}
	cmd.Flags().StringVar(&s.file, "file", "", "workflow as YAML or JSON; - for standard input")
	cmd.Flags().Uint64Var(&s.seed, "seed", 0, "breaks ties among equally good services")
	_ = cmd.MarkFlagRequired("file")
	return s
}

func newWorkflowDecideCommand() *cobra.Command {
	var contracts string
	cmd := &cobra.Command{
		Use:   "decide --file FILE [--contracts DIR]",
		Short: "Decide who would do each step and what that promises together, without executing anything",
		Long: `Decide chooses a service for each step of a workflow such that together they keep what is demanded of the whole,
and says what they promise together: of accuracy and throughput the smallest, of availability the product, of latency
the sum along the longest path, of cost the sum, of privacy the weakest.

It asks a running server, which records a trace of each step. With --contracts it needs none: it decides by the contracts
in that directory and the policies that are named; the same files and seed give the same bytes.

Exit code 0: the workflow may run. 1: it may not, and the answer says why. 2: the command line is wrong.
3: a file cannot be read or is not valid, or the server cannot be reached.`,
		Example: "  caio workflow decide --file examples/workflows/gist.yaml --contracts examples/contracts\n" +
			"  caio workflow decide --file FILE.yaml -o json",
		Args: noArguments,
	}
	out, source := addOutput(cmd), addWorkflowSource(cmd)
	sources, way, remote := addPolicySources(cmd), addEngine(cmd), addRemote(cmd, 2*time.Minute)
	cmd.Flags().StringVar(&contracts, "contracts", "", "directory of contracts to decide by, instead of asking a server")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		workflow, err := readWorkflow(cmd.InOrStdin(), source.file)
		if err != nil {
			return failed(err)
		}
		answer := &caiov1.WorkflowServiceDecideResponse{}
		if contracts != "" {
			answer.Decision, err = decideWorkflow(cmd, workflow, source.seed, contracts, sources, way)
		} else {
			answer, err = remoteDecision(cmd, workflow, source, remote)
		}
		if err != nil {
			return err
		}
		if out.json() {
			err = message(cmd.OutOrStdout(), answer)
		} else {
			err = showWorkflowDecision(cmd.OutOrStdout(), workflow.GetName(), answer)
		}
		if err == nil && answer.GetDecision().GetError() != nil {
			return refused(nil)
		}
		return err
	}
	return cmd
}

// decideWorkflow decides without a server.
func decideWorkflow(cmd *cobra.Command, workflow *caiov1.Workflow, seed uint64, contracts string, sources *policySources, way *engineFlag) (*caiov1.WorkflowDecision, error) {
	set, err := sources.load()
	if err != nil {
		return nil, sources.explain(err)
	}
	for _, note := range sources.notes() {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
	}
	registry, err := readContracts(contracts)
	if err != nil {
		return nil, failed(err)
	}
	snapshot, err := engine.NewSnapshot(registry, set, way.value, nil)
	if err != nil {
		return nil, failed(err)
	}
	decision, err := engine.DecideWorkflow(cmd.Context(), snapshot, engine.NoPast, workflow, seed)
	if err != nil {
		return nil, failed(err)
	}
	return decision, nil
}

func remoteDecision(cmd *cobra.Command, workflow *caiov1.Workflow, source *workflowSource, remote *remote) (*caiov1.WorkflowServiceDecideResponse, error) {
	ctx, peer, err := remote.dial(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	source.dropPrincipal(cmd, workflow, peer)
	response, err := peer.workflows.Decide(ctx, connect.NewRequest(&caiov1.WorkflowServiceDecideRequest{Workflow: workflow, Seed: source.seed}))
	if err != nil {
		return nil, peer.explain(err)
	}
	return response.Msg, nil
}

func newWorkflowRunCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run --file FILE",
		Short: "Run a workflow on a running server and show what became of its steps",
		Long: `Run sends a workflow to a server, which decides every step, refuses the whole if it cannot keep what is demanded of
it, runs the steps as what they need gets done, and leaves a trace of each. Shown are the answers of the steps that no
other needs; -o json has all.

Exit code 0: everything was done. 1: the answer is no, and it says why. 2: the command line is wrong. 3: a step failed,
or something else did.`,
		Example: "  caio workflow run --file examples/workflows/gist.yaml",
		Args:    noArguments,
	}
	out, source, remote := addOutput(cmd), addWorkflowSource(cmd), addRemote(cmd, 10*time.Minute)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		workflow, err := readWorkflow(cmd.InOrStdin(), source.file)
		if err != nil {
			return failed(err)
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		source.dropPrincipal(cmd, workflow, peer)
		response, err := peer.workflows.Run(ctx, connect.NewRequest(&caiov1.WorkflowServiceRunRequest{Workflow: workflow, Seed: source.seed}))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			err = message(cmd.OutOrStdout(), response.Msg)
		} else {
			err = showWorkflowRun(cmd.OutOrStdout(), workflow, response.Msg)
		}
		if e := response.Msg.GetError(); err == nil && e != nil {
			return toldError(e)
		}
		return err
	}
	return cmd
}

// dropPrincipal leaves out who the file says asks, where a token says it.
func (s *workflowSource) dropPrincipal(cmd *cobra.Command, workflow *caiov1.Workflow, peer *peer) {
	if workflow.GetPrincipal() != nil && peer.authenticated {
		workflow.Principal = nil
		fmt.Fprintf(cmd.ErrOrStderr(), "note: the token says who asks; the principal in %s is left out\n", s.file)
	}
}

// readWorkflow reads a workflow file and holds it against the rules in the proto, which the server applies too.
func readWorkflow(stdin io.Reader, path string) (*caiov1.Workflow, error) {
	raw, err := readFileOrStdin(stdin, path)
	if err != nil {
		return nil, fmt.Errorf("read the workflow: %w", err)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		if raw, err = fromYAML(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	workflow := &caiov1.Workflow{}
	if err := schema.ParseJSON(raw, workflow); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := protovalidate.Validate(workflow); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return workflow, nil
}

// fromYAML rewrites a YAML document as JSON. Dates stay the texts that they were written as.
func fromYAML(raw []byte) ([]byte, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document; a file holds one workflow")
	}
	undate(&root)
	var value any
	if err := root.Decode(&value); err != nil {
		return nil, err
	}
	out, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("not a document that JSON could hold: %w", err)
	}
	return out, nil
}

func undate(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, inner := range n.Content {
		undate(inner)
	}
}
