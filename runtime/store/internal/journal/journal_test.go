package journal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// A writer appends batches as a log does.
type writer struct {
	j      *journal.Journal
	signer *tree.Signer
	edge   tree.Edge
	at     []journal.Location // by sequence
}

func body(seq uint64) []byte { return bytes.Repeat(fmt.Appendf(nil, "body %d ", seq), 20+int(seq%50)) }

func open(t testing.TB, dir string, fresh bool) (*journal.Journal, string, error) {
	t.Helper()
	var said bytes.Buffer
	j, err := journal.Open(dir, fresh, slog.New(slog.NewTextHandler(&said, nil)))
	return j, said.String(), err
}

func newWriter(t testing.TB, dir string) *writer {
	t.Helper()
	j, _, err := open(t, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	skey, err := tree.NewKey(rand.Reader, "test.invalid")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &writer{j: j, signer: signer}
}

func (w *writer) append(t testing.TB, day string, n int) {
	t.Helper()
	b := &journal.Batch{First: w.edge.Size()}
	for i := range n {
		sum := sha256.Sum256(body(b.First + uint64(i)))
		b.Sums = append(b.Sums, sum)
		w.edge.Append(tree.RecordHash(tree.AppendEntry(nil, sum)), func(level int, h tree.Hash) {
			for level >= len(b.Hashes) {
				b.Hashes = append(b.Hashes, nil)
			}
			b.Hashes[level] = append(b.Hashes[level], h[:]...)
		})
	}
	b.Encode = func(buf []byte, i int) []byte { return append(buf, body(b.First+uint64(i))...) }
	var err error
	if b.Checkpoint, err = w.signer.Sign(tree.Head{Size: w.edge.Size(), Root: w.edge.Root()}); err != nil {
		t.Fatal(err)
	}
	at, err := w.j.Append(day, b)
	if err != nil {
		t.Fatal(err)
	}
	w.at = append(w.at, at...)
}

// whole reads everything there is and holds it against what was appended.
func (w *writer) whole(t testing.TB, j *journal.Journal) {
	t.Helper()
	head, err := tree.ReadHead(j.Head().Checkpoint)
	if err != nil || head.Size != w.edge.Size() || head.Root != w.edge.Root() || j.Size() != head.Size {
		t.Fatalf("the head is %d %v, %v; want %d %v", head.Size, head.Root, err, w.edge.Size(), w.edge.Root())
	}
	if _, err := tree.ReadEdge(j, head); err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for b, err := range j.Bodies(0) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Sequence != next || !bytes.Equal(b.Bytes, body(next)) || b.Location != w.at[next] || b.Commit != sha256.Sum256(body(next)) {
			t.Fatalf("body %d is %d: %.20q at %+v", next, b.Sequence, b.Bytes, b.Location)
		}
		if got, err := j.Read(b.Location); err != nil || !bytes.Equal(got, body(next)) {
			t.Fatalf("read body %d: %.20q, %v", next, got, err)
		}
		next++
	}
	if next != head.Size {
		t.Fatalf("%d bodies of %d", next, head.Size)
	}
}

// filled returns the directory of a journal of three days as a kill leaves it, and its writer.
func filled(t testing.TB) (string, *writer) {
	t.Helper()
	dir := t.TempDir()
	w := newWriter(t, dir)
	for _, day := range []string{"20261126", "20261127", "20261128"} {
		for _, n := range []int{1, 100, 200} {
			w.append(t, day, n)
		}
	}
	return dir, w
}

