package trace

import (
	"time"
)

// scribe makes records of the traces that were given, in their order. It ends when given is closed and empty, and then
// closes the queue: who sends to that has ended before.
//
// The first trace wakes it; then it waits a while before it begins, unless somebody is in a hurry: a caller who had to
// wake it for each trace would pay more for that than for all else that recording asks of it.
func (l *Log) scribe() {
	defer close(l.queue)
	late := time.NewTimer(linger)
	defer late.Stop()
	for e := range l.given {
		if e.trace != nil {
			late.Reset(linger)
			select {
			case <-late.C:
			case <-l.hurry:
			}
		}
		l.write(e)
		for n := len(l.given); n > 0; n-- {
			l.write(<-l.given) // nobody else receives
		}
	}
}

// write makes e a record and hands it to the sequencer.
func (l *Log) write(e entry) {
	if e.trace != nil {
		r, err := newRecord(e.trace)
		if err != nil {
			l.logger.Error("a trace could not be written as it is; another takes its place", "trace_id", e.trace.TraceId, "error", err)
			r, err = unserializable(e.trace, err)
		}
		if err != nil {
			l.logger.Error("a trace is lost", "trace_id", e.trace.TraceId, "error", err)
			return
		}
		e = entry{record: &r, fate: e.fate}
	}
	l.queue <- e
}

// hasten makes the scribe begin now.
func (l *Log) hasten() {
	select {
	case l.hurry <- struct{}{}:
	default:
	}
}
