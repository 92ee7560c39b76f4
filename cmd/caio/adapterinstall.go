package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// adapterTimeout is how long a call that changes the adapters may take: a module is compiled and tried meanwhile.
const adapterTimeout = 2 * time.Minute

func newAdapterInstallCommand() *cobra.Command {
	var reason, signature, tenant string
	cmd := &cobra.Command{
		Use:   "install FILE",
		Short: "Bring a module of adapters into force on a running server",
		Long: `Send the module in FILE to a running server. It is read, compiled and tried there in a process of its own, and is in force for the
next decision: its adapters stand over those of the same names, and contracts that pin a digest go on with theirs. What runs
finishes with the adapter it began with. Needs the role admin or operator, and no tenant.

Where the server trusts keys (serve --adapter-key), the module's bytes must be signed:
  openssl pkeyutl -sign -rawin -inkey key.pem -in FILE -out FILE.sig`,
		Example: "  caio adapter install acme.wasm --signature acme.wasm.sig --reason 'their API is at version 2'",
		Args:    cobra.ExactArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, adapterTimeout)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read the list")
	cmd.Flags().StringVar(&signature, "signature", "", "file with the Ed25519 signature of FILE, 64 bytes")
	cmd.Flags().StringVar(&tenant, "tenant", "", "tenant whose key signed it (default: the operator's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wasm, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		request := &caiov1.AdapterServiceInstallRequest{Module: wasm, Name: filepath.Base(args[0]), Reason: reason, Tenant: tenant}
		if signature != "" {
			if request.Signature, err = os.ReadFile(signature); err != nil {
				return err
			}
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.adapters.Install(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		module := response.Msg.GetModule()
		if out.json() {
			return message(cmd.OutOrStdout(), module)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "installed %s: %s; digest %s\n", module.GetName(), offered(module), module.GetDigest())
		return nil
	}
	return cmd
}

func newAdapterListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the modules of adapters that a running server has",
		Long:    "List the modules of adapters that a running server has; later ones stand over earlier ones.",
		Example: "  caio adapter list -o json",
		Args:    noArguments,
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.adapters.List(ctx, connect.NewRequest(&caiov1.AdapterServiceListRequest{}))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		var rows [][]string
		for _, m := range response.Msg.GetModules() {
			by, at := "the server", "-"
			if !m.GetShipped() {
				by, at = orDash(m.GetInstalledBy()), m.GetTime().AsTime().Format(time.RFC3339)
			}
			signed := "-"
			if m.GetSigned() {
				signed = "by " + m.GetTenant()
				if m.GetTenant() == "" {
					signed = "by the operator"
				}
			}
			rows = append(rows, []string{m.GetName(), fmt.Sprintf("%.12s", m.GetDigest()), by, at, signed, offered(m)})
		}
		return table(cmd.OutOrStdout(), []string{"MODULE", "DIGEST", "FROM", "SINCE", "SIGNED", "ADAPTERS"}, rows)
	}
	return cmd
}

func newAdapterRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove DIGEST",
		Short:   "Take an installed module out of force on a running server",
		Long:    "Take an installed module out of force on a running server. DIGEST has all its 64 digits. What runs with it finishes.",
		Example: "  caio adapter remove 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
		Args:    cobra.ExactArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.adapters.Remove(ctx, connect.NewRequest(&caiov1.AdapterServiceRemoveRequest{Digest: args[0]}))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "removed %.12s\n", args[0])
		if stranded := response.Msg.GetStranded(); len(stranded) > 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "services without their adapter now: %s\n", strings.Join(stranded, ", "))
		}
		return nil
	}
	return cmd
}

func offered(m *caiov1.AdapterModule) string {
	var names []string
	for _, a := range m.GetAdapters() {
		names = append(names, a.GetName())
	}
	return strings.Join(names, ", ")
}

// trialCommand is what a server calls itself with to try a module.
const trialCommand = "adapter-trial"

// trial is the command line of a process that tries a module for a server whose compile cache is dir.
func trial(dir string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own program, which tries adapters: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	return []string{self, trialCommand, dir}, nil
}

func newTrialCommand() *cobra.Command {
	return &cobra.Command{
		Use: trialCommand + " CACHE", Short: "Try an adapter module: what a server calls, in a process of its own", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return adapter.Try(context.WithoutCancel(cmd.Context()), cmd.InOrStdin(), cmd.OutOrStdout(), adapter.Options{CacheDir: args[0]})
		},
	}
}

// readAdapterKeys reads the flags --adapter-key: FILE is the operator's, TENANT=FILE a tenant's; each a PEM public key.
func readAdapterKeys(flags []string) (engine.AdapterKeys, error) {
	keys := engine.AdapterKeys{}
	for _, flag := range flags {
		tenant, file, named := strings.Cut(flag, "=")
		if !named {
			tenant, file = "", flag
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--adapter-key: %w", err)
		}
		block, _ := pem.Decode(raw)
		if block == nil {
			return nil, fmt.Errorf("--adapter-key %s: no PEM in it; 'openssl pkey -in key.pem -pubout' writes the public key", file)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("--adapter-key %s: %w", file, err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("--adapter-key " + file + ": only Ed25519 keys are taken; 'openssl genpkey -algorithm ed25519' makes one")
		}
		keys[tenant] = append(keys[tenant], key)
	}
	return keys, nil
}
