package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// remoteCommands are what scripts about a running server need beyond the built-in commands.
//
//	server [FLAG...]   runs `caio serve` on a free port until the script ends; $CAIO_SERVER is its address. Once more: stops
//	                   it and starts it again on the same data
//	stop               stops it
//	flip FILE N        changes byte N of a file, from its end if N is negative; in FILE * stands for anything
//	drop FILE          removes a file or a directory; likewise
//	upstream           runs a service that detects languages and chats; $UPSTREAM is its address
//	expand FILE...     replaces $NAME in files by what the environment holds
//	exits CODE ARG...  runs caio and expects that exit code
//	traceid FILE       $TRACE becomes the trace_id of the JSON document in FILE
//	watched N FILE ARG...  runs `caio trace watch` until it has written N lines, into FILE; then it is interrupted and must
//	                   end well
func remoteCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"server": scriptServer, "upstream": scriptUpstream, "expand": scriptExpand, "exits": scriptExits,
		"traceid": scriptTraceID, "watched": scriptWatched, "stop": scriptStop, "flip": scriptFlip, "drop": scriptDrop,
	}
}

// serverKey is where a script keeps what ends its server.
type serverKey struct{}

func scriptServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: server [FLAG...]")
	}
	end := ts.Value(serverKey{}).(*func())
	if *end != nil {
		(*end)()
	}
	ctx, stop := context.WithCancel(context.Background())
	cache := filepath.Join(ts.Getenv("XDG_CACHE_HOME"), "adapters")
	line := append([]string{"serve", "--addr", "127.0.0.1:0", "--data", ts.MkAbs("data"), "--adapter-cache", cache}, args...)
	logs, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- execute(ctx, line, strings.NewReader(""), io.Discard, writer)
		_ = writer.Close() // of a pipe in memory: never fails
	}()
	addr, rest := servingAddr(logs)
	// The log must be read to its end, or the server would wait for its reader.
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(rest, logs)
	}()
	*end = sync.OnceFunc(func() {
		stop()
		got := <-code
		<-drained
		if got != exitOK {
			ts.Fatalf("server ended with exit code %d:\n%s", got, rest)
		}
	})
	ts.Defer(*end)
	if addr == "" {
		stop()
		<-drained
		ts.Fatalf("server did not start:\n%s", rest)
	}
	ts.Setenv("CAIO_SERVER", "http://"+addr)
}

func scriptStop(ts *testscript.TestScript, neg bool, args []string) {
	end := ts.Value(serverKey{}).(*func())
	if neg || len(args) != 0 || *end == nil {
		ts.Fatalf("usage: stop, after server")
	}
	(*end)()
}

func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE N")
	}
	file := theOne(ts, args[0])
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	raw, err := os.ReadFile(file)
	ts.Check(err)
	raw[(at+len(raw))%len(raw)] ^= 1
	ts.Check(os.WriteFile(file, raw, 0o600))
}

func scriptDrop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: drop FILE")
	}
	ts.Check(os.RemoveAll(theOne(ts, args[0])))
}

// theOne returns the only file that pattern matches.
func theOne(ts *testscript.TestScript, pattern string) string {
	files, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("%s is %v", pattern, files)
	}
	return files[0]
}

// servingAddr reads the log until it says where the server listens. What was read is in the buffer.
func servingAddr(logs io.Reader) (string, *bytes.Buffer) {
	said := regexp.MustCompile(`msg=serving .*\baddr=(\S+)`)
	read := &bytes.Buffer{}
	lines := bufio.NewScanner(io.TeeReader(logs, read))
	for lines.Scan() {
		if m := said.FindStringSubmatch(lines.Text()); m != nil {
			return m[1], read
		}
	}
	return "", read
}

func scriptUpstream(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: upstream")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /detect", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"output":{"language":"eng"},"metadata":{"confidence":0.99}}`)
	})
	mux.HandleFunc("POST /broken", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hello, \"}}]}\n\n"+
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"world\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	})
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv("UPSTREAM", s.URL)
}

func scriptExpand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: expand FILE...")
	}
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec("caio", args[1:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("caio %s: %v", strings.Join(args[1:], " "), err)
	}
	if got != want {
		ts.Fatalf("caio %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func scriptTraceID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: traceid FILE")
	}
	var document struct {
		TraceID string `json:"trace_id"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
	if document.TraceID == "" {
		ts.Fatalf("%s has no trace_id", args[0])
	}
	ts.Setenv("TRACE", document.TraceID)
}

func scriptWatched(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: watched N FILE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	out, writer := io.Pipe()
	line := append([]string{"trace", "watch", "--server", ts.Getenv("CAIO_SERVER")}, args[2:]...)
	code, said := make(chan int, 1), &bytes.Buffer{}
	go func() {
		code <- execute(ctx, line, strings.NewReader(""), writer, said)
		_ = writer.Close() // of a pipe in memory: never fails
	}()
	var lines []string
	for read := bufio.NewScanner(out); read.Scan(); {
		if lines = append(lines, read.Text()); len(lines) == want {
			interrupt()
		}
	}
	if got := <-code; got != exitOK || len(lines) != want {
		ts.Fatalf("caio %s: exit code %d after %d lines:\n%s%s", strings.Join(line, " "), got, len(lines), strings.Join(lines, "\n"), said)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}
