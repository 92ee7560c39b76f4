package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// runFsck checks a whole log that is served, with Tessera's fsck: it reads every bundle of entries, computes the tree anew,
// and holds each tile and the root in the signed checkpoint against it.
//
// Tessera's own command says what it found but ends with 0 in any case, so that nothing could be built on it; hence this
// one.
func runFsck(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("fsck", flag.ContinueOnError)
	at := f.String("url", "", "where the log is served, such as http://127.0.0.1:7400/log/")
	key := f.String("key", "", "file with the log's public key (signed-note: name+hash+base64)")
	workers := f.Uint("workers", 8, "how many resources are fetched at once")
	limit := f.Duration("timeout", 10*time.Minute, "how long it may take")
	if err := f.Parse(args); err != nil {
		return err
	}
	raw, err := os.ReadFile(*key)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(raw)))
	if err != nil {
		return fmt.Errorf("--key %s: %w", *key, err)
	}
	root, err := url.Parse(*at)
	if err != nil || root.Host == "" {
		return fmt.Errorf("--url %q: must be an address such as http://127.0.0.1:7400/log/", *at)
	}
	source, err := client.NewHTTPFetcher(root, &http.Client{Timeout: time.Minute})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	check := fsck.New(verifier.Name(), verifier, source, hashes, fsck.Opts{N: *workers})
	// A tile that is wrong ends one of Tessera's workers; when all have ended, Check waits for ever. So it is left
	// behind when its time is up: this process ends then.
	done := make(chan error, 1)
	go func() { done <- check.Check(ctx) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = fmt.Errorf("it did not end within %v: %w", *limit, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("check the log at %s: %.400s", *at, err) // Tessera shows whole tiles
	}
	checkpoint, _, _, err := client.FetchCheckpoint(ctx, source.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		return err
	}
	fmt.Printf("the log %s at %s holds; %d entries by now\n", verifier.Name(), *at, checkpoint.Size)
	return nil
}

// hashes are those of the entries of a bundle.
func hashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	if len(b.Entries) == 0 {
		return nil, errors.New("a bundle without entries")
	}
	out := make([][]byte, len(b.Entries))
	for i, entry := range b.Entries {
		out[i] = rfc6962.DefaultHasher.HashLeaf(entry)
	}
	return out, nil
}
