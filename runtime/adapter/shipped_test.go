package adapter

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// shipped builds the module of the shipped adapters, once for the whole test binary.
var shipped = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "adapters")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "adapters.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", file, ".")
	build.Dir = "../../plugins"
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the shipped adapters: %w\n%s", err, out)
	}
	return os.ReadFile(file)
})

func shippedWASM(t testing.TB) []byte {
	t.Helper()
	wasm, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// plainGuest runs a module as it is, without the meter, in the engine's own WASI: what the metered one is compared with.
type plainGuest struct {
	t     testing.TB
	guest api.Module
}

func newPlainGuest(t testing.TB, wasm []byte) *plainGuest {
	t.Helper()
	cache, err := wazero.NewCompilationCacheWithDir(cached(t, Options{}).CacheDir)
	if err != nil {
		t.Fatal(err)
	}
	engine := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features).WithCompilationCache(cache))
	t.Cleanup(func() {
		engine.Close(context.Background())
		cache.Close(context.Background())
	})
	wasi_snapshot_preview1.MustInstantiate(t.Context(), engine)
	guest, err := engine.InstantiateWithConfig(t.Context(), wasm, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(err)
	}
	return &plainGuest{t, guest}
}

func (p *plainGuest) step(adapter string, state []byte, ev *Event) []byte {
	size := sizeCall(adapter, state, ev)
	results, err := p.guest.ExportedFunction("caio_alloc").Call(p.t.Context(), uint64(size))
	if err != nil {
		p.t.Fatal(err)
	}
	room, _ := p.guest.Memory().Read(uint32(results[0]), uint32(size))
	appendCall(room[:0:size], adapter, state, ev)
	if results, err = p.guest.ExportedFunction("caio_step").Call(p.t.Context(), results[0], uint64(size)); err != nil {
		p.t.Fatal(err)
	}
	doc, ok := p.guest.Memory().Read(uint32(results[0]>>32), uint32(results[0]))
	if !ok {
		p.t.Fatalf("a reply at %x", results[0])
	}
	return doc
}

// chat is a conversation of about 2 KB.
func chat() Event {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, \\\"again\\\" and again. ", 7)
	messages := make([]string, 4)
	for i := range messages {
		messages[i] = `{"content":"` + text + `","parts":[],"role":"user","tool_call_id":"","tool_calls":[]}`
	}
	return Event{Kind: KindStart,
		Intent:   []byte(`{"chat":{"max_tokens":100,"messages":[` + strings.Join(messages, ",") + `],"model":"","stop":[],"temperature":0.5,"tools":[]},"domain":"","type":"chat"}`),
		Contract: []byte(`{"service_id":"s","base_url":"https://api.example.com","endpoints":[],"settings":{"model":"m"}}`),
	}
}

func answer() Event {
	return Event{Kind: KindResponse, Status: 200, Headers: []Header{{"Content-Type", "application/json"}},
		Body: []byte(`{"id":"x","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("word ", 300) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":300}}`)}
}

