package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is an adapter written as a Go function.
type machine func(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error)

func (m machine) Step(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
	return m(ctx, state, ev)
}

// caller is an adapter that makes one call and returns what came back: {"output": {"status", "body"}}. A URL that
// begins with "/" lies below the contract's base_url. Frames are emitted one by one and put together in body.
func caller(call adapter.Action) machine {
	return func(_ context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
		switch ev.Kind {
		case adapter.KindStart:
			var contract struct {
				BaseURL string `json:"base_url"`
			}
			if err := json.Unmarshal(ev.Contract, &contract); err != nil {
				return adapter.Reply{}, err
			}
			call := call
			call.Kind = adapter.ActionHTTP
			if call.Method == "" {
				call.Method = "POST"
			}
			if strings.HasPrefix(call.URL, "/") {
				call.URL = contract.BaseURL + call.URL
			}
			return adapter.Reply{Actions: []adapter.Action{call}}, nil
		case adapter.KindResponse:
			if call.Framing != "" && ev.Status < 300 && ev.Body == nil {
				return adapter.Reply{}, nil
			}
			if ev.Status >= 300 {
				return fail(adapter.Action{Status: ev.Status, Message: string(ev.Body), Retryable: ev.Status >= 500}), nil
			}
			return done(map[string]any{"status": ev.Status, "body": string(ev.Body)}), nil
		case adapter.KindFrame:
			delta, err := json.Marshal(map[string]any{"text": string(ev.Data)})
			state = append(append([]byte{}, state...), ev.Data...)
			return adapter.Reply{State: state, Actions: []adapter.Action{{Kind: adapter.ActionEmit, Data: delta}}}, err
		case adapter.KindEnd:
			return done(map[string]any{"status": 200, "body": string(state)}), nil
		}
		return adapter.Reply{}, errors.New("unexpected event")
	}
}

func done(output map[string]any) adapter.Reply {
	raw, err := json.Marshal(map[string]any{"output": output})
	if err != nil {
		panic(err) // a bug in the test
	}
	return adapter.Reply{Actions: []adapter.Action{{Kind: adapter.ActionDone, Data: raw}}}
}

func fail(a adapter.Action) adapter.Reply {
	a.Kind = adapter.ActionFail
	return adapter.Reply{Actions: []adapter.Action{a}}
}

func contractAt(base string) *caiov1.Contract {
	return &caiov1.Contract{
		ServiceId:   "echo",
		Api:         &caiov1.Api{Protocol: "http", BaseUrl: base},
		Constraints: &caiov1.Constraints{},
		Adapter:     &caiov1.AdapterBinding{Plugin: "test", Auth: &caiov1.Auth{Scheme: "none"}},
	}
}

// upstream serves h on loopback.
func upstream(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func open(t *testing.T, o gateway.Options) *gateway.Gateway {
	t.Helper()
	g := gateway.New(o)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// execute runs one call and returns its error as what it always is.
func execute(ctx context.Context, t *testing.T, g *gateway.Gateway, call gateway.Call) (*gateway.Outcome, *gateway.Error) {
	t.Helper()
	if call.Intent == nil {
		call.Intent = &caiov1.Intent{Type: "echo"}
	}
	out, err := g.Execute(ctx, call)
	if out == nil || out.Observed == nil {
		t.Fatal("no observations")
	}
	if err == nil {
		if out.Result == nil {
			t.Fatal("neither a result nor an error")
		}
		return out, nil
	}
	var e *gateway.Error
	if !errors.As(err, &e) {
		t.Fatalf("not a *gateway.Error: %v", err)
	}
	if out.Result != nil {
		t.Fatal("a result beside an error")
	}
	return out, e
}

func wantCode(t *testing.T, e *gateway.Error, code string, parts ...string) {
	t.Helper()
	if e == nil {
		t.Fatalf("no error, want %s", code)
	}
	if e.Code != code {
		t.Fatalf("%s: %s; want %s", e.Code, e.Message, code)
	}
	for _, part := range parts {
		if !strings.Contains(e.Message+"\n"+e.Hint, part) {
			t.Errorf("%q (hint %q) does not name %q", e.Message, e.Hint, part)
		}
	}
}

func body(o *gateway.Outcome) string {
	return o.Result.GetOutput().GetFields()["body"].GetStringValue()
}

func settings(t *testing.T, fields map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// memory is a network without sockets, so that a real server and a real client live in a synctest bubble, where time
// moves on as soon as everybody waits.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), done: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (m *memory) dial(ctx context.Context, network, address string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.conns <- far:
		return near, nil
	case <-m.done:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: m.Addr(), Err: errors.New("connection refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bubble serves h on a network in memory and returns a gateway on it and the contract of what is served. To be called
// inside synctest.Test.
func bubble(t *testing.T, o gateway.Options, h http.HandlerFunc) (*gateway.Gateway, *caiov1.Contract) {
	t.Helper()
	m := newMemory()
	server := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(m)
	}()
	o.Transport = &http.Transport{DialContext: m.dial, MaxIdleConnsPerHost: 10}
	g := gateway.New(o)
	t.Cleanup(func() {
		g.Close()
		server.Close()
		<-served
	})
	return g, contractAt("http://service.test")
}

// replies is an adapter that always replies the same to one kind of event.
type replies map[adapter.EventKind]adapter.Reply

func (r replies) Step(_ context.Context, _ []byte, ev adapter.Event) (adapter.Reply, error) {
	return r[ev.Kind], nil
}
