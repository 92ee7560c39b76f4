package main

import (
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newTraceEraseCommand() *cobra.Command {
	var before string
	request := &caiov1.TraceServiceEraseRequest{}
	yes := false
	cmd := &cobra.Command{
		Use:   "erase [ID]",
		Short: "Remove the bodies of traces for good, and record that",
		Long: `Erase removes what traces say: of one trace, or of all that --tenant, --subject and --before select together. What
remains of each is its entry in the log, by which nothing of it can be found out; the log and its proofs stay whole. A
trace with the status "erasure" records what was removed, by whom and why. It cannot be undone. Needs the role admin; a
tenant's admin removes the tenant's own.`,
		Example: "  caio trace erase --tenant acme --subject jane@acme.example --note 'request 17 of 2026-11-20' --yes",
		Args:    cobra.MaximumNArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, 10*time.Minute)
	f := cmd.Flags()
	f.StringVar(&request.Tenant, "tenant", "", "of this tenant")
	f.StringVar(&request.Subject, "subject", "", "whose request this subject sent")
	f.StringVar(&before, "before", "", "whose request arrived before: a time (2026-11-22T12:00:00Z) or how long ago (720h)")
	f.StringVar(&request.Note, "note", "", "why, for the record")
	f.BoolVar(&yes, "yes", false, "really")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if len(args) == 1 {
			request.TraceId = args[0]
		}
		if request.Before, err = moment("--before", before, time.Now()); err != nil {
			return err
		}
		if !yes {
			return errors.New("what is removed cannot be had again; look with 'caio trace list' what it is, and say --yes")
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.traces.Erase(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		if response.Msg.GetCount() == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "nothing to remove")
			return nil
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s removed; trace %s records it\n", bodies(int(response.Msg.GetCount())), response.Msg.GetTraceId())
		return nil
	}
	return cmd
}

func bodies(n int) string {
	if n == 1 {
		return "1 body"
	}
	return fmt.Sprint(n, " bodies")
}
