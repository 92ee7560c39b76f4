package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
)

// plain is a Server around h, for what Serve promises whatever is served.
func plain(t *testing.T, h http.HandlerFunc, grace time.Duration) *Server {
	t.Helper()
	s := &Server{opts: Options{Grace: grace, Logger: slog.New(slog.DiscardHandler)}, handler: h}
	s.draining, s.drain = context.WithCancel(context.Background())
	return s
}

// clients speak HTTP/1.1 and unencrypted HTTP/2 to the same port.
func clients(t *testing.T) map[string]*http.Client {
	t.Helper()
	out := map[string]*http.Client{}
	for name, set := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2.0": func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		set(transport.Protocols)
		t.Cleanup(transport.CloseIdleConnections)
		out[name] = &http.Client{Transport: transport}
	}
	return out
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func TestRunningRequestsFinishAfterServeIsToldToEnd(t *testing.T) {
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			arrived, proceed := make(chan struct{}), make(chan struct{})
			s := plain(t, func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				<-proceed
				_, _ = io.WriteString(w, r.Proto)
			}, time.Minute)
			ctx, stop := context.WithCancel(t.Context())
			listener := listen(t)
			served, answered := make(chan error, 1), make(chan string, 1)
			go func() { served <- s.Serve(ctx, listener) }()
			go func() { answered <- get(client, listener) }()

			<-arrived
			stop()
			<-s.draining.Done()
			close(proceed)
			if got := <-answered; got != name {
				t.Errorf("the running request got %q, want an answer over %s", got, name)
			}
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
				t.Error("the port still takes connections")
			}
		})
	}
}

func TestRequestsThatOutstayTheGraceAreCanceled(t *testing.T) {
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			arrived, ended := make(chan struct{}), make(chan error, 1)
			s := plain(t, func(_ http.ResponseWriter, r *http.Request) {
				close(arrived)
				<-r.Context().Done()
				ended <- context.Cause(r.Context())
			}, time.Millisecond)
			ctx, stop := context.WithCancel(t.Context())
			listener := listen(t)
			served, answered := make(chan error, 1), make(chan string, 1)
			go func() { served <- s.Serve(ctx, listener) }()
			go func() { answered <- get(client, listener) }()

			<-arrived
			stop()
			if err := <-served; err == nil || !strings.Contains(err.Error(), "1ms") {
				t.Errorf("Serve: %v, want an error that names the grace period", err)
			}
			select {
			case cause := <-ended:
				if !errors.Is(cause, errDraining) {
					t.Errorf("the request ended by %v, want %v", cause, errDraining)
				}
			default:
				t.Error("Serve returned while a request ran")
			}
			<-answered
		})
	}
}

func TestServeTellsWhenItCannot(t *testing.T) {
	s := plain(t, func(http.ResponseWriter, *http.Request) {}, time.Minute)
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), listener); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
}

// breakingListener accepts one connection and breaks when it is told to.
type breakingListener struct {
	net.Listener
	accepted bool
	breaks   chan struct{}
}

func (l *breakingListener) Accept() (net.Conn, error) {
	if !l.accepted {
		l.accepted = true
		return l.Listener.Accept()
	}
	<-l.breaks
	return nil, net.ErrClosed
}

func TestRunningRequestsFinishWhenTheListenerBreaks(t *testing.T) {
	arrived, proceed, answered := make(chan struct{}), make(chan struct{}), make(chan string, 1)
	s := plain(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-proceed
		_, _ = io.WriteString(w, "done")
	}, time.Minute)
	listener := &breakingListener{Listener: listen(t), breaks: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), listener) }()
	client := clients(t)["HTTP/1.1"]
	go func() { answered <- get(client, listener) }()
	<-arrived
	close(listener.breaks)
	<-s.draining.Done()
	select {
	case err := <-served:
		t.Errorf("Serve returned while a request ran: %v", err)
		served <- err
	default:
	}
	close(proceed)
	if got := <-answered; got != "done" {
		t.Errorf("the running request got %q", got)
	}
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v, want %v", err, net.ErrClosed)
	}
}

