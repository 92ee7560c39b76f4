package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newTraceWatchCommand() *cobra.Command {
	var from uint64
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show traces as they come, until interrupted",
		Long: `Watch shows every trace once, in the order of the log, from now on or from an entry on, until it is interrupted.
If the server ends it, the exit code is 3, and the error says how to go on without a gap.`,
		Example: "  caio trace watch --status refused\n" +
			"  caio trace watch --from 0 -o json    (all there are, then what comes: a trace a line)",
		Args: noArguments,
	}
	out, remote, filter := addOutput(cmd), addRemote(cmd, 0), addTraceFilter(cmd)
	cmd.Flags().Uint64Var(&from, "from", 0, "begin at this entry of the log (default: with what comes from now on)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted, err := filter.message(time.Now())
		if err != nil {
			return err
		}
		request := &caiov1.TraceServiceWatchRequest{Filter: wanted}
		if cmd.Flags().Changed("from") {
			request.FromSequence = &from
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		stream, err := peer.traces.Watch(ctx, connect.NewRequest(request))
		if cmd.Context().Err() != nil {
			return nil
		}
		if err != nil {
			return peer.explain(err)
		}
		defer stream.Close()
		show := showWatched
		if out.json() {
			show = func(w io.Writer, stored *caiov1.StoredTrace) error { return message(w, stored) }
		} else {
			watchedLine(cmd.OutOrStdout(), "ENTRY", "TIME", "TRACE", "STATUS", "TOOK", "SERVICE", "TENANT", "ERROR")
		}
		next := "the entry it began with"
		for stream.Receive() {
			stored := stream.Msg().GetTrace()
			if err := show(cmd.OutOrStdout(), stored); err != nil {
				return failed(err)
			}
			next = strconv.FormatUint(stored.GetSequence()+1, 10)
		}
		switch err := stream.Err(); {
		case cmd.Context().Err() != nil: // interrupted, as a watch is meant to end
			return nil
		case err != nil:
			return peer.explain(err)
		}
		return failed(errors.New("the server ended the watch: it is shutting down\n  next: watch again, with --from " + next))
	}
	return cmd
}

// showWatched writes a trace as one line.
func showWatched(w io.Writer, stored *caiov1.StoredTrace) error {
	t := stored.GetTrace()
	return watchedLine(w, strconv.FormatUint(stored.GetSequence(), 10), t.GetTime().AsTime().Format(time.RFC3339), t.GetTraceId(), t.GetStatus(),
		milliseconds(t.GetDurationMs()), orDash(cell(servedBy(t))), orDash(cell(t.GetRequest().GetPrincipal().GetTenant())), cell(errorText(t)))
}

// watchedLine writes one line of a table whose end is not known, so its columns are as wide as they mostly need to be.
func watchedLine(w io.Writer, entry, when, id, status, took, service, tenant, code string) error {
	line := fmt.Sprintf("%-8s  %-20s  %-32s  %-8s  %-10s  %-16s  %-12s  %s", entry, when, id, status, took, service, tenant, code)
	_, err := fmt.Fprintln(w, strings.TrimRight(line, " "))
	return err
}

// errorText is why a trace has no result; where it has one that broke a guarantee, that it did.
func errorText(t *caiov1.Trace) string {
	if code := t.GetError().GetCode(); code != "" {
		return code
	}
	for _, a := range t.GetAttempts() {
		if len(a.GetViolations()) > 0 {
			return "(guarantee broken)"
		}
	}
	return ""
}
