package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/audit"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newTraceBundleCommand() *cobra.Command {
	var path string
	request := &caiov1.TraceServiceBundleRequest{}
	cmd := &cobra.Command{
		Use:   "bundle ID",
		Short: "Write one file with all that an auditor needs to check a trace",
		Long: `Bundle writes a trace, the proof that it is in the log, and the log's newest checkpoint into one file. 'caio trace verify'
checks it without a server and without a network. With --snapshot it holds the contracts and policies that decided as
well, with --adapters also the modules that executed; both are for those who may read every tenant's contracts.

Who knows an earlier checkpoint names its size with --earlier: the file then shows that the log goes on from it.`,
		Example: "  caio trace bundle 5f0c1d2e3b4a59687766554433221100 --out decision.bundle\n" +
			"  caio trace bundle ID --out decision.bundle --snapshot --earlier 4711",
		Args: cobra.ExactArgs(1),
	}
	remote := addRemote(cmd, registryTimeout)
	f := cmd.Flags()
	f.StringVar(&path, "out", "", "file to write (default ID.bundle)")
	f.BoolVar(&request.Snapshot, "snapshot", false, "include the contracts and policies that decided")
	f.BoolVar(&request.Adapters, "adapters", false, "include the adapters that executed, and with them what decided")
	f.Uint64Var(&request.EarlierSize, "earlier", 0, "entries of a checkpoint that is known, to be shown to be the log's beginning")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		request.TraceId = args[0]
		response, err := peer.traces.Bundle(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		if path == "" {
			path = args[0] + ".bundle"
		}
		var file bytes.Buffer
		if err := audit.Write(&file, response.Msg.GetBundle()); err != nil {
			return failed(err)
		}
		if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
			return failed(fmt.Errorf("write the bundle: %w", err))
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes\n", path, file.Len())
		showBundle(cmd.OutOrStdout(), response.Msg.GetBundle())
		return nil
	}
	return cmd
}

// showBundle tells what is in b.
func showBundle(w io.Writer, b *caiov1.Bundle) {
	p, s := b.GetLog(), b.GetSnapshot()
	checkpoint, _ := tree.ParseCheckpoint(string(p.GetCheckpoint()))
	earlier, decided := "", "not included"
	if p.GetEarlierSize() > 0 {
		earlier = fmt.Sprintf("of %d entries, shown to be the log's beginning", p.GetEarlierSize())
	}
	if s != nil {
		decided = fmt.Sprintf("%d contracts, %d files of policies, %d adapters, by release %s",
			len(s.GetContracts()), len(s.GetPolicies()), len(s.GetAdapters()), orDash(s.GetRelease()))
	}
	pairs(w,
		[2]string{"trace", fmt.Sprintf("%d bytes, entry %d", len(b.GetTrace()), p.GetIndex())},
		[2]string{"checkpoint", fmt.Sprintf("%s, %d entries", checkpoint.Origin, checkpoint.Size)},
		[2]string{"earlier", earlier},
		[2]string{"what decided", decided},
		[2]string{"key", b.GetLogKey()},
	)
}

func newTraceKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the public key of a server's log",
		Long: `Key prints the public key that the server's log is signed with. Keep it where the server cannot change it: a
checkpoint that verifies with a key that came with it shows nothing.`,
		Example: "  caio trace key > log.key && caio trace verify decision.bundle --key log.key",
		Args:    noArguments,
	}
	remote := addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		key, err := remote.logKey(cmd)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), key)
		return nil
	}
	return cmd
}

// logKey asks the server for the key of its log.
func (r *remote) logKey(cmd *cobra.Command) (string, error) {
	ctx, peer, err := r.dial(cmd.Context())
	if err != nil {
		return "", err
	}
	defer peer.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, peer.address+"/log/key", nil)
	if err != nil {
		return "", failed(err)
	}
	answer, err := peer.client.Do(request)
	if err != nil {
		return "", peer.explain(err)
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return "", peer.explain(err)
	}
	key := strings.TrimSpace(string(raw))
	if _, err := tree.NewVerifier(key); err != nil || answer.StatusCode != http.StatusOK {
		return "", failed(errors.New(peer.address + "/log/key did not answer with a log's key: " + answer.Status +
			"\n  next: check the address, and 'caio version --server " + peer.address + "'"))
	}
	return key, nil
}
