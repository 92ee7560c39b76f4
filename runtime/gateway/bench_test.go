package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

const answer = `{"id":"1","choices":[{"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`

// BenchmarkExecute against an instant upstream, beside the plain client that it stands on.
func BenchmarkExecute(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		io.WriteString(w, answer)
	}))
	defer server.Close()
	payload := []byte(strings.Repeat("x", 500))

	b.Run("gateway", func(b *testing.B) {
		g := gateway.New(gateway.Options{})
		defer g.Close()
		result := []byte(`{"output":{"text":"hello"},"usage":{"input_tokens":1,"output_tokens":1}}`)
		reply := map[adapter.EventKind]adapter.Reply{
			adapter.KindStart:    {Actions: []adapter.Action{{Kind: adapter.ActionHTTP, Method: "POST", URL: server.URL, Body: payload}}},
			adapter.KindResponse: {Actions: []adapter.Action{{Kind: adapter.ActionDone, Data: result}}},
		}
		call := gateway.Call{Contract: contractAt(server.URL), Intent: &caiov1.Intent{Type: "x"}, Adapter: replies(reply)}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Execute(b.Context(), call); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("client", func(b *testing.B) {
		client := &http.Client{Transport: gateway.NewTransport(gateway.TransportOptions{})}
		defer client.CloseIdleConnections()
		b.ReportAllocs()
		for b.Loop() {
			resp, err := client.Post(server.URL, "", bytes.NewReader(payload))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil {
				b.Fatal(err)
			}
			resp.Body.Close()
		}
	})
}

// BenchmarkStream reads 100 events a stream.
func BenchmarkStream(b *testing.B) {
	var events bytes.Buffer
	for i := range 100 {
		fmt.Fprintf(&events, "data: {\"choices\":[{\"delta\":{\"content\":\" %d\"}}]}\n\n", i)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write(events.Bytes())
	}))
	defer server.Close()
	g := gateway.New(gateway.Options{})
	defer g.Close()
	reply := map[adapter.EventKind]adapter.Reply{
		adapter.KindStart: {Actions: []adapter.Action{{Kind: adapter.ActionHTTP, Method: "POST", URL: server.URL, Framing: "sse"}}},
		adapter.KindFrame: {Actions: []adapter.Action{{Kind: adapter.ActionEmit, Data: []byte(`{"text":" 1"}`)}}},
		adapter.KindEnd:   done(nil),
	}
	deltas := 0
	call := gateway.Call{Contract: contractAt(server.URL), Intent: &caiov1.Intent{Type: "x"}, Adapter: replies(reply), Stream: true,
		Emit: func(*caiov1.Delta) error { deltas++; return nil }}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if _, err := g.Execute(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
	if deltas != 100*n {
		b.Fatalf("%d deltas of %d streams", deltas, n)
	}
}
