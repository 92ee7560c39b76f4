package store_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// forged returns a segment in which change changed each body, with checksums that hold. Lengths stay.
func forged(segment []byte, change func(seq uint64, body []byte)) []byte {
	b := bytes.Clone(segment)
	for at := 28; at < len(b); {
		n, first := int(binary.BigEndian.Uint32(b[at+4:])), binary.BigEndian.Uint64(b[at+8:])
		sum := at + 20 + n*40 + int(binary.BigEndian.Uint32(b[at+16:]))
		next := sum + 4
		for i := range n {
			item := b[at+20+i*40:]
			body := b[next:][:binary.BigEndian.Uint32(item)]
			was := crc32.Checksum(body, castagnoli)
			change(first+uint64(i), body)
			if now := crc32.Checksum(body, castagnoli); now != was { // those that are erased do not have it
				binary.BigEndian.PutUint32(item[4:], now)
			}
			next += len(body)
		}
		binary.BigEndian.PutUint32(b[sum:], crc32.Checksum(b[at:sum], castagnoli))
		at = next
	}
	return b
}

func summed(text string) []byte {
	return fmt.Appendf(nil, "%scrc32c %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

// TestWhatChecksumsDoNotTell changes a store as somebody would who can compute checksums, but not sign.
func TestWhatChecksumsDoNotTell(t *testing.T) {
	l := live(t, nil)
	const second, third = "traces/20261102/00000002.seg", "traces/20261103/00000003.seg"
	body := func(rel string, seq uint64, change func(body []byte)) func(image) {
		return func(m image) {
			b := forged(m[rel].data, func(of uint64, body []byte) {
				if of == seq {
					change(body)
				}
			})
			m[rel] = file{b, int64(len(b))}
		}
	}
	for name, test := range map[string]struct {
		harm func(image)
		want []string
	}{
		"a trace is another":            {body(third, 27, func(b []byte) { b[len(b)-4] ^= 1 }), []string{third + " at ", "trace 27: a trace whose bytes have sha256"}},
		"another hash beside a trace":   {body(third, 27, func(b []byte) { b[1+8+8] ^= 1 }), []string{"trace 27: sha256 ", "beside the bytes"}},
		"another position":              {body(third, 27, func(b []byte) { b[8] ^= 1 }), []string{"trace 27: sequence 27", "it says it is 26"}},
		"another tenant beside a trace": {body(third, 27, func(b []byte) { copy(b[bytes.Index(b, []byte("globex")):], "GLOBEX") }), []string{"trace 27: another tenant beside its bytes"}},
		"another status beside a trace": {body(third, 28, func(b []byte) { copy(b[bytes.Index(b, []byte("refused")):], "REFUSED") }), []string{"trace 28: another status beside its bytes"}},
		"a body is removed and nobody recorded that": {func(m image) {
			data := bytes.Clone(m[third].data)
			forged(data, func(seq uint64, body []byte) {
				if seq == 27 {
					at := bytes.Index(data, body)
					clear(data[at : at+len(body)])
				}
			})
			m[third] = file{data, int64(len(data))}
		}, []string{"trace 27: zeros, and no trace records that they were removed", "traces/20261103/index at -1, trace 24: "}},
		"a day is removed as if it had been dropped": {func(m image) {
			maps.DeleteFunc(m, func(rel string, _ file) bool { return strings.HasPrefix(rel, "traces/20261102") })
			text := strings.TrimRight(string(m["log/dropped"].data), "\n")
			text = text[:strings.LastIndex(text, "\n]")] + `, {"day":"20261102","first":12,"next":24,"first_segment":2,"last_segment":2,"time":"2026-11-30T00:00:00Z"}]` + "\n"
			b := summed(text)
			m["log/dropped"] = file{b, int64(len(b))}
		}, []string{"log/dropped at -1, trace 12: ", "their day was dropped, and no trace records that"}},
		"what was removed is back": {func(m image) { m[second] = l.earlier[second] }, []string{"bodies, which a trace records as removed"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := maps.Clone(l.now)
			test.harm(m)
			r, said := l.fsck(t, m.write(t))
			for _, want := range test.want {
				if r.Whole() || !strings.Contains(said, want) {
					t.Errorf("there is no %q; found is\n%s", want, said)
				}
			}
		})
	}
}

// TestAnIndexIsHeldAgainstTheBodies changes rows of an index as neither Badger nor a start would notice.
func TestAnIndexIsHeldAgainstTheBodies(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	log, err := trace.Open(s.Traces(), trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if err := log.Append(t.Context(), workTrace(), trace.Queued); err != nil {
			t.Fatal(err)
		}
	}
	log.Close()
	r, err := s.Traces().At(t.Context(), 270)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	rows := store.Rows(r)
	stranger, distant := tracetest.Records(270, 1)[0], tracetest.Records(4711, 1)[0]
	type set = func(key, value []byte) error
	type remove = func(key []byte) error
	for name, test := range map[string]struct {
		change func(set, remove) error
		want   string
	}{
		"nothing":               {func(set, remove) error { return nil }, ""},
		"a row is missing":      {func(_ set, remove remove) error { return remove(rows[len(rows)-1]) }, "trace 256: 263 rows; should be 264 of the traces 256 to 299"},
		"an id is missing":      {func(_ set, remove remove) error { return remove(rows[0]) }, "trace 256: 263 rows; should be 264"},
		"an id is another's":    {func(set set, _ remove) error { return set(rows[0], []byte{0, 0, 0, 0, 0, 0, 1, 0}) }, "trace 256: other rows; should be 264"},
		"a row too many":        {func(set set, _ remove) error { return set(store.Rows(&stranger)[1], nil) }, "trace 256: 265 rows; should be 264"},
		"a row of another day":  {func(set set, _ remove) error { return set(store.Rows(&distant)[1], nil) }, "1 rows of no trace of the day"},
		"a row of another kind": {func(set set, _ remove) error { return set([]byte("what"), nil) }, "1 rows of no trace of the day"},
		"a place is another": {func(set set, _ remove) error {
			return set(append([]byte{'T'}, 0, 0, 0, 0, 0, 0, 1, 14), append([]byte{3}, make([]byte, 36)...))
		}, "trace 256: other rows; should be 264"},
		"it lacks the last ones": {func(set set, _ remove) error { return set([]byte("Mindexed"), []byte{0, 0, 0, 0, 0, 0, 1, 0}) }, "crash: "},
		"it is ahead":            {func(set set, _ remove) error { return set([]byte("Mindexed"), []byte{0, 0, 0, 0, 0, 0, 2, 0}) }, "traces up to 512; should be those up to 300"},
	} {
		t.Run(name, func(t *testing.T) {
			to := readImage(t, dir).write(t)
			s, err := store.Open(to, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := store.ChangeIndex(s, test.change); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := store.Fsck(t.Context(), to, store.FsckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if said := listed(r); test.want == "" && said != "" || !strings.Contains(said, test.want) || len(r.Findings) > 1 {
				t.Errorf("want %q; found is\n%s", test.want, said)
			}
		})
	}
}

// TestWhatACrashLeavesIsNoDamage checks stores that were killed, and one that was in the middle of an erasure.
func TestWhatACrashLeavesIsNoDamage(t *testing.T) {
	l := &lived{}
	killed := filled(t)
	for name, harm := range map[string]func(image){
		"killed": func(image) {},
		"without index": func(m image) {
			maps.DeleteFunc(m, func(rel string, _ file) bool {
				return strings.Contains(rel, "/index/") && strings.HasSuffix(rel, ".mem")
			})
		},
		"in the middle of a write": func(m image) {
			for rel, f := range m {
				if strings.HasSuffix(rel, ".seg") {
					m[rel] = file{append(bytes.Clone(f.data), f.data[28:200]...), f.size + 172}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := maps.Clone(killed)
			harm(m)
			dir := m.write(t)
			if r, said := l.fsck(t, dir); !r.Whole() || r.Traces != 60 || r.Services != 60 {
				t.Errorf("%+v; found is\n%s", r, said)
			}
			if n, err := readAll(dir); err != nil || n != 120 {
				t.Errorf("after that %d things are there, %v", n, err)
			}
		})
	}
	t.Run("in the middle of an erasure", func(t *testing.T) {
		l := live(t, nil)
		m := maps.Clone(l.now)
		const second = "traces/20261102/00000002.seg"
		m[second] = l.earlier[second] // recorded, and not done yet
		b := summed(`{"trace_id":"x","ranges":[[12,24]]}` + "\n")
		m["log/erasing"] = file{b, int64(len(b))}
		dir := m.write(t)
		if r, said := l.fsck(t, dir); !r.Whole() || !strings.Contains(said, "an erasure was interrupted") || !strings.Contains(said, "bodies, which a trace records as removed") {
			t.Errorf("found is\n%s", said)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "fsck-*")); err != nil || len(left) > 0 {
			t.Errorf("it leaves %v, %v", left, err)
		}
		if err := os.Mkdir(filepath.Join(dir, "fsck-killed"), 0o700); err != nil {
			t.Fatal(err)
		}
		l.fsck(t, dir)
		if left, _ := filepath.Glob(filepath.Join(dir, "fsck-*")); len(left) > 0 {
			t.Errorf("it leaves %v", left)
		}
	})
}
