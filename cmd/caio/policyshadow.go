package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newPolicyShadowCommand() *cobra.Command {
	var share float64
	var stop bool
	cmd := &cobra.Command{
		Use:   "shadow [DIR]",
		Short: "Run a policy set beside the one in force, and count where the two differ",
		Long: `Send the policy set in DIR to a running server, which decides by it, too, what comes from now on, and counts where the two
differ: by rule, service and tenant, with some traces as examples. It decides nothing and no request waits for it; what it
cannot take in time is dropped and counted. It replaces the shadow that runs, and ends with --stop or with the server.
Starting and stopping need the role admin, and all of it no tenant.`,
		Example: "  caio policy shadow policies/ --share 0.1\n  caio policy shadow status\n  caio policy shadow --stop",
		Args:    cobra.MaximumNArgs(1),
	}
	out, sources, remote := addOutput(cmd), addPolicySources(cmd), addRemote(cmd, policyTimeout)
	cmd.Flags().Float64Var(&share, "share", 1, "share of the decisions, above 0 and up to 1")
	cmd.Flags().BoolVar(&stop, "stop", false, "end the shadow that runs, and show its last report")
	cmd.AddCommand(newPolicyShadowStatusCommand())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if stop && (len(args) > 0 || sources.given()) {
			return errors.New("--stop takes no policies")
		}
		if err := sources.argument(args); err != nil {
			return err
		}
		if !stop && !sources.given() {
			return errors.New("name the policies that are to run beside those in force, or --stop, or status")
		}
		request := &caiov1.PolicyServiceStartShadowRequest{Share: &share}
		if !stop {
			files, err := sources.bundle()
			if err != nil {
				return err
			}
			request.Files = files.Messages()
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		if stop {
			response, err := peer.policies.StopShadow(ctx, connect.NewRequest(&caiov1.PolicyServiceStopShadowRequest{}))
			if err != nil {
				return peer.explain(err)
			}
			return showShadow(cmd.OutOrStdout(), response.Msg.GetReport(), out)
		}
		response, err := peer.policies.StartShadow(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg.GetReport())
		}
		fmt.Fprintf(cmd.OutOrStdout(), "the shadow runs: digest %.12s, share %v; next: 'caio policy shadow status'\n", response.Msg.GetReport().GetDigest(), share)
		return nil
	}
	return cmd
}

func newPolicyShadowStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show where the shadow and the policies in force differ",
		Example: "  caio policy shadow status -o json",
		Args:    noArguments,
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.policies.ShadowStatus(ctx, connect.NewRequest(&caiov1.PolicyServiceShadowStatusRequest{}))
		if err != nil {
			return peer.explain(err)
		}
		return showShadow(cmd.OutOrStdout(), response.Msg.GetReport(), out)
	}
	return cmd
}

func showShadow(w io.Writer, r *caiov1.ShadowReport, out *output) error {
	if r == nil {
		return refused(errors.New("there was no shadow since the server's start; 'caio policy shadow DIR' starts one"))
	}
	if out.json() {
		return message(w, r)
	}
	state := "ended"
	if r.GetRunning() {
		state = "running"
	}
	pairs(w,
		[2]string{"shadow", state}, [2]string{"digest", r.GetDigest()},
		[2]string{"started", r.GetStarted().AsTime().Format(time.RFC3339) + " by " + orDash(r.GetStartedBy())},
		[2]string{"share", fmt.Sprint(r.GetShare())},
		[2]string{"would move", fmt.Sprintf("%d of %d decisions", r.GetDifferences().GetMoved(), r.GetDifferences().GetCompared())},
		[2]string{"dropped", fmt.Sprint(r.GetDropped())}, [2]string{"failed", fmt.Sprint(r.GetFailed())},
	)
	fmt.Fprintln(w)
	if err := showCounts(w, r.GetDifferences()); err != nil {
		return err
	}
	if len(r.GetExamples()) == 0 {
		return nil
	}
	return showDifferences(w, r.GetExamples())
}
