package main

import (
	"embed"
	"fmt"
	"path"
)

// shipped holds the modules of the shipped adapters, as far as they were built; a README keeps the directory alive without
// them.
//
//go:embed all:shipped
var shipped embed.FS

// shippedModules returns the embedded adapter modules by file name, such as "adapters.wasm"; none is no error, and the
// caller's to judge.
func shippedModules() (map[string][]byte, error) {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		return nil, fmt.Errorf("list the shipped adapters: %w", err)
	}
	modules := map[string][]byte{}
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".wasm" {
			continue
		}
		wasm, err := shipped.ReadFile(path.Join("shipped", entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read shipped adapters: %w", err)
		}
		modules[entry.Name()] = wasm
	}
	return modules, nil
}
