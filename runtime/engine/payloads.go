package engine

import (
	"log/slog"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/smarthausgroup/caio/runtime/policy"
)

// maxKept bounds what one trace keeps of payloads, in bytes: a trace has a bound itself, and must not fail for what it
// need not hold. What would be larger is not kept, as if no rule said so.
const maxKept = 8 << 20

// The fields of a Trace and of its Kept.
const (
	keptOfTrace  = 14
	intentOfKept = 1
	resultOfKept = 2
)

// kept returns what traces keep of the payloads of those whom tenant sends, by the policies of s. Where they cannot tell
// it is nothing.
func (e *Engine) kept(s *Snapshot, tenant string) policy.Kept {
	k, err := s.Policies.Keep(tenant)
	if err != nil {
		e.opts.Logger.Error("no payloads are kept: the policies cannot tell what is to be", slog.String("policies", s.Policies.Digest()),
			slog.String("tenant", tenant), "error", err)
	}
	return k
}

// keepPayloads puts into the trace what it is to keep, in the very bytes that its digests are of.
func (w *walk) keepPayloads() {
	var kept []byte
	if w.asked.intent != nil {
		kept = protowire.AppendTag(kept, intentOfKept, protowire.BytesType)
		kept = protowire.AppendBytes(kept, w.asked.intent)
	}
	if w.result != nil {
		kept = protowire.AppendTag(kept, resultOfKept, protowire.BytesType)
		kept = protowire.AppendBytes(kept, w.result)
	}
	if len(kept) == 0 || len(kept) > maxKept {
		return
	}
	m := w.trace.ProtoReflect()
	// What is carried already is the decision's own memory.
	carried := protowire.AppendTag(slices.Clone(m.GetUnknown()), keptOfTrace, protowire.BytesType)
	m.SetUnknown(protowire.AppendBytes(carried, kept))
}
