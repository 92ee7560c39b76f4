package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
)

func TestTheProgressOfACheckIsSaidNowAndThen(t *testing.T) {
	began := time.Unix(1_800_000_000, 0)
	at := func(seconds float64, done int64) (time.Time, store.Progress) {
		return began.Add(time.Duration(seconds * float64(time.Second))), store.Progress{Done: done, All: 4e9, Traces: uint64(done / 4000)}
	}
	for name, test := range map[string]struct {
		terminal bool
		want     string
	}{
		"a file":     {false, "1.0 GB of 4.0 GB, 250000 traces, 200.0 MB/s, about 15s left\n"},
		"a terminal": {true, "\r4.0 MB of 4.0 GB, 1000 traces, 4.0 MB/s, about 16m39s left\x1b[K\r1.0 GB of 4.0 GB, 250000 traces, 200.0 MB/s, about 15s left\x1b[K\r\x1b[K"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			p := newFsckProgress(&said, began)
			p.terminal = test.terminal
			p.now(at(0.1, 1e6))
			p.now(at(1, 4e6))
			p.now(at(5, 1e9))
			p.now(at(5.1, 1.1e9))
			p.end()
			if said.String() != test.want {
				t.Errorf("said %q, want %q", said.String(), test.want)
			}
		})
	}
	if text := progressText(0, store.Progress{All: 1}); text != "0.0 kB of 0.0 kB, 0 traces, 0.0 kB/s, an unknown time left" {
		t.Error(text)
	}
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	if newFsckProgress(f, began).terminal {
		t.Error("a file is taken for a terminal")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
