package store_test

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
)

var kills = flag.Int("kills", 6, "how often a process that writes is killed")

// killsPerStore is how often the same store is gone on with before a new one begins.
const killsPerStore = 10

// TestKilledProcessesLoseNothingAcknowledged kills a process that saves services and appends traces all at once, with
// SIGKILL, after it acknowledged so many writes, and looks for every one of them; several times over the same store.
func TestKilledProcessesLoseNothingAcknowledged(t *testing.T) {
	usual := []int{1, 40, 400, 1500, 250, 3000}
	var dir string
	var said *acknowledged
	traces, changes := 0, uint64(0)
	for round := range *kills {
		if round%killsPerStore == 0 {
			dir, said = t.TempDir(), newAcknowledged()
		}
		writes := 1 + rand.IntN(2000)
		if round < len(usual) {
			writes = usual[round]
		}
		worker := child(t, "work", dir)
		var stderr strings.Builder
		worker.Stderr = &stderr
		out, err := worker.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		before, revision := len(said.traces), said.last
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == writes { // what it says after that is acknowledged as well
				if err := worker.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			said.take(lines.Text())
		}
		if err := worker.Wait(); err == nil || stderr.Len() > 0 {
			t.Fatalf("round %d: the worker was not killed: %v, %s", round, err, stderr.String())
		}
		lookFor(t, dir, said)
		traces += len(said.traces) - before
		changes += said.last - revision
	}
	t.Logf("killed %d times; %d traces and %d changes of services were acknowledged, and all are there", *kills, traces, changes)
	if traces < 1000 || changes < 50 {
		t.Errorf("only %d traces and %d changes of services were written", traces, changes)
	}
}

// acknowledged is what workers said that they wrote to one store.
type acknowledged struct {
	traces   map[string]bool
	services map[string]uint64 // revision by id
	last     uint64            // revision
}

func newAcknowledged() *acknowledged {
	return &acknowledged{traces: map[string]bool{}, services: map[string]uint64{}}
}

// take reads a line of a worker's.
func (a *acknowledged) take(line string) {
	what, rest, _ := strings.Cut(line, " ")
	id, revision := rest, uint64(0)
	fmt.Sscanf(rest, "%s %d", &id, &revision)
	switch what {
	case "trace":
		a.traces[id] = true
	case "service":
		a.services[id] = revision
	case "deleted":
		delete(a.services, id)
	}
	a.last = max(a.last, revision)
}

// lookFor finds what was acknowledged. The one write of each writer that was not may be there, too; if a change of the
// services is, it counts as acknowledged from now on.
func lookFor(t *testing.T, dir string, said *acknowledged) {
	t.Helper()
	s := open(t, dir, store.Options{})
	defer s.Close()
	if _, err := readEverything(s); err != nil {
		t.Fatal(err)
	}
	for id := range said.traces {
		if _, err := s.Traces().Get(t.Context(), id); err != nil {
			t.Fatalf("an acknowledged trace is gone: %v", err)
		}
	}
	records, is, err := s.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if is != said.last && is != said.last+1 {
		t.Fatalf("revision is %d, %d was acknowledged", is, said.last)
	}
	got := map[string]uint64{}
	for _, r := range records {
		got[r.ID] = r.Revision
	}
	kept, services := maps.Clone(got), maps.Clone(said.services)
	if is == said.last+1 { // the change under way when it was killed
		id := fmt.Sprint("s", is%7)
		delete(got, id)
		delete(services, id)
	}
	if !maps.Equal(got, services) {
		t.Fatalf("services are %v, acknowledged were %v", got, services)
	}
	said.last, said.services = is, kept
}
