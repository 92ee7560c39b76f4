package main

import (
	"cmp"
	"encoding/json"
	"io"
	"runtime/debug"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// version is what the Makefile calls this build; the linker sets it. Empty: the toolchain's word is taken.
var version string

// buildVersion is what this binary was built from, as the toolchain wrote it down: the version ("devel" where nobody
// named one), the commit where it was built in a checkout ("+changed" if files differed from it).
func buildVersion() *caiov1.VersionResponse {
	v := &caiov1.VersionResponse{Version: cmp.Or(version, "devel")}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.GoVersion = info.GoVersion
	if version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if changed && v.Commit != "" {
		v.Commit += "+changed"
	}
	return v
}

func newVersionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show what this binary was built from, and with --server what runs there",
		Example: "  caio version\n  caio version --server http://127.0.0.1:7400 -o json",
		Args:    noArguments,
	}
	out, remote := addOutput(cmd), addRemote(cmd, 10*time.Second)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		local := buildVersion()
		if !cmd.Flags().Changed("server") {
			if out.json() {
				return versionJSON(cmd.OutOrStdout(), local, nil)
			}
			pairs(cmd.OutOrStdout(), versionPairs(local)...)
			return nil
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.system.Version(ctx, connect.NewRequest(&caiov1.VersionRequest{}))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return versionJSON(cmd.OutOrStdout(), local, response.Msg)
		}
		pairs(cmd.OutOrStdout(), append(versionPairs(local), serverPairs(peer.address, response.Msg)...)...)
		return nil
	}
	return cmd
}

// versionJSON writes {"local": ..., "server": ...}, without server where none was asked.
func versionJSON(w io.Writer, local, server *caiov1.VersionResponse) error {
	parts := map[string]json.RawMessage{}
	for name, v := range map[string]*caiov1.VersionResponse{"local": local, "server": server} {
		if v == nil {
			continue
		}
		raw, err := schema.JSON(v)
		if err != nil {
			return err
		}
		parts[name] = raw
	}
	return document(w, parts)
}

func versionPairs(v *caiov1.VersionResponse) [][2]string {
	return [][2]string{{"version", v.GetVersion()}, {"commit", v.GetCommit()}, {"go", v.GetGoVersion()}}
}

func serverPairs(address string, v *caiov1.VersionResponse) [][2]string {
	rows := [][2]string{
		{"server", address}, {"  version", v.GetVersion()}, {"  commit", v.GetCommit()}, {"  go", v.GetGoVersion()},
		{"  policies", v.GetPoliciesDigest()}, {"  registry", v.GetRegistryDigest()},
	}
	for _, a := range v.GetAdapters() {
		rows = append(rows, [2]string{"  adapter", a.GetName() + " " + short(a.GetDigest())})
	}
	return rows
}
