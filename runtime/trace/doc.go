// Package trace is the log of decisions: whatever became of a request, one caiov1.Trace of it is appended here, in one
// order, and never changed; and whoever doubts it can check it.
//
// # What it hides
//
// One goroutine, the sequencer, owns the order. Callers of [Log.Append] that wait for the disk serialize and hash their
// trace themselves, in parallel; for those that do not another goroutine does it, the scribe. The sequencer takes
// whatever is queued (at most 256 traces and 4 MiB), numbers it, adds it to the Merkle tree (package tree), signs a
// checkpoint of that, and hands all of it to the [Storage] as one group that is written whole or not at all. While
// somebody waits for a trace to be durable nothing lingers; else a group gathers for a few milliseconds. Readers never
// wait for the sequencer unless they look for what is still queued.
//
// # What it guarantees
//
//   - Append of [Durable] returns nil only once the trace is on disk; of [Queued], once it has its place in the queue,
//     which is bounded, drops nothing, and makes callers wait.
//   - [Log.Admit] refuses requests before any work is done for them: the queue is full, the disk is nearly full, the
//     log has stopped. What is queued already still has its room.
//   - Sequence numbers have no gaps, begin at 0 and go on after a restart.
//   - A trace's bytes are stored as they were serialized first; its hash is the sha256 of exactly those bytes, checked
//     again whenever it is read. The log's entry commits to that hash.
//   - A log whose tree is not the one that its newest checkpoint names is not opened.
//   - Get and List see every trace whose Append returned before, queued or not.
//   - After a write of which nobody knows whether it happened, the log takes no more traces ([ErrStopped]): numbering on
//     would leave a gap or give a number twice. Opening the storage again shows what is really there.
//
// The log starts these two goroutines; [Log.Close] stops them and waits.
//
//	log, err := trace.Open(storage, trace.Options{Signer: signer})
//	defer log.Close()
//	err = log.Append(ctx, t, trace.Durable)      // on disk now
//	stored, err := log.Get(ctx, t.TraceId)
//	page, next, err := log.List(ctx, trace.Query{Tenant: "acme", Status: "refused"})
//	proof, err := log.Prove(ctx, stored.Sequence, 0) // that it is in the log
package trace
