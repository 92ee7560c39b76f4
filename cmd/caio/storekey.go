package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/smarthausgroup/caio/runtime/store"
)

// readStoreKey reads the key by which a store is encrypted. "": none.
func readStoreKey(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--encryption-key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(key) != store.KeySize {
		return nil, fmt.Errorf("--encryption-key %s: expected are %d hex digits; 'openssl rand -hex %d' makes some", file, 2*store.KeySize, store.KeySize)
	}
	return key, nil
}
