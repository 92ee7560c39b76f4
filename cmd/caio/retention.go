package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// parseRetention reads --retention: days for everybody, "90", and for tenants that have their own, "acme=30". 0 days: for
// ever, as is the default.
func parseRetention(values []string) (keep trace.Retention, err error) {
	for _, value := range values {
		tenant, days, own := strings.Cut(value, "=")
		if !own {
			days = value
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(days, "d"), 10, 16)
		if err != nil || own && tenant == "" {
			return keep, fmt.Errorf("--retention %q: neither days for everybody (90) nor for a tenant (acme=30)", value)
		}
		of := time.Duration(n) * 24 * time.Hour
		if !own {
			keep.Default = of
			continue
		}
		if keep.Tenants == nil {
			keep.Tenants = map[string]time.Duration{}
		}
		keep.Tenants[tenant] = of
	}
	return keep, nil
}

// retainEvery is how often it is looked for bodies that are kept too long.
const retainEvery = time.Hour

// retain removes bodies as their time comes, now and from then on, until the house is taken down.
func retain(ctx context.Context, keep trace.Retention, traces *trace.Log, log *slog.Logger, down *closers) {
	if keep.Default == 0 && len(keep.Tenants) == 0 {
		return
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		again := time.NewTicker(retainEvery)
		defer again.Stop()
		for {
			removed, err := traces.Retain(ctx, time.Now(), rand.Reader, keep)
			switch {
			case err != nil && !errors.Is(err, context.Canceled):
				log.ErrorContext(ctx, "traces that are kept too long were not all removed; it is tried again in an hour", "removed", removed, "error", err)
			case removed > 0:
				log.InfoContext(ctx, "traces that were kept long enough are removed", "traces", removed)
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	down.add(func() error {
		stop()
		<-done
		return nil
	})
}
