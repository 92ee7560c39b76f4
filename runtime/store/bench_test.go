package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// benchTrace returns a trace of about 4 KB, one of many tenants and services. As the engine does, it carries request and
// decision as the bytes that its caller is answered with.
func benchTrace(b testing.TB, i int64) *caiov1.Trace {
	at := time.Unix(1_800_000_000+i/1000, i%1000*1e6)
	id, err := trace.NewID(at, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	t := &caiov1.Trace{
		TraceId: id, Time: timestamppb.New(at), Status: []string{"ok", "ok", "ok", "refused"}[i%4],
		ServiceId: fmt.Sprint("service-", i%50),
	}
	told := &caiov1.Trace{
		Request:  &caiov1.Request{Principal: &caiov1.Principal{Subject: "u1", Tenant: fmt.Sprint("tenant-", i%20)}},
		Decision: &caiov1.Decision{},
	}
	for c := range 26 {
		told.Decision.Candidates = append(told.Decision.Candidates, &caiov1.Candidate{
			ServiceId: fmt.Sprint("service-", c), Outcome: "rule", ContractDigest: id + id,
			Reasons: []*caiov1.Reason{{Rule: "caio.routing.privacy.deny", File: "routing/privacy.rego", Line: 12}},
		})
	}
	carried, err := proto.Marshal(told)
	if err != nil {
		b.Fatal(err)
	}
	t.ProtoReflect().SetUnknown(carried)
	return t
}

// BenchmarkAppend appends durable traces of 4 KB from many callers at once; one iteration is one trace.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := open(b, b.TempDir(), store.Options{})
			log, err := trace.Open(s.Traces(), trace.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			traces := make([]*caiov1.Trace, b.N)
			for i := range traces {
				traces[i] = benchTrace(b, int64(i))
			}
			var next atomic.Int64
			b.SetParallelism(max(1, callers/2))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := log.Append(context.Background(), traces[next.Add(1)-1], trace.Durable); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "traces/s")
		})
	}
}

// BenchmarkRead reads from a store of 200,000 traces.
func BenchmarkRead(b *testing.B) {
	const n = 200_000
	dir := b.TempDir()
	s := open(b, dir, store.Options{})
	log, err := trace.Open(s.Traces(), trace.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, n)
	slots := make(chan struct{}, 512)
	for i := range ids {
		slots <- struct{}{}
		t := benchTrace(b, int64(i))
		ids[i] = t.TraceId
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
	b.Run("open", func(b *testing.B) {
		for range b.N {
			open(b, dir, store.Options{}).Close()
		}
		tables, err := filepath.Glob(filepath.Join(dir, "traces", "*", "index", "*.sst"))
		if err != nil {
			b.Fatal(err)
		}
		size := int64(0)
		for _, name := range tables {
			info, err := os.Stat(name)
			if err != nil {
				b.Fatal(err)
			}
			size += info.Size()
		}
		b.ReportMetric(float64(size)/n, "tablebytes/trace")
	})
	s = open(b, dir, store.Options{})
	if log, err = trace.Open(s.Traces(), trace.Options{}); err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	b.Run("get", func(b *testing.B) {
		for i := range b.N {
			if _, err := log.Get(b.Context(), ids[i*7919%n]); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, q := range map[string]trace.Query{
		"newest":                {},
		"tenant":                {Tenant: "tenant-3"},
		"tenant,time":           {Tenant: "tenant-3", Since: time.Unix(1_800_000_050, 0), Until: time.Unix(1_800_000_100, 0)},
		"tenant,service,status": {Tenant: "tenant-3", Service: "service-3", Status: "refused"},
		"service,status":        {Service: "service-4", Status: "ok"},
		"disjoint":              {Service: "service-4", Status: "refused"}, // 4,000 and 50,000 traces that have nothing in common
	} {
		b.Run("list/"+name, func(b *testing.B) {
			for range b.N {
				if _, _, err := log.List(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
