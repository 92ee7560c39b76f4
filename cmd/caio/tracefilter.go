package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// traceFilter is which traces a command is about, as its flags say; all that is set must hold.
type traceFilter struct {
	request      *caiov1.TraceServiceListRequest
	since, until string
	minDuration  time.Duration
}

// addTraceFilter gives cmd the flags that choose traces.
func addTraceFilter(cmd *cobra.Command) *traceFilter {
	t := &traceFilter{request: &caiov1.TraceServiceListRequest{}}
	f := cmd.Flags()
	f.StringVar(&t.request.Tenant, "tenant", "", "of this tenant")
	f.StringVar(&t.request.ServiceId, "service", "", "answered by, or in vain tried with, this service")
	f.StringVar(&t.request.Status, "status", "", "ok, decided, refused, failed or canceled")
	f.StringVar(&t.request.RequestId, "request-id", "", "with this context.request_id, the caller's own name for the request")
	f.StringVar(&t.request.Rule, "rule", "", "in which the rule of this id refused a candidate or found a violation")
	f.BoolVar(&t.request.Violations, "violations", false, "only those in which a guarantee was broken")
	f.DurationVar(&t.minDuration, "min-duration", 0, "that took at least so long, such as 250ms")
	f.Float64Var(&t.request.MinCost, "min-cost", 0, "that cost at least so much, in whatever currency it was")
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions([]string{"ok", "decided", "refused", "failed", "canceled"}, cobra.ShellCompDirectiveNoFileComp))
	return t
}

// addSpan gives cmd the flags that say of when.
func (t *traceFilter) addSpan(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.since, "since", "", "not before: a time (2026-11-22T12:00:00Z) or how long ago (90s, 2h)")
	f.StringVar(&t.until, "until", "", "before: a time or how long ago")
}

// message is the filter as it is sent.
func (t *traceFilter) message(now time.Time) (_ *caiov1.TraceServiceListRequest, err error) {
	if t.minDuration < 0 {
		return nil, errors.New("--min-duration: must not be negative")
	}
	t.request.MinDurationMs = float64(t.minDuration) / float64(time.Millisecond)
	if t.request.Since, err = moment("--since", t.since, now); err != nil {
		return nil, err
	}
	t.request.Until, err = moment("--until", t.until, now)
	return t.request, err
}