// get returns the body of the answer, or the error.
func get(client *http.Client, listener net.Listener) string {
	response, err := client.Get("http://" + listener.Addr().String())
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func TestAPeerThatDoesNotReadIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		start := time.Now()
		n, err := steadyConn{here}.Write(make([]byte, 3*writePiece))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n != 0 || time.Since(start) != writeTimeout {
			t.Errorf("wrote %d bytes after %s: %v", n, time.Since(start), err)
		}
	})
}

func TestAPeerThatReadsSlowlyGetsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		sent := strings.Repeat("0123456789abcdef", writePiece/4) // four pieces
		go func() {
			defer here.Close()
			if n, err := (steadyConn{here}).Write([]byte(sent)); err != nil || n != len(sent) {
				t.Errorf("wrote %d bytes: %v", n, err)
			}
		}()
		var got strings.Builder
		for piece := make([]byte, writePiece); ; {
			time.Sleep(writeTimeout - time.Second) // of the bubble's clock
			n, err := there.Read(piece)
			got.Write(piece[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != sent {
			t.Errorf("got %d bytes, want the %d that were sent", got.Len(), len(sent))
		}
	})
}

// pipeListener accepts one connection in memory, so that a server can run by a bubble's clock.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// An HTTP/2 peer can read the connection, answer pings, and still not take what one of its requests brings.
func TestAPeerThatDoesNotTakeAStreamIsDropped(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for piece, err := make([]byte, 3*writePiece), error(nil); err == nil; {
				_, err = w.Write(piece)
			}
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			for control, err := http.NewResponseController(w), error(nil); err == nil; err = control.Flush() {
				_, _ = w.Write(make([]byte, 1000))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan time.Time, 1)
				s := plain(t, func(w http.ResponseWriter, r *http.Request) { handler(w, r); ended <- time.Now() }, time.Minute)
				client, stop := piped(t, s)
				defer stop()
				start := time.Now()
				response, err := client.Get("http://x/")
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				select {
				case at := <-ended:
					if at.Sub(start) != writeTimeout {
						t.Errorf("dropped after %s, want %s", at.Sub(start), writeTimeout)
					}
				case <-time.After(10 * writeTimeout):
					t.Errorf("its handler is still there after %s", 10*writeTimeout)
				}
			})
		})
	}
}

func TestAStreamThatIsQuietForLongIsNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plain(t, func(w http.ResponseWriter, _ *http.Request) {
			for _, word := range []string{"a", "b", "c"} {
				_, _ = io.WriteString(w, word)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(3 * writeTimeout)
			}
		}, time.Minute)
		client, stop := piped(t, s)
		defer stop()
		response, err := client.Get("http://x/")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if got, err := io.ReadAll(response.Body); err != nil || string(got) != "abc" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// piped runs s on one connection in memory and returns a client that speaks unencrypted HTTP/2 over it.
func piped(t *testing.T, s *Server) (client *http.Client, stop func()) {
	t.Helper()
	here, there := net.Pipe()
	listener := &pipeListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	listener.conns <- here
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return there, nil }
	return &http.Client{Transport: transport}, func() {
		_ = there.Close()
		transport.CloseIdleConnections()
		end()
		<-served
	}
}

func TestABodyThatDoesNotArriveIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		listener := &pipeListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		listener.conns <- here
		s := plain(t, limited(http.HandlerFunc(echo), 1000, connect.NewErrorWriter()).ServeHTTP, time.Minute)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, listener) }()
		start := time.Now()
		_, err := io.WriteString(there, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\nabc")
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(there), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusGatewayTimeout || time.Since(start) != bodyTimeout {
			t.Errorf("%s after %s, want 504 after %s", response.Status, time.Since(start), bodyTimeout)
		}
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}