func TestTheShippedAdaptersWorkInTheSandbox(t *testing.T) {
	r := open(t, cached(t, Options{}))
	m, err := r.Load(t.Context(), "shipped", shippedWASM(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, info := range m.Adapters() {
		names = append(names, info.Name)
	}
	if !slices.Contains(names, "openai") || !slices.Contains(names, "http") || len(m.Digest()) != 64 || m.Name() != "shipped" {
		t.Fatalf("%v %s", names, m.Digest())
	}
	c, err := NewCatalog(m)
	if err != nil {
		t.Fatal(err)
	}
	openai, err := c.Find("openai", m.Digest())
	if err != nil {
		t.Fatal(err)
	}
	call, err := openai.Step(t.Context(), nil, chat())
	if err != nil || len(call.Actions) != 1 || call.Actions[0].URL != "https://api.example.com/v1/chat/completions" {
		t.Fatalf("%+v, %v", call, err)
	}
	done, err := openai.Step(t.Context(), call.State, answer())
	if err != nil || done.Actions[0].Kind != ActionDone || !bytes.Contains(done.Actions[0].Data, []byte(`"output_tokens":300`)) {
		t.Fatalf("%+v, %v", done, err)
	}
}

// TestMeteringChangesNothingOfWhatAGuestSays runs a real Go guest of thousands of functions with and without the meter.
func TestMeteringChangesNothingOfWhatAGuestSays(t *testing.T) {
	wasm := shippedWASM(t)
	r := open(t, cached(t, Options{}))
	m, err := r.Load(t.Context(), "shipped", wasm)
	if err != nil {
		t.Fatal(err)
	}
	plain := newPlainGuest(t, wasm)
	start, stream := chat(), chat()
	stream.Stream = true
	frame := Event{Kind: KindFrame, Data: []byte(`{"choices":[{"index":0,"delta":{"content":"é\ud83d\ude00","tool_calls":[{"index":1,"id":"a","function":{"name":"f","arguments":"{"}}]}}]}`)}
	bad := Event{Kind: KindResponse, Status: 429, Body: []byte(`{"error":{"message":"slow"}}`)}
	head := Event{Kind: KindResponse, Status: 200}
	payload := Event{Kind: KindStart, Intent: []byte(`{"payload":{"a":[1.5,null,true]}}`), Contract: []byte(`{"base_url":"http://x","settings":{"body":{"b":"{{/payload/a/0}}"}}}`)}
	for i, row := range []struct {
		adapter string
		events  []Event
	}{
		{"openai", []Event{start, answer()}}, {"openai", []Event{start, bad}}, {"openai", []Event{stream, head, frame, frame, {Kind: KindEnd}}},
		{"http", []Event{payload, answer()}}, {"http", []Event{payload, {Kind: KindTimer}}}, {"http", []Event{start}}, {"ghost", []Event{start}},
	} {
		for range 50 { // long enough for the guest to collect garbage
			var state []byte
			for _, ev := range row.events {
				reply, err := m.step(t.Context(), row.adapter, state, &ev)
				if err != nil {
					t.Fatalf("%d: %v", i, err)
				}
				want, err := decodeReply(bytes.Clone(plain.step(row.adapter, state, &ev)))
				if err != nil || !reflect.DeepEqual(reply, want) {
					t.Fatalf("%d: metered %+v, plain %+v, %v", i, reply, want, err)
				}
				state = reply.State
			}
		}
	}
}

func TestALongStreamKeepsItsInstanceSmall(t *testing.T) {
	r := open(t, cached(t, Options{MaxInstances: 1}))
	a := find(t, r, shippedWASM(t), "openai")
	ev := chat()
	ev.Stream = true
	reply, err := a.Step(t.Context(), nil, ev)
	if err != nil {
		t.Fatal(err)
	}
	reply, err = a.Step(t.Context(), reply.State, Event{Kind: KindResponse, Status: 200})
	for i := 0; i < 3000 && err == nil; i++ {
		reply, err = a.Step(t.Context(), reply.State, Event{Kind: KindFrame, Data: []byte(`{"choices":[{"index":0,"delta":{"content":"token "}}]}`)})
	}
	if err != nil || len(reply.State) < 18000 {
		t.Fatalf("%d bytes of state, %v", len(reply.State), err)
	}
	if n := len(a.module.idle); n != 1 || a.module.idle[0].memory.Size() > 16<<20 {
		t.Errorf("%d instances", n)
	}
}

func TestALargeAnswerPassesThrough(t *testing.T) {
	a := find(t, open(t, cached(t, Options{})), shippedWASM(t), "http")
	start := Event{Kind: KindStart, Intent: []byte(`{"payload":{}}`), Contract: []byte(`{"base_url":"http://x","settings":{}}`)}
	call, err := a.Step(t.Context(), nil, start)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"v":"` + strings.Repeat("x", 8<<20) + `"}`)
	done, err := a.Step(t.Context(), call.State, Event{Kind: KindResponse, Status: 200, Body: body})
	if err != nil || len(done.Actions) != 1 || len(done.Actions[0].Data) != len(body)+len(`{"output":}`) {
		t.Fatalf("%d actions, %v", len(done.Actions), err)
	}
}

// measure runs step b.N times and reports the median beside the mean.
func measure(b *testing.B, step func()) {
	b.Helper()
	for range 200 { // pools and caches filled
		step()
	}
	times := make([]time.Duration, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		step()
		if len(times) < cap(times) {
			times = append(times, time.Since(begin))
		}
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1000, "p50-us")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1000, "p99-us")
}

func BenchmarkStepOpenAIChat(b *testing.B) {
	a := find(b, open(b, cached(b, Options{})), shippedWASM(b), "openai")
	ev := chat()
	b.SetBytes(int64(sizeCall("openai", nil, &ev)))
	measure(b, func() {
		if _, err := a.Step(b.Context(), nil, ev); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkStepOpenAIAnswer(b *testing.B) {
	a := find(b, open(b, cached(b, Options{})), shippedWASM(b), "openai")
	call, err := a.Step(b.Context(), nil, chat())
	if err != nil {
		b.Fatal(err)
	}
	ev := answer()
	measure(b, func() {
		if _, err := a.Step(b.Context(), call.State, ev); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkUnmeteredOpenAIChat is what BenchmarkStepOpenAIChat would take in the guest without counting fuel.
func BenchmarkUnmeteredOpenAIChat(b *testing.B) {
	plain := newPlainGuest(b, shippedWASM(b))
	alloc, step := plain.guest.ExportedFunction("caio_alloc"), plain.guest.ExportedFunction("caio_step")
	ev := chat()
	size := sizeCall("openai", nil, &ev)
	var stack [2]uint64
	measure(b, func() {
		stack[0] = uint64(size)
		if err := alloc.CallWithStack(b.Context(), stack[:]); err != nil {
			b.Fatal(err)
		}
		room, _ := plain.guest.Memory().Read(uint32(stack[0]), uint32(size))
		appendCall(room[:0:size], "openai", nil, &ev)
		stack[1] = uint64(size)
		if err := step.CallWithStack(b.Context(), stack[:]); err != nil {
			b.Fatal(err)
		}
		doc, _ := plain.guest.Memory().Read(uint32(stack[0]>>32), uint32(stack[0]))
		if _, err := decodeReply(bytes.Clone(doc)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkStepHandMade is the floor: a guest of no code at all, 2 KB in.
func BenchmarkStepHandMade(b *testing.B) {
	a := find(b, open(b, cached(b, Options{})), newGuest().build(), "hand")
	ev := chat()
	measure(b, func() {
		if _, err := a.Step(b.Context(), nil, ev); err != nil {
			b.Fatal(err)
		}
	})
}

// load opens a runtime, loads the shipped adapters and closes it.
func load(b *testing.B, wasm []byte, options Options) {
	b.Helper()
	r, err := Open(b.Context(), options)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.Load(b.Context(), "shipped", wasm); err != nil {
		b.Fatal(err)
	}
	if err := r.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkLoadCompiled(b *testing.B) {
	wasm, options := shippedWASM(b), cached(b, Options{})
	load(b, wasm, options)
	for b.Loop() {
		load(b, wasm, options)
	}
}

func BenchmarkLoadFresh(b *testing.B) {
	wasm := shippedWASM(b)
	for b.Loop() {
		load(b, wasm, Options{})
	}
}

// BenchmarkAnotherInstance is what a call pays that finds no idle instance.
func BenchmarkAnotherInstance(b *testing.B) {
	a := find(b, open(b, cached(b, Options{})), shippedWASM(b), "openai")
	measure(b, func() {
		in, err := a.module.another()
		if err != nil {
			b.Fatal(err)
		}
		in.close()
	})
}
