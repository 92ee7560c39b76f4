package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/adapter"
)

func newAdapterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adapter",
		Short: "Write, build, test and try adapters",
	}
	cmd.AddCommand(newAdapterNewCommand(), newAdapterBuildCommand(), newAdapterTestCommand(), newAdapterInspectCommand(), newAdapterDryRunCommand(),
		newAdapterInstallCommand(), newAdapterListCommand(), newAdapterRemoveCommand())
	return cmd
}

// openAdapters opens a runtime for one command. Compiled modules are kept in the user's cache where there may be one: without
// it every command would compile the shipped adapters for a second.
func openAdapters(ctx context.Context) (*adapter.Runtime, error) {
	if dir, err := os.UserCacheDir(); err == nil {
		if r, err := adapter.Open(ctx, adapter.Options{CacheDir: filepath.Join(dir, "caio", "adapters")}); err == nil {
			return r, nil
		}
	}
	return adapter.Open(ctx, adapter.Options{})
}

// findAdapter loads the shipped modules and those in dir, as 'caio serve' does, and returns the adapter that a contract names.
func findAdapter(ctx context.Context, r *adapter.Runtime, dir, plugin, digest string) (*adapter.Adapter, error) {
	files, err := readPlugins(dir)
	if err != nil {
		return nil, err
	}
	var modules []*adapter.Module
	for _, name := range slices.Sorted(maps.Keys(files)) {
		module, err := r.Load(ctx, name, files[name])
		if err != nil {
			return nil, fmt.Errorf("load adapter %s: %w", name, err)
		}
		modules = append(modules, module)
	}
	catalog, err := adapter.NewCatalog(modules...)
	if err != nil {
		return nil, err
	}
	return catalog.Find(plugin, digest)
}
