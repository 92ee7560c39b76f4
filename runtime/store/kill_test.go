package store_test

import (
	"bufio"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
)

// TestKilledProcessesLoseNothingAcknowledged kills a process that saves services and appends traces all at once, with
// SIGKILL, after it acknowledged so many writes, and looks for every one of them; several times over the same store.
func TestKilledProcessesLoseNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	traces := map[string]bool{}
	services := map[string]uint64{} // revision by id
	last := uint64(0)
	for round, writes := range []int{1, 40, 400, 1500, 250, 3000} {
		worker := child(t, "work", dir)
		var said strings.Builder
		worker.Stderr = &said
		out, err := worker.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == writes { // what it says after that is acknowledged as well
				if err := worker.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			what, rest, _ := strings.Cut(lines.Text(), " ")
			id, revision := rest, uint64(0)
			fmt.Sscanf(rest, "%s %d", &id, &revision)
			switch what {
			case "trace":
				traces[id] = true
			case "service":
				services[id] = revision
			case "deleted":
				delete(services, id)
			}
			last = max(last, revision)
		}
		if err := worker.Wait(); err == nil || said.Len() > 0 {
			t.Fatalf("round %d: the worker was not killed: %v, %s", round, err, said.String())
		}
		last = lookFor(t, dir, traces, services, last)
	}
	if len(traces) < 1000 || last < 50 {
		t.Errorf("only %d traces and %d changes of services were written", len(traces), last)
	}
}

// lookFor finds what was acknowledged. The one write of each writer that was not may be there, too: a change of the
// services that is counts from here on. It returns the last revision.
func lookFor(t *testing.T, dir string, traces map[string]bool, services map[string]uint64, last uint64) uint64 {
	t.Helper()
	s := open(t, dir, store.Options{})
	defer s.Close()
	if _, err := readEverything(s); err != nil {
		t.Fatal(err)
	}
	for id := range traces {
		if _, err := s.Traces().Get(t.Context(), id); err != nil {
			t.Fatalf("an acknowledged trace is gone: %v", err)
		}
	}
	records, is, err := s.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if is != last && is != last+1 {
		t.Fatalf("revision is %d, %d was acknowledged", is, last)
	}
	got := map[string]uint64{}
	for _, r := range records {
		got[r.ID] = r.Revision
	}
	if is == last+1 { // the change under way when it was killed
		id := fmt.Sprint("s", is%7)
		delete(services, id)
		if revision, there := got[id]; there {
			services[id] = revision
		}
	}
	if !maps.Equal(got, services) {
		t.Fatalf("services are %v, acknowledged were %v", got, services)
	}
	return is
}
