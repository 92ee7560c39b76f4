package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newTraceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "Look up what was decided, and why; check it",
	}
	cmd.AddCommand(newTraceGetCommand(), newTraceListCommand(), newTraceWatchCommand(), newTraceExportCommand(),
		newTraceBundleCommand(), newTraceVerifyCommand(), newTraceKeyCommand(), newTraceEraseCommand(), newTraceFsckCommand())
	return cmd
}

func newTraceGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show one trace: who was considered, why each fell, who was chosen, what was executed",
		Example: "  caio trace get 5f0c1d2e3b4a59687766554433221100\n" +
			"  caio trace get ID -o json    (the whole record, with the proofs)",
		Args: cobra.ExactArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.traces.Get(ctx, connect.NewRequest(&caiov1.TraceServiceGetRequest{TraceId: args[0]}))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg.GetTrace())
		}
		return showTrace(cmd.OutOrStdout(), response.Msg.GetTrace())
	}
	return cmd
}

func newTraceListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List traces, newest first",
		Example: "  caio trace list --status refused --since 1h\n" +
			"  caio trace list --rule SEC-0003 --min-duration 250ms\n" +
			"  caio trace list --service fast_detector --since 2026-11-22T12:00:00Z --limit 1000 -o json",
		Args: noArguments,
	}
	out, remote, filter := addOutput(cmd), addRemote(cmd, registryTimeout), addTraceFilter(cmd)
	filter.addSpan(cmd)
	f := cmd.Flags()
	f.Int32Var(&filter.request.PageSize, "limit", 50, "traces in the page, at most 1000")
	f.StringVar(&filter.request.PageToken, "page-token", "", "where the page before ended, as it said")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		request, err := filter.message(time.Now())
		if err != nil {
			return err
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.traces.List(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		return showTraces(cmd.OutOrStdout(), response.Msg)
	}
	return cmd
}

// moment reads a time, absolute or as a span before now. Empty: nil.
func moment(flag, text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return timestamppb.New(now.Add(-ago)), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fmt.Errorf("%s %q: neither a time like 2026-11-22T12:00:00Z nor a span like 90s or 2h", flag, text)
	}
	return timestamppb.New(t), nil
}

func showTraces(w io.Writer, page *caiov1.TraceServiceListResponse) error {
	if len(page.GetTraces()) == 0 {
		fmt.Fprintln(w, "no traces")
	} else {
		var rows [][]string
		for _, stored := range page.GetTraces() {
			t := stored.GetTrace()
			rows = append(rows, []string{
				t.GetTime().AsTime().Format(time.RFC3339), t.GetTraceId(), t.GetStatus(), orDash(servedBy(t)),
				orDash(cell(t.GetRequest().GetPrincipal().GetTenant())), milliseconds(t.GetDurationMs()), cell(t.GetError().GetCode()),
			})
		}
		if err := table(w, []string{"TIME", "TRACE", "STATUS", "SERVICE", "TENANT", "TOOK", "ERROR"}, rows); err != nil {
			return err
		}
	}
	if page.GetNextPageToken() != "" {
		fmt.Fprintf(w, "\nmore: --page-token %s\n", page.GetNextPageToken())
	}
	return nil
}

// servedBy is who answered, or who would have; for a workflow, its name.
func servedBy(t *caiov1.Trace) string {
	if t.GetWorkflow() != nil {
		return fmt.Sprintf("%s (%d steps)", t.GetWorkflow().GetName(), len(t.GetWorkflow().GetSteps()))
	}
	if t.GetServiceId() != "" {
		return t.GetServiceId()
	}
	return t.GetDecision().GetServiceId()
}

func milliseconds(ms float64) string { return strconv.FormatFloat(ms, 'f', 1, 64) + " ms" }

func showTrace(w io.Writer, stored *caiov1.StoredTrace) error {
	t := stored.GetTrace()
	pairs(w,
		[2]string{"trace", t.GetTraceId()},
		[2]string{"status", t.GetStatus()},
		[2]string{"time", t.GetTime().AsTime().Format(time.RFC3339Nano) + ", took " + milliseconds(t.GetDurationMs())},
		[2]string{"caller", callerText(t.GetRequest().GetPrincipal())},
		[2]string{"workflow", workflowText(t)},
		[2]string{"request", requestText(t.GetRequest())},
		[2]string{"service", servedBy(t)},
		[2]string{"log", fmt.Sprintf("entry %d, sha256 %s", stored.GetSequence(), stored.GetHash())},
	)
	if t.GetWorkflow() != nil {
		pairs(w, [2]string{"together", composedText(t.GetWorkflow().GetComposed())}, [2]string{"proofs", proofsText(t.GetWorkflow().GetProofs())})
		fmt.Fprintln(w)
		if err := showWorkflowTrace(w, t.GetWorkflow()); err != nil {
			return err
		}
	}
	if t.GetDecision() != nil {
		fmt.Fprintln(w)
		if err := showFunnel(w, t.GetDecision()); err != nil {
			return err
		}
	}
	if len(t.GetAttempts()) > 0 {
		fmt.Fprintln(w)
		if err := showAttempts(w, t.GetAttempts()); err != nil {
			return err
		}
	}
	if e := t.GetError(); e != nil {
		fmt.Fprintf(w, "\n%s: %s\n", e.GetCode(), printable(e.GetMessage()))
		if e.GetHint() != "" {
			fmt.Fprintf(w, "next: %s\n", printable(e.GetHint()))
		}
	}
	return nil
}

func callerText(p *caiov1.Principal) string {
	if p.GetSubject() == "" {
		return ""
	}
	text := p.GetSubject()
	if p.GetTenant() != "" {
		text += " of " + p.GetTenant()
	}
	return fmt.Sprintf("%s, roles %s, trust %d", text, orDash(strings.Join(p.GetRoles(), " ")), p.GetTrustLevel())
}
