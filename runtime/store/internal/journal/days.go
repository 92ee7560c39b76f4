package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Day is the segments of one day.
type Day struct {
	Name  string // such as 20261128, in UTC
	Dir   string
	First uint64 // sequence of its first trace
	Next  uint64 // one more than that of its last
	Bytes int64  // of its segments
}

// DayOf returns the name of the day of t.
func DayOf(t time.Time) string { return t.UTC().Format(dayFormat) }

// Days returns the days that were not dropped, oldest first.
func (j *Journal) Days() []Day {
	j.mu.RLock()
	defer j.mu.RUnlock()
	var days []Day
	for _, s := range j.segments {
		if n := len(days); n == 0 || days[n-1].Name != s.day {
			if n > 0 {
				days[n-1].Next = s.first
			}
			days = append(days, Day{Name: s.day, Dir: filepath.Join(j.dir, tracesDir, s.day), First: s.first})
		}
		days[len(days)-1].Bytes += s.written()
	}
	if n := len(days); n > 0 {
		days[n-1].Next = j.size.Load()
	}
	// The last of a day that was followed by dropped ones ends where those begin.
	for i := range days[:max(0, len(days)-1)] {
		for _, d := range j.dropped {
			if d.First >= days[i].First && d.First < days[i].Next {
				days[i].Next = d.First
			}
		}
	}
	return days
}

// Dropped is a day that was dropped: its bodies are gone, its entries are not.
type Dropped struct {
	Day          string    `json:"day"`
	First        uint64    `json:"first"`
	Next         uint64    `json:"next"`
	FirstSegment uint32    `json:"first_segment"`
	LastSegment  uint32    `json:"last_segment"`
	Time         time.Time `json:"time"`
}

const (
	droppedFile = "dropped"
	droppedExt  = ".dropped" // of the directory while it is removed
)

// Drop removes the bodies of a whole day. It is written down before the first of them goes, so a crash on the way is
// neither a loss nor leaves anything: Drop goes on with it when it is called again. It must not be the last day, to
// which the log may still be appended.
func (j *Journal) Drop(day string, now time.Time) error {
	d := Dropped{Day: day, Time: now.UTC()}
	for _, known := range j.Days() {
		if known.Name == day {
			d.First, d.Next = known.First, known.Next
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.segments); n == 0 || j.segments[n-1].day == day {
		return fmt.Errorf("day %s is the last one, to which traces are still appended", day)
	}
	for _, s := range j.segments {
		if s.day == day {
			if d.FirstSegment == 0 {
				d.FirstSegment = s.number
			}
			d.LastSegment = s.number
		}
	}
	dir := filepath.Join(j.dir, tracesDir, day)
	if d.LastSegment > 0 {
		dropped := append(slices.Clone(j.dropped), d)
		slices.SortFunc(dropped, func(a, b Dropped) int { return int(int64(a.FirstSegment) - int64(b.FirstSegment)) })
		if err := writeDropped(filepath.Join(j.dir, logDir, droppedFile), dropped); err != nil {
			return err
		}
		j.dropped = dropped
		j.segments = slices.DeleteFunc(slices.Clone(j.segments), func(s *segment) bool { return s.day == day })
	}
	// Renamed first: a day that is half there must not be taken for one.
	if err := os.Rename(dir, dir+droppedExt); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Whoever opens a segment from here on does not find it; one that stayed open would keep its room.
	return errors.Join(j.readers.close(), os.RemoveAll(dir+droppedExt), syncDir(filepath.Join(j.dir, tracesDir)))
}

// DroppedDays returns the days that were dropped, oldest first.
func (j *Journal) DroppedDays() []Dropped {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.dropped
}

// finishDrops removes what a crash left of days that were dropped. Their segments must not be taken for the log's. It
// removes no others, whatever the list says.
func (j *Journal) finishDrops() error {
	there, err := listSegments(filepath.Join(j.dir, tracesDir))
	if err != nil {
		return err
	}
	for _, s := range there {
		if !j.wasDropped(s.number) && slices.ContainsFunc(j.dropped, func(d Dropped) bool { return d.Day == s.day }) {
			return damaged("day %s was dropped, and %s is none of its segments; restore %s from a backup", s.day, s.name(), droppedFile)
		}
	}
	var errs []error
	for _, d := range j.dropped {
		dir := filepath.Join(j.dir, tracesDir, d.Day)
		for _, left := range []string{dir, dir + droppedExt} {
			if _, err := os.Stat(left); err == nil {
				errs = append(errs, os.RemoveAll(left))
			}
		}
	}
	return errors.Join(errs...)
}

func (j *Journal) wasDropped(segment uint32) bool {
	return slices.ContainsFunc(j.dropped, func(d Dropped) bool { return d.FirstSegment <= segment && segment <= d.LastSegment })
}

// droppedAll tells whether the log of that size ended in a day that was dropped.
func (j *Journal) droppedAll(size uint64) bool {
	return len(j.dropped) > 0 && j.dropped[len(j.dropped)-1].Next == size
}

func readDropped(name string) (dropped []Dropped, err error) {
	raw, err := readSummed(name)
	if err != nil || raw == nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &dropped); err != nil {
		return nil, damaged("%s: %w", name, err)
	}
	return dropped, nil
}

func writeDropped(name string, dropped []Dropped) error {
	raw, err := json.MarshalIndent(dropped, "", "  ")
	if err != nil {
		return err
	}
	return writeSummed(name, append(raw, '\n'))
}

const cosignedFile = "cosigned"

// KeepCosigned keeps a cosigned checkpoint, which ends in a newline, in place of the one before, durably. Of one caller at a
// time.
func (j *Journal) KeepCosigned(signed []byte) error {
	return writeSummed(filepath.Join(j.dir, logDir, cosignedFile), signed)
}

// Cosigned returns what KeepCosigned kept last, nil if it kept nothing.
func (j *Journal) Cosigned() ([]byte, error) {
	raw, err := readSummed(filepath.Join(j.dir, logDir, cosignedFile))
	if err != nil {
		return nil, fmt.Errorf("%w, or remove it: witnesses sign again", err)
	}
	return raw, nil
}
