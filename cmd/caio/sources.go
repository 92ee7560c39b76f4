package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/policy"
)

// policySources says where a command's policy set comes from.
type policySources struct{ dir, overlay string }

// addPolicySources gives cmd the flags --policies and --policy-overlay, which mean the same everywhere.
func addPolicySources(cmd *cobra.Command) *policySources {
	s := &policySources{}
	cmd.Flags().StringVar(&s.dir, "policies", "", "directory that is the whole policy set in force (default: the embedded one)")
	cmd.Flags().StringVar(&s.overlay, "policy-overlay", "", "directory whose files are added to the set, or replace those of the same path")
	_ = cmd.MarkFlagDirname("policies")
	_ = cmd.MarkFlagDirname("policy-overlay")
	return s
}

// files returns the set's files.
func (s *policySources) files() (fs.FS, error) {
	var base fs.FS = policies.FS()
	for _, layer := range []struct{ flag, dir string }{{"policies", s.dir}, {"policy-overlay", s.overlay}} {
		if layer.dir == "" {
			continue
		}
		if info, err := os.Stat(layer.dir); err != nil {
			return nil, fmt.Errorf("--%s: %w", layer.flag, err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("--%s %s: not a directory", layer.flag, layer.dir)
		}
		if layer.flag == "policies" {
			base = os.DirFS(layer.dir)
		} else {
			base = policies.Overlay(base, os.DirFS(layer.dir))
		}
	}
	return base, nil
}

// given tells whether the command line names policies.
func (s *policySources) given() bool { return s.dir != "" || s.overlay != "" }

func (s *policySources) load() (*policy.Set, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	return policy.Load(files)
}

// notes says which of the directories named hold no policy at all: most likely another one was meant, and a set without
// policies refuses nobody.
func (s *policySources) notes() (notes []string) {
	for _, layer := range []struct{ flag, dir, so string }{
		{"policies", s.dir, "no rule refuses anybody, security's neither"},
		{"policy-overlay", s.overlay, "nothing is laid over the set"},
	} {
		if layer.dir != "" && !holdsPolicies(os.DirFS(layer.dir)) {
			notes = append(notes, fmt.Sprintf("--%s %s holds no policies (*.rego), so %s", layer.flag, layer.dir, layer.so))
		}
	}
	return notes
}

func holdsPolicies(files fs.FS) (found bool) {
	_ = fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".rego" {
			found = true
			return fs.SkipAll
		}
		return nil // what cannot be read is load's to tell
	})
	return found
}

// readPlugins returns the shipped adapter modules and those in dir, *.wasm, by name. dir empty: only the shipped ones.
func readPlugins(dir string) (map[string][]byte, error) {
	modules, err := shippedModules()
	if err != nil {
		return nil, err
	}
	if len(modules) == 0 {
		return nil, errors.New("this build ships no adapters: run 'make build'")
	}
	if dir == "" {
		return modules, nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if modules[path], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return modules, nil
}
