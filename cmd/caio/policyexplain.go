package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// explaining are the flags of `caio policy explain`.
type explaining struct {
	contracts, request, trace string
	service, rule             string
	all                       bool
	sources                   *policySources
	remote                    *remote
}

func newPolicyExplainCommand() *cobra.Command {
	x := &explaining{}
	cmd := &cobra.Command{
		Use:   "explain (--contracts DIR --request FILE | --trace ID)",
		Short: "Tell how each rule came to its answer: which expression held, which did not, and over what values",
		Long: `Explain judges services once more and follows each rule, with OPA's own evaluator under a tracer: which of its
expressions held, at which one it ended, what the variables and paths in it were, and the same for the helpers it calls.

With --contracts and --request it needs no server. With --trace a running server replays the request of that trace by
the rules, and with the contracts, that are in force now, and says so if one of them has changed since. The payload of a
request is in no trace, so rules that read it cannot be replayed; they are marked.`,
		Example: "  caio policy explain --contracts examples/contracts --request examples/requests/fast.json --service detect-cloud\n" +
			"  caio policy explain --trace 5f0c1d2e3b4a59687766554433221100 --rule SEC-0003",
		Args: noArguments,
	}
	out := addOutput(cmd)
	x.sources, x.remote = addPolicySources(cmd), addRemote(cmd, registryTimeout)
	f := cmd.Flags()
	f.StringVar(&x.contracts, "contracts", "", "directory of contracts (*.yaml, *.yml, *.json, *.cue), searched through")
	f.StringVar(&x.request, "request", "", "request as JSON; - for standard input")
	f.StringVar(&x.trace, "trace", "", "trace whose request is replayed by a running server")
	f.StringVar(&x.service, "service", "", "only this service (default: those that policies are asked about, at most 20)")
	f.StringVar(&x.rule, "rule", "", "only rules of this id or package")
	f.BoolVar(&x.all, "all", false, "tell the whole story of rules that let the service through, too")
	cmd.MarkFlagsRequiredTogether("contracts", "request")
	cmd.MarkFlagsOneRequired("request", "trace")
	for _, flag := range []string{"contracts", "policies", "policy-overlay"} {
		cmd.MarkFlagsMutuallyExclusive("trace", flag)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var response *caiov1.PolicyServiceExplainResponse
		var err error
		if x.trace != "" {
			response, err = x.replay(cmd.Context())
		} else {
			response, err = x.offline(cmd.Context(), cmd.InOrStdin())
		}
		if err != nil {
			return err
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response)
		}
		writeExplanations(cmd.OutOrStdout(), response, x.all)
		if x.rule != "" && !tells(response) {
			return refused(fmt.Errorf("no rule of caio.routing or caio.security has the id or package %q; 'caio policy list' shows what there is", x.rule))
		}
		return nil
	}
	return cmd
}

func tells(r *caiov1.PolicyServiceExplainResponse) bool {
	for _, e := range r.GetExplanations() {
		if len(e.GetRules()) > 0 {
			return true
		}
	}
	return len(r.GetExplanations()) == 0
}

// offline explains a request file over contract files.
func (x *explaining) offline(ctx context.Context, stdin io.Reader) (*caiov1.PolicyServiceExplainResponse, error) {
	req, err := readRequest(stdin, x.request)
	if err != nil {
		return nil, failed(err)
	}
	set, err := x.sources.load()
	if err != nil {
		return nil, x.sources.explain(err)
	}
	registry, err := readContracts(x.contracts)
	if err != nil {
		return nil, failed(err)
	}
	snapshot, err := engine.NewSnapshot(registry, set, policy.OPA, nil)
	if err != nil {
		return nil, failed(err)
	}
	response, err := engine.Explain(ctx, snapshot, engine.Question{Request: req, Service: x.service, Rule: x.rule})
	var wrong *engine.Error
	if errors.As(err, &wrong) && wrong.Detail.GetCode() == "SERVICE_NOT_FOUND" {
		return nil, refused(fmt.Errorf("no contract in %s has the service_id %q", x.contracts, x.service))
	}
	if err != nil {
		return nil, failed(err)
	}
	response.Notes = append(x.sources.notes(), response.Notes...)
	return response, nil
}

