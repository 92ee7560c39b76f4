package store_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// BenchmarkFsck checks a store of 100,000 traces of 4 KB, signatures, indexes and all; one iteration is one check.
//
//	go test -run '^$' -bench Fsck -benchtime 3x ./runtime/store
func BenchmarkFsck(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	s := open(b, dir, store.Options{})
	signer := newSigner(b)
	log, err := trace.Open(s.Traces(), trace.Options{Signer: signer})
	if err != nil {
		b.Fatal(err)
	}
	slots := make(chan struct{}, 512)
	for i := range n {
		slots <- struct{}{}
		t := benchTrace(b, int64(i))
		go func() {
			if err := log.Append(context.Background(), t, trace.Durable); err != nil {
				b.Error(err)
			}
			<-slots
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	log.Close()
	s.Close()
	verifier, err := signer.Verifier()
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		start, indexed := time.Now(), time.Duration(0)
		var last store.Progress
		r, err := store.Fsck(b.Context(), dir, store.FsckOptions{Log: verifier, Progress: func(p store.Progress) {
			if p.Traces == n && indexed == 0 {
				indexed = time.Since(start)
			}
			last = p
		}})
		if err != nil || !r.Whole() || r.Traces != n || last.Done != last.All {
			b.Fatalf("%+v, %v, %+v", r, err, last)
		}
		b.SetBytes(last.All)
		b.ReportMetric(indexed.Seconds(), "s-log")
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "traces/s")
		fmt.Fprintln(os.Stderr, r.Frames, r.Rows, r.Bytes, last.All, r.Signatures)
	}
}
