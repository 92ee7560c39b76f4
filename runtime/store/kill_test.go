package store_test

import (
	"bufio"
	crand "crypto/rand"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
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
			dir, said = t.TempDir(), newAcknowledged(t)
		}
		writes := 1 + rand.IntN(2000)
		if round < len(usual) {
			writes = usual[round]
		}
		worker := said.worker(t, dir)
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
	key      string // the log's private key
	traces   map[string]bool
	trees    map[uint64]string // root by size
	services map[string]uint64 // revision by id
	last     uint64            // revision
}

func newAcknowledged(t *testing.T) *acknowledged {
	t.Helper()
	key, err := tree.NewKey(crand.Reader, "kill.test")
	if err != nil {
		t.Fatal(err)
	}
	return &acknowledged{key: key, traces: map[string]bool{}, trees: map[uint64]string{}, services: map[string]uint64{}}
}

// worker prepares a process that writes to the store in dir.
func (a *acknowledged) worker(t *testing.T, dir string) *exec.Cmd {
	cmd := child(t, "work", dir)
	cmd.Env = append(cmd.Env, keyVar+"="+a.key)
	return cmd
}

// take reads a line of a worker's.
func (a *acknowledged) take(line string) {
	words := strings.Fields(line + " . .") // a line may be cut short
	id, revision := words[1], uint64(0)
	switch words[0] {
	case "trace":
		a.traces[id] = true
	case "head":
		size, _ := strconv.ParseUint(id, 10, 64)
		a.trees[size] = words[2]
	case "service":
		revision, _ = strconv.ParseUint(words[2], 10, 64)
		a.services[id] = revision
	case "deleted":
		revision, _ = strconv.ParseUint(words[2], 10, 64)
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
	treeHolds(t, s, said)
	records, is, err := s.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// One change may have been made and not said yet, and the next be under way.
	if is < said.last || is > said.last+2 {
		t.Fatalf("revision is %d, %d was acknowledged", is, said.last)
	}
	got := map[string]uint64{}
	for _, r := range records {
		got[r.ID] = r.Revision
	}
	kept, services := maps.Clone(got), maps.Clone(said.services)
	for r := said.last + 1; r <= is; r++ {
		id := fmt.Sprint("s", r%7)
		delete(got, id)
		delete(services, id)
	}
	if !maps.Equal(got, services) {
		t.Fatalf("services are %v, acknowledged were %v", got, services)
	}
	said.last, said.services = is, kept
}

// treeHolds makes the tree anew from every trace that is there. It must be the one that the newest checkpoint names, and
// every tree that was ever signed must be a beginning of it.
func treeHolds(t *testing.T, s *store.Store, said *acknowledged) {
	t.Helper()
	signer, err := tree.NewSigner(said.key)
	if err != nil {
		t.Fatal(err)
	}
	log, err := trace.Open(s.Traces(), trace.Options{Signer: signer})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	entries := map[uint64][]byte{}
	for q := (trace.Query{Limit: 1000}); ; {
		page, next, err := log.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			entries[r.Sequence] = tree.AppendEntry(nil, sha256.Sum256(r.Raw))
		}
		if q.Token = next; next == "" {
			break
		}
	}
	var edge tree.Edge
	for i := range uint64(len(entries)) {
		entry, ok := entries[i]
		if !ok {
			t.Fatalf("of %d traces, that at %d is missing", len(entries), i)
		}
		edge.Append(tree.RecordHash(entry), func(int, tree.Hash) {})
		if root, known := said.trees[i+1]; known && root != edge.Root().String() {
			t.Fatalf("the tree of %d traces was signed with root %s, and is %v now", i+1, root, edge.Root())
		}
	}
	if head := log.Head(); head.Size != edge.Size() || head.Root != edge.Root() {
		t.Fatalf("the newest checkpoint names %d traces and root %v; there are %d, with root %v", head.Size, head.Root, edge.Size(), edge.Root())
	}
	for size := range said.trees {
		if size > edge.Size() {
			t.Fatalf("a tree of %d traces was signed, and there are %d", size, edge.Size())
		}
	}
}
