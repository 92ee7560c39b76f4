package main

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/audit"
	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// replayCheck is the name of the check that decides again. It is none of package audit, which has nothing to decide with.
const replayCheck = "replay"

// replayed decides again what b holds, by what b says decided. OPA evaluates the policies: it shares no code of evaluation
// with what decided, unless the server ran with it.
func replayed(ctx context.Context, b *caiov1.Bundle) audit.Check {
	said := func(outcome, format string, args ...any) audit.Check {
		return audit.Check{Name: replayCheck, Outcome: outcome, Said: fmt.Sprintf(format, args...)}
	}
	trace := &caiov1.Trace{}
	switch err := proto.Unmarshal(b.GetTrace(), trace); {
	case err != nil:
		return said(audit.Failed, "there is no trace to decide again")
	case trace.GetDecision() == nil:
		return said(audit.Skipped, "nothing was decided")
	case b.GetSnapshot() == nil:
		return said(audit.Failed, "the bundle does not hold what decided; get one that does: 'caio trace bundle %.64s --snapshot'", trace.GetTraceId())
	}
	again, err := engine.Replay(ctx, b.GetTrace(), b.GetSnapshot(), "")
	switch {
	case err != nil:
		return said(audit.Failed, "it cannot be decided again: %v", err)
	case len(again.Blind) > 0:
		rule := again.Blind[0]
		return said(audit.Skipped, "not decided again: %s (%s:%d) reads what was to be done, which the trace does not hold", rule.ID, rule.File, rule.Line)
	case again.Same:
		return said(audit.OK, "the same inputs give the same decision, byte for byte")
	}
	var differ []string
	for _, m := range append(again.Inputs, again.Fields...) {
		if len(differ) < 6 {
			differ = append(differ, m.String())
		}
	}
	return said(audit.Failed, "decided again it comes out otherwise: %s", strings.Join(differ, "; "))
}
