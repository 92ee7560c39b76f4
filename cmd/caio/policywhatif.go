package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// whatIfTimeout is how long a command waits for a server to go through its traces.
const whatIfTimeout = 30 * time.Minute

func newPolicyWhatIfCommand() *cobra.Command {
	var since, until string
	request := &caiov1.PolicyServiceWhatIfRequest{}
	cmd := &cobra.Command{
		Use:   "what-if [DIR]",
		Short: "Tell which decisions of the past a policy set would have made otherwise",
		Long: `Send the policy set in DIR (without it, the embedded one) to a running server, which decides the requests of its traces
anew: by the set in force and by the one sent, over the registry as it is now. Listed is where the two differ, and counted
by rule, service and tenant. Nothing is brought into force, and the server goes on serving: it spends half of a processor
on this at most. Payloads are in no trace, so rules that read them see none, in both sets.`,
		Example: "  caio policy what-if policies/ --since 24h\n  caio policy what-if --policies policies/ --tenant acme --limit 10000 -o json",
		Args:    cobra.MaximumNArgs(1),
	}
	out, sources, remote := addOutput(cmd), addPolicySources(cmd), addRemote(cmd, whatIfTimeout)
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "traces not before: a time (2026-11-22T12:00:00Z) or how long ago (90s, 2h)")
	f.StringVar(&until, "until", "", "traces before: a time or how long ago")
	f.StringVar(&request.Tenant, "tenant", "", "traces of this tenant")
	f.Int32Var(&request.Limit, "limit", 1000, "traces, the newest; at most 100000")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if request.Since, err = moment("--since", since, time.Now()); err != nil {
			return err
		}
		if request.Until, err = moment("--until", until, time.Now()); err != nil {
			return err
		}
		if err := sources.argument(args); err != nil {
			return err
		}
		files, err := sources.bundle()
		if err != nil {
			return err
		}
		request.Files = files.Messages()
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		stream, err := peer.policies.WhatIf(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		moved, summary := follow(stream, cmd.ErrOrStderr())
		if err := stream.Err(); err != nil {
			return peer.explain(err)
		}
		if err := stream.Close(); err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return whatIfJSON(cmd.OutOrStdout(), moved, summary)
		}
		return showWhatIf(cmd.OutOrStdout(), moved, summary)
	}
	return cmd
}

// follow reads the stream to its end, and tells now and then how far it is.
func follow(stream *connect.ServerStreamForClient[caiov1.PolicyServiceWhatIfResponse], progress io.Writer) (moved []*caiov1.Difference, summary *caiov1.WhatIfSummary) {
	summary = &caiov1.WhatIfSummary{}
	for stream.Receive() {
		switch m := stream.Msg(); {
		case m.GetDifference() != nil:
			moved = append(moved, m.GetDifference())
		case m.GetSummary() != nil:
			summary = m.GetSummary()
		case m.GetProgress().GetTraces()%1000 == 0:
			fmt.Fprintf(progress, "%d traces, %d would move\n", m.GetProgress().GetTraces(), m.GetProgress().GetMoved())
		}
	}
	return moved, summary
}

// whatIfJSON writes one document: what would move, and the summary.
func whatIfJSON(w io.Writer, moved []*caiov1.Difference, summary *caiov1.WhatIfSummary) error {
	var doc struct {
		Moved   []json.RawMessage `json:"moved"`
		Summary json.RawMessage   `json:"summary"`
	}
	doc.Moved = []json.RawMessage{}
	for _, d := range moved {
		raw, err := schema.JSON(d)
		if err != nil {
			return err
		}
		doc.Moved = append(doc.Moved, raw)
	}
	var err error
	if doc.Summary, err = schema.JSON(summary); err != nil {
		return err
	}
	return document(w, doc)
}

func showWhatIf(w io.Writer, moved []*caiov1.Difference, s *caiov1.WhatIfSummary) error {
	if len(moved) > 0 {
		if err := showDifferences(w, moved); err != nil {
			return err
		}
		if more := s.GetDifferences().GetMoved() - int64(len(moved)); more > 0 {
			fmt.Fprintf(w, "and %d more\n", more)
		}
		fmt.Fprintln(w)
	}
	if err := showCounts(w, s.GetDifferences()); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d of %s would move\n", s.GetDifferences().GetMoved(), count(int(s.GetTraces()), "decision"))
	if s.GetSkipped() > 0 {
		fmt.Fprintf(w, "%s without a decision that could be made again\n", count(int(s.GetSkipped()), "trace"))
	}
	if s.GetDrifted() > 0 {
		fmt.Fprintf(w, "%d are decided otherwise now than they were, by the rules in force: registry, history, rules or payload have changed\n", s.GetDrifted())
	}
	for _, note := range s.GetNotes() {
		fmt.Fprintf(w, "note: %s\n", printable(note))
	}
	return nil
}

// showDifferences lists decisions that would move.
func showDifferences(w io.Writer, moved []*caiov1.Difference) error {
	rows := make([][]string, 0, len(moved))
	for _, d := range moved {
		var rules []string
		for _, r := range d.GetRules() {
			sign := "-"
			if r.GetAdded() {
				sign = "+"
			}
			rules = append(rules, sign+r.GetRule()+"@"+r.GetServiceId())
		}
		const most = 3
		if len(rules) > most {
			rules = append(rules[:most:most], fmt.Sprintf("and %d more", len(rules)-most))
		}
		rows = append(rows, []string{
			d.GetTraceId(), orDash(cell(d.GetTenant())), verdictText(d.GetBefore()), verdictText(d.GetAfter()), orDash(cell(strings.Join(rules, " "))),
		})
	}
	return table(w, []string{"TRACE", "TENANT", "IN FORCE", "OTHER SET", "RULES"}, rows)
}

func verdictText(v *caiov1.Verdict) string {
	if v.GetServiceId() != "" {
		return cell(v.GetServiceId())
	}
	return cell(v.GetCode())
}

// showCounts writes what differs by rule, service and tenant; nothing where nothing does.
func showCounts(w io.Writer, d *caiov1.Differences) error {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var rules, services, tenants [][]string
	for _, c := range d.GetRules() {
		rules = append(rules, []string{cell(c.GetRule()), number(c.GetAdded()), number(c.GetDropped())})
	}
	for _, c := range d.GetServices() {
		name := c.GetServiceId()
		if name == "" {
			name = "(nobody)"
		}
		services = append(services, []string{cell(name), number(c.GetGained()), number(c.GetLost())})
	}
	for _, c := range d.GetTenants() {
		if c.GetMoved() > 0 {
			tenants = append(tenants, []string{orDash(cell(c.GetTenant())), number(c.GetMoved()), number(c.GetCompared())})
		}
	}
	for _, part := range []struct {
		header []string
		rows   [][]string
	}{
		{[]string{"RULE", "REFUSES MORE", "REFUSES LESS"}, rules}, {[]string{"SERVICE", "WOULD WIN", "WOULD LOSE"}, services},
		{[]string{"TENANT", "WOULD MOVE", "OF"}, tenants},
	} {
		if len(part.rows) == 0 {
			continue
		}
		if err := table(w, part.header, part.rows); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}
