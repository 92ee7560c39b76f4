package adapter

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
)

func TestACanceledCallerDoesNotWaitForAnInstance(t *testing.T) {
	a := find(t, open(t, Options{MaxInstances: 1}), newGuest().build(), "hand")
	a.module.slots <- struct{}{} // the only instance is at work
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := a.Step(ctx, nil, started)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	<-a.module.slots
	if _, err := a.Step(t.Context(), nil, started); err != nil {
		t.Error(err)
	}
}

func TestInstancesAreBoundedAndShared(t *testing.T) {
	a := find(t, open(t, Options{MaxInstances: 3}), newGuest().build(), "hand")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := a.Step(t.Context(), nil, started); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(a.module.idle); n < 1 || n > 3 || len(a.module.slots) != 0 {
		t.Errorf("%d instances, %d at work", n, len(a.module.slots))
	}
}

func TestCloseWaitsAndThenRefuses(t *testing.T) {
	r, err := Open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := find(t, r, newGuest().build(), "hand")
	if err := r.enter(); err != nil { // a call is on its way
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Close(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("close with a running call: %v", err)
	}
	if _, err := a.Step(t.Context(), nil, started); !errors.Is(err, ErrClosed) {
		t.Errorf("step while closing: %v", err)
	}
	closed := make(chan error)
	go func() { closed <- r.Close(context.Background()) }()
	r.leave()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := r.Load(t.Context(), "late", newGuest().build()); !errors.Is(err, ErrClosed) {
		t.Errorf("load after close: %v", err)
	}
}

func TestTheCompileCacheIsPrivateAndHeals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	wasm := newGuest().build()
	find(t, open(t, Options{CacheDir: dir}), wasm, "hand")
	files, _ := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	if len(files) == 0 {
		t.Fatal("nothing was cached")
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, damage := range [][]byte{nil, []byte("not what it was"), bytes.Repeat([]byte{0xff}, 5000)} {
		for _, file := range files {
			if err := os.WriteFile(file, damage, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		a := find(t, open(t, Options{CacheDir: dir}), wasm, "hand")
		if _, err := a.Step(t.Context(), nil, started); err != nil {
			t.Error(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{CacheDir: dir}); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a cache that others may enter: %v", err)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, o := range []Options{{MemoryLimit: 100}, {Fuel: 1 << 63}, {MaxInstances: -1}, {IdleAfter: -1}} {
		if r, err := Open(t.Context(), o); err == nil {
			t.Errorf("%+v was accepted", o)
			_ = r.Close(t.Context())
		}
	}
}

func TestGuestsSeeTheSameWorldInEveryCall(t *testing.T) {
	// It answers with 8 random bytes and the time, as a state.
	g := newGuest()
	g.prepare = func(m *asm.Module) {
		m.Import(wasiModule, "random_get", "(i32, i32) -> (i32)")
		m.Import(wasiModule, "clock_time_get", "(i32, i64, i32) -> (i32)")
	}
	world := g.build(
		asm.I32(0), asm.I64(1|16<<16), asm.Op(0x37, 0, 0), // a state of 16 bytes, at 0..6
		asm.I32(6), asm.I32(8), asm.Op(asm.Call, 0), []byte{asm.Drop},
		asm.I32(0), asm.I64(1), asm.I32(14), asm.Op(asm.Call, 1), []byte{asm.Drop},
		packed(0, 22))
	a := find(t, open(t, small), world, "hand")
	var first []byte
	for range 3 {
		reply, err := a.Step(t.Context(), nil, Event{Kind: KindFrame})
		if err != nil || len(reply.State) != 16 {
			t.Fatalf("%+v, %v", reply, err)
		}
		if first == nil {
			first = reply.State
		}
		if !bytes.Equal(first, reply.State) {
			t.Errorf("%x, then %x", first, reply.State)
		}
	}
	if bytes.Equal(first[:8], make([]byte, 8)) || bytes.Equal(first[8:], make([]byte, 8)) {
		t.Errorf("nothing was written: %x", first)
	}
}

func TestCatalogPinsVersionsAndSaysWhatThereIs(t *testing.T) {
	r := open(t, small)
	old := newGuest().build()
	g := newGuest()
	g.pages = 3
	load := func(name string, wasm []byte) *Module {
		m, err := r.Load(t.Context(), name, wasm)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b := load("old", old), load("new", g.build())
	c, err := NewCatalog(a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	for digest, want := range map[string]string{"": a.Digest(), a.Digest(): a.Digest(), b.Digest(): b.Digest()} {
		got, err := c.Find("hand", digest)
		if err != nil || got.Digest() != want || got.Name() != "hand" || got.Info().Version != "1.0.0" {
			t.Errorf("%q: %v, %v", digest, got, err)
		}
	}
	if list := c.List(); len(list) != 2 || list[0].GetDigest() > list[1].GetDigest() || list[0].GetName() != "hand" {
		t.Errorf("%v", list)
	}
	other, _ := NewCatalog(a, b)
	if got, _ := other.Find("hand", ""); got.Digest() != b.Digest() || other.Digest() == c.Digest() {
		t.Error("the last module is not in force, or the digest does not say so")
	}
	_, err = c.Find("ghost", "")
	var missing *NotFoundError
	if !errors.As(err, &missing) || !slices.Equal(missing.Available, []string{"hand"}) || !strings.Contains(err.Error(), "ghost") {
		t.Errorf("%v", err)
	}
	_, err = c.Find("hand", strings.Repeat("0", 64))
	if !errors.As(err, &missing) || len(missing.Available) != 2 || !strings.Contains(err.Error(), a.Digest()) {
		t.Errorf("%v", err)
	}
	if _, err := NewCatalog(nil); err == nil {
		t.Error("a nil module was accepted")
	}
	empty, err := NewCatalog()
	if err != nil || empty.List() == nil {
		t.Errorf("%v, %v", empty, err)
	}
}

func TestWhatAReplyMayNotSay(t *testing.T) {
	http := Action{Kind: ActionHTTP, Method: "GET", URL: "https://example.com"}
	for name, row := range map[string]struct {
		actions []Action
		event   EventKind
		says    string
	}{
		"two calls":        {[]Action{http, http}, KindStart, "only the last"},
		"done and more":    {[]Action{{Kind: ActionDone, Data: []byte("{}")}, {Kind: ActionEmit, Data: []byte("{}")}}, KindStart, "only the last"},
		"relative URL":     {[]Action{{Kind: ActionHTTP, Method: "GET", URL: "/v1"}}, KindStart, "absolute"},
		"file URL":         {[]Action{{Kind: ActionHTTP, Method: "GET", URL: "file:///etc/passwd"}}, KindStart, "absolute"},
		"no method":        {[]Action{{Kind: ActionHTTP, URL: "https://example.com"}}, KindStart, "method"},
		"framing":          {[]Action{{Kind: ActionHTTP, Method: "GET", URL: "https://example.com", Framing: "xml"}}, KindStart, "xml"},
		"empty delta":      {[]Action{{Kind: ActionEmit}, http}, KindStart, "without data"},
		"code of ours":     {[]Action{{Kind: ActionFail, Code: "UNAUTHENTICATED"}}, KindStart, "UNAUTHENTICATED"},
		"nothing at start": {nil, KindStart, "how it goes on"},
		"emit at the end":  {[]Action{{Kind: ActionEmit, Data: []byte("{}")}}, KindEnd, "how it goes on"},
		"nothing at timer": {nil, KindTimer, "how it goes on"},
		"no kind":          {[]Action{{}}, KindStart, "kind 0"},
	} {
		if err := checkReply(&Reply{Actions: row.actions}, &Event{Kind: row.event}); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, row := range map[string]struct {
		actions []Action
		event   EventKind
	}{
		"call":         {[]Action{http}, KindStart},
		"pieces, done": {[]Action{{Kind: ActionEmit, Data: []byte("{}")}, {Kind: ActionDone, Data: []byte("{}")}}, KindFrame},
		"next frame":   {nil, KindFrame},
		"first frame":  {nil, KindResponse},
		"wait":         {[]Action{{Kind: ActionWait}}, KindTimer},
		"plain fail":   {[]Action{{Kind: ActionFail}}, KindEnd},
	} {
		if err := checkReply(&Reply{Actions: row.actions}, &Event{Kind: row.event}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEventThatIsTooLargeIsNotHandedOver(t *testing.T) {
	a := find(t, open(t, small), newGuest().build(), "hand")
	_, err := a.Step(t.Context(), nil, Event{Kind: KindResponse, Body: make([]byte, maxCallBytes)})
	var fault *GuestError
	if err == nil || errors.As(err, &fault) || !strings.Contains(err.Error(), "at most") {
		t.Errorf("%v", err)
	}
}

func TestTheCallReachesTheGuestUnchanged(t *testing.T) {
	// The echo's reply is the call itself, whose field 3, the event, a reply does not know and skips; its name is then the
	// state, and its state an action.
	a := find(t, open(t, small), echoGuest(), "hand")
	state := appendNumber(appendNumber(nil, 1, int(ActionWait)), 7, 1234)
	reply, err := a.Step(t.Context(), state, started)
	want := Reply{State: []byte("hand"), Actions: []Action{{Kind: ActionWait, DelayMS: 1234}}}
	if err != nil || !reflect.DeepEqual(reply, want) {
		t.Errorf("%+v, %v", reply, err)
	}
}
