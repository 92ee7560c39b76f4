//go:build soak

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

var (
	faultsFor  = flag.Duration("faults-for", 10*time.Minute, "how long an upstream is faulty")
	faultsRate = flag.Int("faults-rate", 500, "requests a second to it")
)

// TestSoakFaults lets three services fail in all ways that upstreams do, under a steady load of whole and streamed chats. Every
// request must end in an answer or in an error with a code; circuits must open and close again; and when it is over,
// neither connections nor memory may be left.
func TestSoakFaults(t *testing.T) {
	h := startHouse(t, t.TempDir())
	faults := &faultyUpstream{}
	for i := range 3 {
		s := httptest.NewServer(faults.handler(i))
		defer s.Close()
		h.inForce(t, faultyContract(i, s.URL))
	}
	before := openFiles(t, h)
	ends := bombard(t, h, faults, *faultsFor, *faultsRate)

	for _, end := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%-44s %8d", end, ends[end])
	}
	opened, closed := strings.Count(h.log.String(), "to=open"), strings.Count(h.log.String(), "to=closed")
	t.Logf("circuits opened %d times and closed %d times", opened, closed)
	if opened == 0 || closed == 0 {
		t.Errorf("no circuit opened and closed:\n%.2000s", h.log)
	}
	if ends["answer, whole"] == 0 || ends["answer, streamed"] == 0 {
		t.Error("nothing was answered")
	}
	for end := range ends {
		if strings.HasPrefix(end, "no code") {
			t.Errorf("requests ended with %s", end)
		}
	}
	left := 0
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		if left = openFiles(t, h) - before; left <= 64 { // what is kept to be used again, and closed after 90 s without use
			break
		}
	}
	t.Logf("%d files more than before are open, %.0f MB resident", left, residentMB(t, h.cmd.Process.Pid))
	if left > 64 {
		t.Errorf("%d connections are left", left)
	}
}

// bombard sends requests at a rate, whether those before have ended or not, and counts how they end.
func bombard(t *testing.T, h *house, faults *faultyUpstream, length time.Duration, rate int) map[string]int {
	var mu sync.Mutex
	ends := map[string]int{}
	var running sync.WaitGroup
	token := "Bearer " + h.token
	client := h.orchestrator()
	begin := time.Now()
	for i := 0; time.Since(begin) < length; i++ {
		if wait := time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))); wait > 0 {
			time.Sleep(wait)
		}
		faults.at.Store(int64(time.Since(begin)))
		running.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			what, err := "whole", error(nil)
			if i%2 == 0 {
				what = "streamed"
				req := connect.NewRequest(&caiov1.OrchestrateStreamRequest{Request: faultyRequest()})
				req.Header().Set("Authorization", token)
				s, streamErr := client.OrchestrateStream(ctx, req)
				if err = streamErr; err == nil {
					answered := false
					for s.Receive() {
						answered = answered || s.Msg().GetResponse() != nil
					}
					if err = s.Err(); err == nil && !answered {
						err = errors.New("a clean end without an answer")
					}
					s.Close()
				}
			} else {
				_, err = client.Orchestrate(ctx, connect.NewRequest(&caiov1.OrchestrateRequest{Request: faultyRequest()}))
			}
			end := "answer, " + what
			if err != nil {
				if end, _ = said(err); end == "" || end == "no connect error" || ctx.Err() != nil {
					end = "no code: " + err.Error()[:min(80, len(err.Error()))]
				}
			}
			mu.Lock()
			defer mu.Unlock()
			ends[end]++
		})
	}
	running.Wait()
	return ends
}

func faultyRequest() *caiov1.Request {
	return &caiov1.Request{
		Capabilities: []string{"chat"},
		Intent:       &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{Messages: []*caiov1.ChatMessage{{Role: "user", Content: "hello"}}}}},
	}
}

func faultyContract(i int, upstream string) []byte {
	return fmt.Appendf(nil, `
service_id: faulty-%d
name: Faulty %d
version: 1.0.0
capabilities: [chat]
guarantees: {p95_latency_ms: 500}
privacy: {data_locality: local}
api: {protocol: http, base_url: %q}
adapter: {plugin: openai, settings: {model: m, timeout_ms: 2000}}
`, i, i, upstream)
}

// A faultyUpstream answers chats, and in one of six does something else. Every 20 s each service has 3 s in which it is down,
// and 3 s in which it has had too many requests.
type faultyUpstream struct{ at atomic.Int64 } // how long it has been faulty

func (f *faultyUpstream) handler(i int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		streamed := strings.Contains(string(body), `"stream":true`)
		switch at := (time.Duration(f.at.Load()) + time.Duration(i)*7*time.Second) % (20 * time.Second); {
		case at < 3*time.Second:
			http.Error(w, `{"error":{"message":"down"}}`, http.StatusInternalServerError)
			return
		case at < 6*time.Second:
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"error":{"message":"too many requests"}}`, http.StatusTooManyRequests)
			return
		}
		pause := time.Duration(0)
		switch rand.IntN(36) {
		case 0: // late
			time.Sleep(time.Duration(rand.IntN(800)) * time.Millisecond)
		case 1: // too late
			time.Sleep(2500 * time.Millisecond)
		case 2: // reset, before or in the middle of the answer
			reset(w, rand.IntN(2) == 0)
			return
		case 3: // half an answer
			half(w, streamed)
			return
		case 4: // garbage
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, strings.Repeat("\x00\xff<html>", 200))
			return
		case 5: // slow
			pause = 60 * time.Millisecond
		}
		answerChat(w, streamed, pause)
	})
}

const chatPiece = `data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}` + "\n\n"

func answerChat(w http.ResponseWriter, streamed bool, pause time.Duration) {
	if !streamed {
		time.Sleep(pause)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for range 10 {
		io.WriteString(w, chatPiece)
		w.(http.Flusher).Flush()
		time.Sleep(pause)
	}
	io.WriteString(w, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
}

// half sends a part of an answer and closes the connection.
func half(w http.ResponseWriter, streamed bool) {
	if streamed {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, chatPiece+chatPiece[:40])
	} else {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"id":"c","choices":[`)
	}
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// reset breaks the connection off with an RST.
func reset(w http.ResponseWriter, begun bool) {
	if begun {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// openFiles counts what the server holds open.
func openFiles(t *testing.T, h *house) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
