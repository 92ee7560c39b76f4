package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"connectrpc.com/connect"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newPolicyDiffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff [OLD] NEW",
		Short: "Show what differs between versions of the policies, or between a version and a directory",
		Long: `Show what would change from OLD to NEW. Each is a version of a running server or a directory; OLD left out is what is in
force. Exit code 1 if they differ.`,
		Example: "  caio policy diff policies/      (what activating it would change)\n  caio policy diff 7 8",
		Args:    cobra.RangeArgs(1, 2),
	}
	remote := addRemote(cmd, policyTimeout)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		if len(args) == 1 {
			args = []string{"", args[0]}
		}
		var sides [2]policy.Bundle
		var names [2]string
		for i, arg := range args {
			if sides[i], names[i], err = peer.side(ctx, arg); err != nil {
				return err
			}
		}
		changed, err := writeDiff(cmd, sides, names)
		if err == nil && changed {
			return refused(nil)
		}
		return err
	}
	return cmd
}

// side returns the files that an argument names: a version, a directory, or, empty, what is in force.
func (p *peer) side(ctx context.Context, arg string) (policy.Bundle, string, error) {
	var number uint32
	if arg != "" {
		if info, err := os.Stat(arg); err == nil && info.IsDir() {
			sources := &policySources{dir: arg}
			b, err := sources.bundle()
			return b, arg, err
		}
		var err error
		if number, err = versionNumber(arg); err != nil {
			return nil, "", fmt.Errorf("%w; nor is it a directory", err)
		}
	}
	response, err := p.policies.Get(ctx, connect.NewRequest(&caiov1.PolicyServiceGetRequest{Version: number}))
	if err != nil {
		return nil, "", p.explain(err)
	}
	b, err := policy.NewBundle(response.Msg.GetFiles())
	if err != nil {
		return nil, "", failed(err)
	}
	name := fmt.Sprintf("version-%d", response.Msg.GetVersion().GetVersion())
	if response.Msg.GetVersion().GetVersion() == 0 {
		name = "in-force"
		if len(b) == 0 {
			return nil, "", refused(fmt.Errorf("the server did not keep the files it was started with; name a version or a directory"))
		}
	}
	return b, name, nil
}

// writeDiff writes a unified diff of each file that differs, sorted by path.
func writeDiff(cmd *cobra.Command, sides [2]policy.Bundle, names [2]string) (changed bool, err error) {
	all := maps.Clone(sides[0])
	maps.Copy(all, sides[1])
	for _, path := range slices.Sorted(maps.Keys(all)) {
		before, was := sides[0][path]
		after, is := sides[1][path]
		if was == is && bytes.Equal(before, after) {
			continue
		}
		changed = true
		titles := [2]string{names[0] + "/" + path, names[1] + "/" + path}
		for i, there := range []bool{was, is} {
			if !there {
				titles[i] = "/dev/null"
			}
		}
		text := diff.Diff(titles[0], before, titles[1], after)
		if _, err := fmt.Fprint(cmd.OutOrStdout(), printableText(string(text))); err != nil {
			return changed, err
		}
	}
	return changed, nil
}