// clone copies a directory.
func clone(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

const last = "traces/20261128/00000003.seg"

func TestItGoesOnWhereItEnded(t *testing.T) {
	dir, w := filled(t)
	w.whole(t, w.j)
	for range 3 {
		j, said, err := open(t, dir, false) // without Close: as after a kill
		if err != nil || said != "" {
			t.Fatalf("%v; said %s", err, said)
		}
		w.whole(t, j)
		w.j = j
		w.append(t, "20261128", 300)
		w.whole(t, j)
	}
	if err := w.j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _, err := open(t, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	w.whole(t, j)
	if days := j.Days(); len(days) != 3 || days[1].First != 301 || days[1].Next != 602 || days[2].Next != j.Size() {
		t.Errorf("days are %+v", days)
	}
}

func TestNothingIsMadeAnewWhereThereAreTraces(t *testing.T) {
	dir, _ := filled(t)
	if _, _, err := open(t, dir, true); !errors.Is(err, trace.ErrDamaged) {
		t.Error(err)
	}
	if j, said, err := open(t, dir, false); err != nil || said != "" {
		t.Error(said, err)
	} else if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func edit(t testing.TB, name string, change func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, change(raw), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func cutBy(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func flipAt(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
}

// TestWhatIsFoundIsMendedOrSaid harms a journal in one way each. Either it is as it was and says what it found, or the
// error says what is lost.
func TestWhatIsFoundIsMendedOrSaid(t *testing.T) {
	dir, w := filled(t)
	older := clone(t, dir)
	w.append(t, "20261128", 256)
	w.append(t, "20261128", 256)
	w.append(t, "20261128", 10)
	take := func(rel string) func(*testing.T, string) {
		return func(t *testing.T, to string) {
			raw, err := os.ReadFile(filepath.Join(older, rel))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(to, rel), func([]byte) []byte { return raw })
		}
	}
	change := func(rel string, f func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, to string) { edit(t, filepath.Join(to, rel), f) }
	}
	remove := func(rel string) func(*testing.T, string) {
		return func(t *testing.T, to string) {
			if err := os.RemoveAll(filepath.Join(to, rel)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		harm func(*testing.T, string)
		said string // it is whole, and said this
		lost string // it is an error, which says this
	}{
		"a write cut short":               {harm: change(last, func(b []byte) []byte { return append(b, b[28:200]...) }), said: "interrupted"},
		"garbage at the end":              {harm: change(last, func(b []byte) []byte { return append(b, make([]byte, 5000)...) }), said: "interrupted"},
		"a segment that was being begun":  {harm: change("traces/20261128/00000004.seg", nil), said: ""},
		"the last frame is gone":          {harm: change(last, cutBy(100)), lost: "10 traces that were acknowledged are missing"},
		"the last segment is gone":        {harm: remove(last), lost: "823 traces that were acknowledged are missing"},
		"the last segment rolled back":    {harm: take(last), lost: "522 traces that were acknowledged are missing"},
		"a middle segment is gone":        {harm: remove("traces/20261127/00000002.seg"), lost: "segment 2, which comes before 20261128/00000003.seg, is missing"},
		"a middle segment is shorter":     {harm: change("traces/20261127/00000002.seg", cutBy(1)), lost: "20261127/00000002.seg has"},
		"a middle segment is longer":      {harm: change("traces/20261126/00000001.seg", func(b []byte) []byte { return append(b, 0) }), lost: "20261126/00000001.seg has"},
		"all days are gone":               {harm: remove("traces"), lost: "traces"},
		"a frame is damaged":              {harm: change(last, flipAt(28)), lost: "holds no trace that is whole"},
		"a later frame's head is damaged": {harm: change(last, flipAt(600)), lost: "missing"},
		"a body is damaged":               {harm: change(last, flipAt(-6000)), lost: "does not have its checksum"},
		"a segment's head is damaged":     {harm: change(last, flipAt(5)), lost: "has no head"},
		"the checkpoint rolled back":      {harm: take("log/checkpoint"), said: "rolled back"},
		"the checkpoint is gone":          {harm: remove("log/checkpoint"), lost: "checkpoint"},
		"the checkpoint is damaged":       {harm: change("log/checkpoint", func(b []byte) []byte { return make([]byte, len(b)) }), lost: "both of its places"},
		"one place is damaged":            {harm: change("log/checkpoint", flipAt(100)), said: "one of the two places"},
		"entries end early":               {harm: change("log/entries", cutBy(200)), said: ""},
		"entries lack what was synced":    {harm: change("log/entries", func(b []byte) []byte { return b[:600*33] }), lost: "entries has 19800 bytes"},
		"entries are gone":                {harm: remove("log/entries"), lost: "entries"},
		"entries rolled back":             {harm: take("log/entries"), said: ""},
		"hashes end early":                {harm: change("log/tiles.0", cutBy(5)), said: ""},
		"a late hash is damaged":          {harm: change("log/tiles.0", flipAt(-5)), said: ""},
		"a hash of the edge is damaged":   {harm: change("log/tiles.0", flipAt(600*32)), lost: "do not lead to the newest checkpoint"},
		"a higher hash is damaged":        {harm: change("log/tiles.1", flipAt(5)), lost: "do not lead to the newest checkpoint"},
		"the list of drops is damaged": {harm: func(t *testing.T, to string) {
			if err := os.WriteFile(filepath.Join(to, "log/dropped"), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, lost: "dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			to := clone(t, dir)
			if strings.HasPrefix(name, "a segment that was being begun") {
				if err := os.WriteFile(filepath.Join(to, "traces/20261128/00000004.seg"), make([]byte, 10), 0o600); err != nil {
					t.Fatal(err)
				}
			} else {
				test.harm(t, to)
			}
			j, said, err := open(t, to, false)
			if test.lost != "" {
				if !errors.Is(err, trace.ErrDamaged) || !strings.Contains(err.Error(), test.lost) {
					t.Fatalf("%v, want %q", err, test.lost)
				}
				return
			}
			if err != nil || !strings.Contains(said, test.said) {
				t.Fatalf("%v; said %s, want %q", err, said, test.said)
			}
			defer j.Close()
			w.whole(t, j)
		})
	}
}

func TestErasedBodiesAreZerosAndTheRestIsWhole(t *testing.T) {
	dir, w := filled(t)
	gone := []uint64{0, 1, 350, 700, 902}
	var at []journal.Location
	for _, seq := range gone {
		at = append(at, w.at[seq])
	}
	if err := w.j.Erase(at); err != nil {
		t.Fatal(err)
	}
	j, _, err := open(t, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	erased := map[uint64]bool{}
	for b, err := range j.Bodies(0) {
		if err != nil {
			t.Fatal(err)
		}
		if erased[b.Sequence] = b.Bytes == nil; b.Commit != sha256.Sum256(body(b.Sequence)) {
			t.Errorf("entry %d is another one", b.Sequence)
		}
	}
	for _, seq := range gone {
		if _, err := j.Read(w.at[seq]); !errors.Is(err, trace.ErrErased) || !erased[seq] {
			t.Errorf("body %d: %v", seq, err)
		}
	}
	if _, err := j.Read(w.at[2]); err != nil {
		t.Error(err)
	}
}

func TestADroppedDayIsGoneAndTheTreeIsWhole(t *testing.T) {
	dir, w := filled(t)
	if err := w.j.Drop("20261128", time.Now()); err == nil {
		t.Error("the last day was dropped")
	}
	// What a crash leaves: it is written down, the directory is there.
	crashed := clone(t, dir)
	if err := w.j.Drop("20261127", time.Now()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "log/dropped"))
	if err == nil {
		err = os.WriteFile(filepath.Join(crashed, "log/dropped"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, crashed} {
		if _, err := os.Stat(filepath.Join(dir, "traces/20261127")); dir != crashed && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("its directory: %v", err)
		}
		j, said, err := open(t, dir, false)
		if err != nil || said != "" {
			t.Fatalf("%v; said %s", err, said)
		}
		defer j.Close()
		if _, err := os.Stat(filepath.Join(dir, "traces/20261127")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("its directory after opening: %v", err)
		}
		head, err := tree.ReadHead(j.Head().Checkpoint)
		if err != nil || head.Root != w.edge.Root() {
			t.Fatalf("%+v, %v", head, err)
		}
		if _, err := tree.ProveInclusion(j, head, 400); err != nil {
			t.Errorf("a trace of the dropped day is not proven: %v", err)
		}
		if _, err := j.Read(w.at[400]); !errors.Is(err, trace.ErrErased) {
			t.Errorf("its body: %v", err)
		}
		if _, err := j.Read(w.at[100]); err != nil {
			t.Errorf("a body of the day before: %v", err)
		}
		if days := j.Days(); len(days) != 2 || days[0].Next != 301 || days[1].First != 602 {
			t.Errorf("days are %+v", days)
		}
		n := 0
		for _, err := range j.Bodies(0) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 602 {
			t.Errorf("%d bodies are left, want 602", n)
		}
	}
}

// TestNothingIsRemovedOnAFlippedDigit changes what says which bodies are to be removed.
func TestNothingIsRemovedOnAFlippedDigit(t *testing.T) {
	dir, w := filled(t)
	if err := w.j.Drop("20261127", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := w.j.Begin(journal.Pending{TraceID: "x", Ranges: [][2]uint64{{3, 5}}}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*testing.T, string){
		"the day of a drop": func(t *testing.T, to string) {
			edit(t, filepath.Join(to, "log/dropped"), func(b []byte) []byte { return bytes.Replace(b, []byte("20261127"), []byte("20261126"), 1) })
		},
		"a day that is not its own, and checksummed": func(t *testing.T, to string) {
			edit(t, filepath.Join(to, "log/dropped"), func(b []byte) []byte {
				b = bytes.Replace(b, []byte("20261127"), []byte("20261126"), 1)
				b = b[:bytes.LastIndex(b, []byte("crc32c"))]
				return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
			})
		},
		"the range of an erasure": func(t *testing.T, to string) {
			edit(t, filepath.Join(to, "log/erasing"), func(b []byte) []byte { return bytes.Replace(b, []byte("[3,5]"), []byte("[3,7]"), 1) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := clone(t, dir)
			change(t, to)
			j, _, err := open(t, to, false)
			if err == nil {
				_, err = j.Pending()
				defer j.Close()
			}
			if !errors.Is(err, trace.ErrDamaged) {
				t.Error(err)
			}
			for _, day := range []string{"20261126/00000001.seg", "20261128/00000003.seg"} {
				if _, err := os.Stat(filepath.Join(to, "traces", day)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func FuzzOpenSegment(f *testing.F) {
	dir, w := filled(f)
	raw, err := os.ReadFile(filepath.Join(dir, last))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[:5000])
	f.Add(raw[:28])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		to := clone(t, dir)
		if err := os.WriteFile(filepath.Join(to, last), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := checked(t, to, w); len(r.Findings) == 0 {
			t.Errorf("nothing is found with %d of %d bytes", len(b), len(raw))
		}
		j, _, err := open(t, to, false)
		if err == nil {
			t.Errorf("opened with %d of %d bytes", len(b), len(raw))
			j.Close()
		} else if !errors.Is(err, trace.ErrDamaged) {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}
