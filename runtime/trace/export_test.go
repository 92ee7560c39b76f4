package trace

import caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"

// Describe is what a trace, serialized to raw, is found by.
func Describe(t *caiov1.Trace, raw []byte) (Record, error) {
	var r Record
	err := r.describe(t, raw)
	return r, err
}

// Held is how many of the newest records, and bytes of them, are in memory for those who watch.
func (l *Log) Held() (records, size int) {
	w := &l.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	return int(w.next - w.first), w.size
}

// Forget lets go of all of them.
func (l *Log) Forget() { l.watchers.forget() }

// Announcer returns what the sequencer calls after each group, and what makes somebody watch.
func Announcer() (announce func([]Record), join func()) {
	w := new(watchers)
	return w.announce, w.join
}
