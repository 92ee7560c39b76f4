package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// BenchmarkFsck checks stores of traces of 4 KB, signatures, indexes and all: one that was written by many callers at once,
// in large groups, and one that was written by one, in groups of one. One iteration is one check.
//
//	go test -run '^$' -bench Fsck -benchtime 5x ./runtime/store
func BenchmarkFsck(b *testing.B) {
	for _, of := range []struct{ traces, callers int }{{100_000, 512}, {5_000, 1}} {
		dir, signer := b.TempDir(), newSigner(b)
		s := open(b, dir, store.Options{})
		log, err := trace.Open(s.Traces(), trace.Options{Signer: signer})
		if err != nil {
			b.Fatal(err)
		}
		slots := make(chan struct{}, of.callers)
		for i := range of.traces {
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
		b.Run(fmt.Sprintf("traces=%d,callers=%d", of.traces, of.callers), func(b *testing.B) {
			for range b.N {
				start, log := time.Now(), time.Duration(0)
				var last store.Progress
				r, err := store.Fsck(b.Context(), dir, store.FsckOptions{Log: verifier, Progress: func(p store.Progress) {
					if p.Traces == uint64(of.traces) && log == 0 {
						log = time.Since(start)
					}
					last = p
				}})
				if err != nil || !r.Whole() || r.Traces != uint64(of.traces) || last.Done != last.All {
					b.Fatalf("%+v, %v, %+v", r, err, last)
				}
				b.SetBytes(last.All) // the log and the tables of the indexes and the database
				b.ReportMetric(float64(r.Bytes)/1e6/log.Seconds(), "MB/s-log")
				b.ReportMetric(float64(of.traces)/float64(r.Frames), "traces/group")
			}
			b.ReportMetric(float64(of.traces*b.N)/b.Elapsed().Seconds(), "traces/s")
		})
	}
}
