// Package trace is the log of decisions: whatever became of a request, one caiov1.Trace of it is appended here, durably,
// in one order, and never changed.
//
// # What it hides
//
// One goroutine, the sequencer, owns the order. Callers of [Log.Append] serialize and hash their trace themselves, in
// parallel, and queue it; the sequencer takes whatever is queued (at most 256 traces and 4 MiB), numbers it, and hands
// it to the [Storage] as one group that is written whole or not at all. Nothing lingers: while one group is being made
// durable, the next one gathers. Readers never wait for the sequencer.
//
// # What it guarantees
//
//   - Append returns nil only once the trace is durable.
//   - Sequence numbers have no gaps, begin at 0 and go on after a restart.
//   - A trace's bytes are stored as they were serialized first; its hash is the sha256 of exactly those bytes, checked
//     again whenever it is read.
//   - After a write of which nobody knows whether it happened, the log takes no more traces ([ErrStopped]): numbering on
//     would leave a gap or give a number twice. Opening the storage again shows what is really there.
//
// The log starts one goroutine; [Log.Close] stops it and waits.
//
//	log, err := trace.Open(storage, trace.Options{})
//	defer log.Close()
//	err = log.Append(ctx, t)              // durable now
//	stored, err := log.Get(ctx, t.TraceId)
//	page, next, err := log.List(ctx, trace.Query{Tenant: "acme", Status: "refused"})
package trace
