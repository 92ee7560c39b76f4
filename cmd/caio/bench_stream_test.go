//go:build bench

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// chatContract is a chat service at upstream, spoken to by the shipped adapter.
func chatContract(id, upstream string) []byte {
	return fmt.Appendf(nil, `
service_id: %s
name: Chat %s
version: 1.0.0
capabilities: [chat]
guarantees: {p95_latency_ms: 500}
cost: {per_token: {in: 0.000001, out: 0.000002}, currency: USD}
privacy: {data_locality: local}
api: {protocol: http, base_url: %q}
adapter: {plugin: openai, settings: {model: m}}
`, id, id, upstream)
}

// chatFrames is how many pieces of text the upstream streams.
const chatFrames = 20

// chatUpstream streams a chat. Where held is not nil, each stream waits for it after its first piece.
func chatUpstream(b *bench, held <-chan struct{}, open *atomic.Int64) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		piece := func(delta, finish string) {
			fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n", delta, finish)
			w.(http.Flusher).Flush()
		}
		for i := range chatFrames {
			piece(`{"content":"a piece of text, "}`, "null")
			if i == 0 && held != nil {
				open.Add(1)
				<-held
			}
		}
		piece(`{}`, `"stop"`)
		fmt.Fprint(w, `data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":40}}`+"\n\ndata: [DONE]\n\n")
	}))
	b.t.Cleanup(s.Close)
	return s
}

func chatRequest() *caiov1.OrchestrateStreamRequest {
	return &caiov1.OrchestrateStreamRequest{Request: &caiov1.Request{
		Capabilities: []string{"chat"},
		Intent: &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{
			Messages: []*caiov1.ChatMessage{{Role: "user", Content: strings.Repeat("two kilobytes ", 140)}},
		}}},
	}}
}

// stream reads one streamed chat to its end. opened is called at its first piece.
func stream(ctx context.Context, client caiov1connect.OrchestratorServiceClient, token string, opened func()) error {
	req := connect.NewRequest(chatRequest())
	req.Header().Set("Authorization", "Bearer "+token)
	s, err := client.OrchestrateStream(ctx, req)
	if err != nil {
		return err
	}
	defer s.Close()
	said, whole := "", ""
	for s.Receive() {
		if text := s.Msg().GetDelta().GetText(); text != "" {
			if said == "" {
				opened()
			}
			said += text
		}
		whole = s.Msg().GetResponse().GetResult().GetChat().GetMessage().GetContent()
	}
	if s.Err() == nil && (said != whole || strings.Count(whole, "piece") != chatFrames) {
		return fmt.Errorf("the pieces say %q, the result %q", said, whole)
	}
	return s.Err()
}

// streams: streamed chats of 2 KB and 20 pieces, the server beside a plain reverse proxy; and what open ones take.
func (b *bench) streams() {
	upstream := chatUpstream(b, nil, nil)
	h := startHouse(b.t, b.t.TempDir())
	h.inForce(b.t, chatContract("chat", upstream.URL))
	client := caiov1connect.NewOrchestratorServiceClient(h.httpClient, h.url)
	const n, workers = 2000, 16
	call := func() error { return stream(b.t.Context(), client, h.token, func() {}) }
	b.flood("", n/10, workers, call)
	before := cpuOf(b.t, h.cmd.Process.Pid)
	ours := b.flood("stream", n, workers, call)
	b.report("stream_cpu", (cpuOf(b.t, h.cmd.Process.Pid)-before)/n*1e6, "us")

	proxy := startProxy(b.t, upstream.URL)
	httpClient := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer httpClient.CloseIdleConnections()
	body := `{"model":"m","stream":true,"messages":[{"role":"user","content":"` + strings.Repeat("two kilobytes ", 140) + `"}]}`
	post := func() error {
		response, err := httpClient.Post(proxy.url+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	b.flood("", n/10, workers, post)
	before = cpuOf(b.t, proxy.pid)
	theirs := b.flood("reverse_proxy_stream", n, workers, post)
	b.report("reverse_proxy_stream_cpu", (cpuOf(b.t, proxy.pid)-before)/n*1e6, "us")
	b.report("streams_over_reverse_proxy_rate", ours/theirs, "times")
}

// openStreams: 10,000 chats that have brought a piece and wait for the next, over few connections from their callers.
func (b *bench) openStreams() {
	const n = 10_000
	held := make(chan struct{})
	var upstreams, opened, failed atomic.Int64
	upstream := chatUpstream(b, held, &upstreams)
	h := startHouse(b.t, b.t.TempDir())
	h.inForce(b.t, chatContract("chat", upstream.URL))
	idle := residentMB(b.t, h.cmd.Process.Pid)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	client := caiov1connect.NewOrchestratorServiceClient(&http.Client{Transport: transport}, h.url)
	ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Minute)
	defer cancel()
	var running sync.WaitGroup
	slots := make(chan struct{}, 64) // that are on their way to their first piece
	begin := time.Now()
	for range n {
		slots <- struct{}{}
		running.Go(func() {
			first := sync.OnceFunc(func() { <-slots })
			defer first()
			if err := stream(ctx, client, h.token, func() { opened.Add(1); first() }); err != nil {
				if failed.Add(1); !errors.Is(err, context.Canceled) {
					b.t.Log(err)
				}
			}
		})
	}
	for opened.Load()+failed.Load() < n && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	b.report("open_streams", float64(opened.Load()), "count")
	b.report("open_streams_begun_rate", float64(n)/time.Since(begin).Seconds(), "per_s")
	b.report("open_streams_memory", residentMB(b.t, h.cmd.Process.Pid), "MB")
	b.report("open_streams_memory_before", idle, "MB")
	close(held)
	running.Wait()
	if failed.Load() > 0 || opened.Load() != n {
		b.t.Errorf("%d of %d streams opened, %d failed", opened.Load(), n, failed.Load())
	}
}
