package trace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// sequencer is the state of the sequencing goroutine.
type sequencer struct {
	*Log
	edge   tree.Edge   // of what is written
	timer  *time.Timer // since Go 1.23 a stopped or reset one sends nothing stale
	group  []entry
	kept   []entry  // queued ones that the storage refused; they are tried again before all else
	levels [][]byte // memory for a group's hashes
}

// sequence is the sequencer: the only goroutine that numbers and writes. It ends when the queue is closed and empty.
func (l *Log) sequence(edge tree.Edge) {
	defer close(l.done)
	defer l.watchers.close()
	s := sequencer{Log: l, edge: edge, timer: time.NewTimer(straggle), group: make([]entry, 0, maxGroup)}
	defer s.timer.Stop()
	for {
		if len(s.kept) > 0 {
			if !s.retry() {
				s.giveUp()
				return
			}
			continue
		}
		e, ok := <-l.queue
		if !ok {
			return
		}
		s.gather(e)
		s.write(s.group)
		clear(s.group) // the bodies are not held until the next full group
	}
}

// gather makes a group of first and whatever is queued, up to a group's size. While nobody waits for any of it, it lets
// more come for a while.
func (s *sequencer) gather(first entry) {
	s.group = append(s.group[:0], first)
	size, hurry := first.size(), first.fate != nil
	for len(s.group) < maxGroup && size < maxGroupBytes {
		e, ok := s.next(hurry, len(s.group) == 1)
		if !ok {
			return
		}
		s.group = append(s.group, e)
		size += e.size()
		hurry = hurry || e.fate != nil
	}
}

// next returns what is queued next; false if there is nothing: at once if there is a hurry, else after a while, which
// begins with the group's first entry.
func (s *sequencer) next(hurry, first bool) (entry, bool) {
	if first {
		s.timer.Reset(straggle)
	}
	select {
	case e, ok := <-s.queue:
		return e, ok
	default:
	}
	if hurry {
		return entry{}, false
	}
	select {
	case e, ok := <-s.queue:
		return e, ok
	case <-s.timer.C:
		return entry{}, false
	}
}

func (e entry) size() int {
	if e.record == nil {
		return 0
	}
	return len(e.record.Raw)
}

// write numbers the group, writes it, and tells everybody who waits their fate. A group that is refused because of what
// is in it is tried again in halves, so that one bad trace fails alone. What nobody waits for was promised to be
// written: where the storage takes nothing now, it is kept and tried again.
func (s *sequencer) write(group []entry) {
	err := s.append(group)
	if len(group) > 1 && (errors.Is(err, ErrTooLarge) || errors.Is(err, ErrExists)) {
		s.write(group[:len(group)/2])
		s.write(group[len(group)/2:])
		return
	}
	lost := 0
	for _, e := range group {
		switch {
		case e.fate != nil:
			e.fate <- err
		case err != nil && errors.Is(err, ErrRefused):
			s.kept = append(s.kept, e)
		case err != nil:
			lost++
		}
	}
	if lost > 0 {
		s.logger.Error("queued traces were not written", "traces", lost, "first", group[0].id(), "error", err)
	}
}

func (e entry) id() string {
	if e.record == nil {
		return ""
	}
	return e.record.TraceID
}

// retry writes what the storage refused before and what came since, and waits a while if it still takes nothing: then
// whoever waits is refused, and what nobody waits for is kept, too, as far as the queue is long. It returns false if all
// is in vain: the log is closed, and the storage takes nothing.
func (s *sequencer) retry() bool {
	for len(s.kept) > 0 {
		group := s.kept[:min(maxGroup, len(s.kept))]
		rest := s.kept[len(group):]
		s.kept = nil
		s.write(group)
		refused := len(s.kept) > 0
		s.kept = append(s.kept, rest...) // in the order in which they were queued
		if refused {
			break
		}
	}
	if len(s.kept) == 0 {
		return true
	}
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed && s.storage.Ready() != nil {
		return false
	}
	time.Sleep(linger)
	for len(s.kept) < cap(s.queue) {
		e, ok := s.next(true, false)
		if !ok {
			break
		}
		s.group = append(s.group[:0], e)
		s.write(s.group)
	}
	return true
}

// giveUp tells what is lost when the log is closed and the storage takes nothing.
func (s *sequencer) giveUp() {
	why := fmt.Errorf("%w: %w", ErrRefused, s.storage.Ready())
	for e := range s.queue { // until the scribe has closed it
		if e.fate != nil {
			e.fate <- why
		} else {
			s.kept = append(s.kept, e)
		}
	}
	s.logger.Error("queued traces are lost: the log is closed, and the storage takes nothing", "traces", len(s.kept), "first", s.kept[0].id(), "error", why)
}

// append writes what is in group as one group of the storage.
func (s *sequencer) append(group []entry) error {
	if why := s.stopped.Load(); why != nil {
		return *why
	}
	g := Group{Records: make([]Record, 0, len(group))}
	for i := range s.levels {
		s.levels[i] = s.levels[i][:0]
	}
	edge := s.edge.Clone()
	var entry [tree.EntrySize]byte
	for _, e := range group {
		if e.record == nil {
			continue
		}
		r := *e.record
		r.Sequence = edge.Size()
		edge.Append(tree.RecordHash(tree.AppendEntry(entry[:0], r.Hash)), s.keep)
		g.Records = append(g.Records, r)
	}
	if len(g.Records) == 0 {
		return nil
	}
	head := tree.Head{Size: edge.Size(), Root: edge.Root()}
	var err error
	if g.Checkpoint, err = s.signer.Sign(head); err != nil {
		return fmt.Errorf("%w: sign the checkpoint: %w", ErrRefused, err)
	}
	g.Hashes = s.levels
	// Background: once numbered a group is written whoever waits; Append's contexts only end the waiting.
	err = s.storage.Append(context.Background(), &g)
	switch {
	case err == nil:
		s.edge = edge
		s.state.Store(&state{head, g.Checkpoint})
		s.watchers.announce(g.Records)
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrExists), errors.Is(err, ErrRefused):
	default:
		// The group may be on disk, partly or wholly. Giving its numbers again would put two traces in one place,
		// skipping them would leave a gap for ever; a failed fsync also says nothing about a later one.
		err = fmt.Errorf("%w: %w", ErrStopped, err)
		s.stopped.Store(&err)
		s.logger.Error("trace log stopped: no request is served until the store is opened again", "error", err)
	}
	return err
}

func (s *sequencer) keep(level int, h tree.Hash) {
	for level >= len(s.levels) {
		s.levels = append(s.levels, nil)
	}
	s.levels[level] = append(s.levels[level], h[:]...)
}
