package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// runBench appends entries to Tessera's POSIX log and prints how many a second, and how long each took until it was on disk
// and in the tree. Callers wait for their entry before they bring the next.
//
// What is set is in Tessera's favour. A batch has as many entries as there are callers and fills two bundles, so that no
// partial one is written; it waits 100 ms for them, which it never needs, because at 5 ms it goes out half empty and the
// rate falls to a fifth. Checkpoints are signed once a second, where ours are signed with each group; nobody looks for
// duplicates; no garbage of partial tiles is collected. An entry counts as soon as Tessera says that it has its place in
// the tree, without a checkpoint that covers it.
func runBench(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	dir := f.String("dir", "", "empty directory, on the disk that is to be measured")
	length := f.Duration("for", 30*time.Second, "how long")
	callers := f.Int("callers", 512, "how many append at once")
	size := f.Int("bytes", 4096, "of an entry")
	batch := f.Uint("batch", 512, "entries in a batch")
	age := f.Duration("batch-age", 100*time.Millisecond, "how long a batch that is not full waits")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *dir == "" || *callers < 1 || *size < 8 || *size > tessera.DefaultEntrySizeLimit {
		return fmt.Errorf("--dir must be named; there must be a caller, and 8 to %d bytes", tessera.DefaultEntrySizeLimit)
	}
	skey, _, err := note.GenerateKey(rand.Reader, "bench.invalid")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(*dir, "tessera")})
	if err != nil {
		return err
	}
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(time.Second).
		WithBatching(*batch, *age).
		WithGarbageCollectionInterval(0))
	if err != nil {
		return err
	}
	took, elapsed, err := load(ctx, appender, *length, *callers, *size)
	if err := errors.Join(err, shutdown(ctx)); err != nil {
		return err
	}
	slices.Sort(took)
	n := len(took)
	if n == 0 {
		return errors.New("no entry was integrated")
	}
	name := "tessera_posix_callers_" + strconv.Itoa(*callers)
	print := func(what string, value float64, unit string) {
		fmt.Printf("%-52s %12.2f %s\n", name+"_"+what, value, unit)
	}
	print("rate", float64(n)/elapsed.Seconds(), "per_s")
	print("integrated_p50", float64(took[n/2].Microseconds())/1000, "ms")
	print("integrated_p99", float64(took[n*99/100].Microseconds())/1000, "ms")
	return nil
}

// load returns how long each entry took, and all of them together.
func load(ctx context.Context, log *tessera.Appender, length time.Duration, callers, size int) ([]time.Duration, time.Duration, error) {
	body := make([]byte, size)
	rand.Read(body)
	var (
		next  atomic.Uint64
		wg    sync.WaitGroup
		times = make([][]time.Duration, callers)
		errs  = make([]error, callers)
	)
	begin := time.Now()
	for i := range callers {
		wg.Go(func() {
			for time.Since(begin) < length && ctx.Err() == nil {
				entry := slices.Clone(body)
				binary.BigEndian.PutUint64(entry, next.Add(1))
				start := time.Now()
				if _, err := log.Add(ctx, tessera.NewEntry(entry))(); err != nil {
					if errors.Is(err, tessera.ErrPushback) {
						continue
					}
					errs[i] = err
					return
				}
				times[i] = append(times[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	return slices.Concat(times...), time.Since(begin), errors.Join(errs...)
}
