package journal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// checked checks the journal in dir, and that this changes nothing.
func checked(t testing.TB, dir string, w *writer) *journal.Report {
	t.Helper()
	before := readFiles(t, dir)
	verifier, err := w.signer.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	r, err := journal.Check(t.Context(), dir, journal.Checking{Log: verifier, Body: func(_ string, b journal.Body) (string, string) {
		if sum := sha256.Sum256(b.Bytes); b.Bytes != nil && sum != b.Commit {
			return fmt.Sprintf("%x", sum), fmt.Sprintf("%x", b.Commit)
		}
		return "", ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	if after := readFiles(t, dir); !maps.EqualFunc(before, after, bytes.Equal) {
		t.Error("the check changed files")
	}
	return r
}

func readFiles(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func listed(r *journal.Report) string {
	var text strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%s: %s at %d, trace %d: %s; should be %s\n", f.Kind, f.File, f.Offset, f.Sequence, f.Found, f.Want)
	}
	return text.String()
}

func TestAWholeJournalIsFoundWhole(t *testing.T) {
	dir, w := filled(t)
	if err := w.j.Erase([]journal.Location{w.at[3], w.at[500], w.at[901]}); err != nil {
		t.Fatal(err)
	}
	want := &journal.Report{Traces: 903, Root: w.edge.Root().String(), Segments: 3, Frames: 9, Bodies: 900, Erased: 3}
	is := func(name string, signatures int) {
		t.Helper()
		r := checked(t, dir, w)
		if len(r.Findings) > 0 {
			t.Errorf("%s: %s", name, listed(r))
		}
		want.Signatures, want.Bytes = signatures, r.Bytes
		if !r.Whole() || fmt.Sprint(*r) != fmt.Sprint(*want) {
			t.Errorf("%s: %+v\nwant %+v", name, r, want)
		}
		if size := journal.Size(dir); r.Bytes != size && want.Dropped == 0 {
			t.Errorf("%s: %d bytes were read, and %d said to be", name, r.Bytes, size)
		}
	}
	is("three days", 11)
	if err := w.j.Drop("20261127", time.Now()); err != nil {
		t.Fatal(err)
	}
	want.Segments, want.Frames, want.Bodies, want.Erased, want.Dropped = 2, 6, 600, 2, 301
	is("one was dropped", 8)
	w.append(t, "20261129", 1)
	if err := w.j.Drop("20261126", time.Now()); err != nil {
		t.Fatal(err)
	}
	want.Traces, want.Root, want.Frames, want.Bodies, want.Erased, want.Dropped = 904, w.edge.Root().String(), 4, 301, 1, 602
	is("the first, too", 6)
	empty := newWriter(t, t.TempDir())
	dir, w = t.TempDir(), empty
	if _, _, err := open(t, dir, true); err != nil {
		t.Fatal(err)
	}
	want = &journal.Report{Root: tree.EmptyRoot().String()}
	is("none", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir, _ = filled(t)
	if _, err := journal.Check(ctx, dir, journal.Checking{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTheCheckNamesThePlace harms a journal in one way each.
func TestTheCheckNamesThePlace(t *testing.T) {
	dir, w := filled(t)
	older := clone(t, dir)
	w.append(t, "20261128", 256)
	w.append(t, "20261128", 10)
	if err := w.j.KeepCosigned(w.j.Head().Checkpoint); err != nil {
		t.Fatal(err)
	}
	const middle, entry, hash, mark = "traces/20261127/00000002.seg", "log/entries", "log/tiles.0", "log/checkpoint"
	flip := func(rel string, at int) func(string) {
		return func(to string) { edit(t, filepath.Join(to, rel), flipAt(at)) }
	}
	cut := func(rel string, n int) func(string) {
		return func(to string) { edit(t, filepath.Join(to, rel), cutBy(n)) }
	}
	take := func(rel string) func(string) {
		return func(to string) {
			raw, err := os.ReadFile(filepath.Join(older, rel))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(to, rel), func([]byte) []byte { return raw })
		}
	}
	more := func(rel string, b []byte) func(string) {
		return func(to string) { edit(t, filepath.Join(to, rel), func(was []byte) []byte { return append(was, b...) }) }
	}
	remove := func(rel string) func(string) {
		return func(to string) {
			if err := os.RemoveAll(filepath.Join(to, rel)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		harm     func(string)
		kind     journal.Kind
		file     string
		offset   int64
		sequence int64
		says     string
		findings int
	}{
		"a body":                      {flip(middle, -5), journal.Damage, middle, 132809, 601, "checksum", 1},
		"a frame's head":              {flip(middle, 30), journal.Damage, middle, 28, 301, "no whole frame", 2},
		"a segment's head":            {flip(middle, 6), journal.Damage, middle, 0, -1, "no head", 1},
		"a middle segment is gone":    {remove(middle), journal.Damage, "traces/*/00000002.seg", -1, -1, "no such file", 2},
		"a middle segment is shorter": {cut(middle, 1), journal.Damage, middle, 132997, -1, "132998, as the next one says", 3},
		"a middle segment is longer":  {more(middle, []byte("x")), journal.Damage, middle, 132998, -1, "132998, as the next one says", 1},
		"the last body":               {flip(last, -5), journal.Damage, last, 255406, 1168, "checksum", 1},
		"the last segment is gone":    {remove(last), journal.Damage, mark, -1, 602, "1169, which were acknowledged", 1},
		"the last segment goes back":  {take(last), journal.Damage, mark, -1, 903, "1169, which were acknowledged", 1},
		"an entry":                    {flip(entry, 33*350+7), journal.Damage, entry, 33 * 350, 350, "01", 1},
		"a late entry":                {flip(entry, 33*700+7), journal.Crash, entry, 33 * 700, 700, "01", 1},
		"a hash":                      {flip(hash, 32*350+7), journal.Damage, hash, 32 * 350, 350, "", 1},
		"a higher hash":               {flip("log/tiles.1", 33), journal.Damage, "log/tiles.1", 32, 256, "", 1},
		"a late hash":                 {flip(hash, -7), journal.Crash, hash, 32 * 1168, 1168, "", 1},
		"entries end early":           {cut(entry, 200), journal.Crash, entry, 1169*33 - 200, -1, "for a tree of 1169", 1},
		"entries lack what was there": {cut(entry, 20000), journal.Damage, entry, 1169*33 - 20000, -1, "which were synced", 1},
		"entries go on":               {more(entry, []byte("more")), journal.Damage, entry, 1169 * 33, -1, "for a tree of 1169", 1},
		"entries go back":             {take(entry), journal.Crash, entry, 903 * 33, -1, "for a tree of 1169", 1},
		"entries are gone":            {remove(entry), journal.Damage, entry, -1, -1, "no such file", 1},
		"hashes are gone":             {remove("log/tiles.2"), journal.Damage, "log/tiles.2", -1, -1, "no such file", 1},
		"the newest checkpoint":       {flip(mark, 50), journal.Crash, mark, -1, -1, "one of its two places", 2},
		"the checkpoint goes back":    {take(mark), journal.Damage, mark, -1, 903, "rolled back", 1},
		"the checkpoint is gone":      {remove(mark), journal.Damage, mark, -1, -1, "no such file", 2},
		"the cosigned checkpoint":     {flip("log/cosigned", 40), journal.Damage, "log/cosigned", -1, -1, "checksum", 1},
		"a torn write":                {more(last, bytes.Repeat([]byte{0xca, 0x10, 0xf4, 0xa3, 0}, 100)), journal.Crash, last, 255786, 1169, "interrupted", 1},
		"all days are gone":           {remove("traces"), journal.Damage, "traces", -1, -1, "no such file", 2},
		"days and entries are gone":   {func(to string) { remove("traces")(to); remove(entry)(to) }, journal.Damage, mark, -1, 0, "0 traces", 6},
	} {
		t.Run(name, func(t *testing.T) {
			to := clone(t, dir)
			test.harm(to)
			r := checked(t, to, w)
			found := false
			for _, f := range r.Findings {
				found = found || f.Kind == test.kind && f.File == test.file && f.Offset == test.offset && f.Sequence == test.sequence &&
					strings.Contains(f.Found+f.Want, test.says)
			}
			if !found || len(r.Findings) != test.findings {
				t.Errorf("found is\n%s", listed(r))
			}
			if crash := test.kind == journal.Crash; r.Whole() != crash {
				t.Errorf("whole: %v", r.Whole())
			}
		})
	}
}

// TestAForgedFrameIsFound changes what a frame says and makes its checksums hold again.
func TestAForgedFrameIsFound(t *testing.T) {
	dir, w := filled(t)
	const middle = "traces/20261127/00000002.seg"
	const item = 28 + 20 // where the head of the only body of the first frame begins
	table := crc32.MakeTable(crc32.Castagnoli)
	forge := func(to string, change func(head, body []byte)) {
		edit(t, filepath.Join(to, middle), func(b []byte) []byte {
			end := item + 40 + int(binary.BigEndian.Uint32(b[28+16:]))
			body := b[end+4:][:binary.BigEndian.Uint32(b[item:])]
			change(b[28:end], body)
			binary.BigEndian.PutUint32(b[item+4:], crc32.Checksum(body, table))
			binary.BigEndian.PutUint32(b[end:], crc32.Checksum(b[28:end], table))
			return b
		})
	}
	for name, test := range map[string]struct {
		change func(head, body []byte)
		want   []string
	}{
		"a body": {func(_, body []byte) { body[5] ^= 1 }, []string{"traces/20261127/00000002.seg at 265, trace 301: "}},
		"a body and what it commits to": {func(head, body []byte) {
			body[5] ^= 1
			sum := sha256.Sum256(body)
			copy(head[20+8:], sum[:])
		}, []string{"log/entries at 9933, trace 301", "log/tiles.0 at 9632, trace 301", "hashes lead, but not the entries"}},
		"a root":              {func(head, _ []byte) { copy(head[20+40+len("test.invalid\n302\n"):], "AAAA") }, []string{"AAAA", "no signature"}},
		"a size":              {func(head, _ []byte) { head[20+40+len("test.invalid\n30")] = '7' }, []string{"a checkpoint of 307 traces; should be one of 302"}},
		"a signature":         {func(head, _ []byte) { copy(head[len(head)-20:], "AAAA") }, []string{"no signature"}},
		"a position":          {func(head, _ []byte) { binary.BigEndian.PutUint64(head[8:], 310) }, []string{"9 traces are in no frame before", "those from 311 on"}},
		"an earlier position": {func(head, _ []byte) { binary.BigEndian.PutUint64(head[8:], 300) }, []string{"those from 301 on", "1 traces are in no frame before"}},
		"a position far away": {func(head, _ []byte) { binary.BigEndian.PutUint64(head[8:], 1<<60) }, []string{"those from 301 on", "1 traces are in no frame before"}},
	} {
		t.Run(name, func(t *testing.T) {
			to := clone(t, dir)
			forge(to, test.change)
			r := checked(t, to, w)
			for _, want := range test.want {
				if !strings.Contains(listed(r), want) {
					t.Errorf("there is no %q; found is\n%s", want, listed(r))
				}
			}
		})
	}
	stranger := newWriter(t, t.TempDir())
	stranger.edge = w.edge
	if r := checked(t, dir, stranger); len(r.Findings) != 3 || r.Signatures != 0 {
		t.Errorf("with another key found is\n%s", listed(r))
	}
}

// TestADroppedDayLeadsOn damages the part of the tree of which only entries are left.
func TestADroppedDayLeadsOn(t *testing.T) {
	dir, w := filled(t)
	if err := w.j.Drop("20261127", time.Now()); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		rel  string
		f    func([]byte) []byte
		want string
	}{
		"an entry":             {"log/entries", flipAt(33*400 + 9), "hashes lead, but not the entries"},
		"an entry's version":   {"log/entries", flipAt(33 * 400), "hashes lead, but not the entries"},
		"a hash":               {"log/tiles.0", flipAt(32 * 400), "log/tiles.0 at 12800, trace 400"},
		"a higher hash":        {"log/tiles.1", flipAt(40), "log/tiles.1 at 32, trace 256"},
		"entries are missing":  {"log/entries", func(b []byte) []byte { return b[:33*500] }, "log/entries at 16500, trace -1"},
		"the list of drops":    {"log/dropped", flipAt(40), "log/dropped at -1"},
		"its end":              {"log/dropped", cutBy(3), "log/dropped at -1"},
		"a list of no drops":   {"log/dropped", func([]byte) []byte { return []byte("[]\ncrc32c 6b1a8d7c\n") }, "log/dropped"},
		"a list that was lost": {"log/dropped", nil, "segment of"},
	} {
		t.Run(name, func(t *testing.T) {
			to := clone(t, dir)
			if test.f == nil {
				if err := os.Remove(filepath.Join(to, test.rel)); err != nil {
					t.Fatal(err)
				}
			} else {
				edit(t, filepath.Join(to, test.rel), test.f)
			}
			if r := checked(t, to, w); r.Whole() || !strings.Contains(listed(r), test.want) {
				t.Errorf("there is no %q; found is\n%s", test.want, listed(r))
			}
		})
	}
}

// FuzzCheck flips bits anywhere in a small journal.
func FuzzCheck(f *testing.F) {
	dir := f.TempDir()
	w := newWriter(f, dir)
	for _, day := range []string{"20261126", "20261127", "20261128"} {
		w.append(f, day, 2)
		w.append(f, day, 5)
	}
	err := errors.Join(w.j.Drop("20261126", time.Now()), w.j.Erase(w.at[9:10]), w.j.KeepCosigned(w.j.Head().Checkpoint),
		w.j.Begin(journal.Pending{TraceID: "x"}))
	if err != nil {
		f.Fatal(err)
	}
	files := readFiles(f, dir)
	names := slices.Sorted(maps.Keys(files))
	all := 0
	for _, name := range names {
		all += len(files[name])
	}
	flip := func(t testing.TB, at int, bits byte) {
		at %= all
		name := names[0]
		for at >= len(files[name]) {
			at -= len(files[name])
			names := names[slices.Index(names, name)+1:]
			name = names[0]
		}
		// Behind the checkpoint in each of its places there is nothing.
		if strings.HasSuffix(name, "log/checkpoint") && at%4096 >= 12+4+int(binary.BigEndian.Uint32(files[name][at/4096*4096+8:])) || bits == 0 {
			return
		}
		edit(t, name, func(b []byte) []byte { b[at] ^= bits; return b })
		defer edit(t, name, func([]byte) []byte { return files[name] })
		verifier, err := w.signer.Verifier()
		if err != nil {
			t.Fatal(err)
		}
		r, err := journal.Check(t.Context(), dir, journal.Checking{Log: verifier})
		if err != nil || r.Whole() && len(r.Findings) < 2 { // one is the erasure that is under way
			t.Errorf("%s, byte %d ^ %02x: %v; found is\n%s", name, at, bits, err, listed(r))
		}
	}
	for at := 0; at < all; at += 11 {
		flip(f, at, 1<<(at%8))
	}
	f.Add(uint32(17), byte(1))
	f.Fuzz(func(t *testing.T, at uint32, bits byte) { flip(t, int(at), bits) })
}