// replay has the server explain the request of a trace.
func (x *explaining) replay(ctx context.Context) (*caiov1.PolicyServiceExplainResponse, error) {
	ctx, peer, err := x.remote.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	response, err := peer.policies.Explain(ctx, connect.NewRequest(&caiov1.PolicyServiceExplainRequest{
		Subject: &caiov1.PolicyServiceExplainRequest_TraceId{TraceId: x.trace}, ServiceId: x.service, Rule: x.rule,
	}))
	if err != nil {
		return nil, peer.explain(err)
	}
	return response.Msg, nil
}

// writeExplanations tells the stories. Of a rule that lets the service through it tells, unless all is asked for, only
// where it ended.
func writeExplanations(w io.Writer, r *caiov1.PolicyServiceExplainResponse, all bool) {
	for _, note := range r.GetNotes() {
		fmt.Fprintf(w, "note: %s\n", printable(note))
	}
	if len(r.GetExplanations()) == 0 {
		fmt.Fprintln(w, "no service gets as far as the policies: 'caio decide' tells at which step each fell")
	}
	for i, e := range r.GetExplanations() {
		if i > 0 || len(r.GetNotes()) > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s\n", cell(e.GetServiceId()), explanationHeadline(e))
		for _, story := range e.GetRules() {
			writeStory(w, story, all || story.GetOutcome() != "passes")
		}
	}
}

func explanationHeadline(e *caiov1.Explanation) string {
	switch e.GetOutcome() {
	case "eligible":
		return "no rule refuses it"
	case "rule", "security":
		return fmt.Sprintf("refused (%s): %s", e.GetOutcome(), cell(reasonsText(e.GetReasons())))
	}
	return fmt.Sprintf("fell at the step %q, before policies were asked: %s", e.GetOutcome(), cell(reasonsText(e.GetReasons())))
}

func writeStory(w io.Writer, story *caiov1.RuleStory, whole bool) {
	r := story.GetRule()
	fmt.Fprintf(w, "\n%s  %s  %s:%d", cell(r.GetRule()), story.GetOutcome(), cell(r.GetFile()), r.GetLine())
	if r.GetTitle() != "" {
		fmt.Fprintf(w, "  %s", cell(r.GetTitle()))
	}
	fmt.Fprintln(w)
	if story.GetMessage() != "" {
		fmt.Fprintf(w, "  says: %s\n", cell(story.GetMessage()))
	}
	if story.GetReadsIntent() {
		fmt.Fprintln(w, "  reads the intent's body, whose values are not shown")
	}
	steps := story.GetSteps()
	if !whole {
		steps = ending(steps)
	}
	for _, s := range steps {
		mark, indent := "-", strings.Repeat("  ", int(s.GetDepth())+1)
		if s.GetHeld() {
			mark = "+"
		}
		fmt.Fprintf(w, "%s%s %s:%d  %s", indent, mark, cell(s.GetFile()), s.GetLine(), cell(s.GetText()))
		if s.GetTried() > 1 {
			fmt.Fprintf(w, "  (tried %d times)", s.GetTried())
		}
		fmt.Fprintln(w)
		for _, v := range s.GetValues() {
			fmt.Fprintf(w, "%s    %s = %s\n", indent, cell(v.GetName()), cell(v.GetValue()))
		}
	}
	if story.GetTruncated() {
		fmt.Fprintln(w, "  … and more")
	}
}

// ending returns the last of the rule's own expressions: the one that did not hold.
func ending(steps []*caiov1.RuleStep) []*caiov1.RuleStep {
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].GetDepth() == 0 && !steps[i].GetHeld() {
			return steps[i : i+1]
		}
	}
	return nil
}
