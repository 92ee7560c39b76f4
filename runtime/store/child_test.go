package store_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// childVar makes the test binary do one thing in a process of its own instead of running tests.
const childVar = "CAIO_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "":
		os.Exit(m.Run())
	case "work":
		fmt.Fprintln(os.Stderr, work(os.Args[1]))
	case "read":
		if n, err := readAll(os.Args[1]); err != nil {
			fmt.Println("error:", err)
		} else {
			fmt.Println("good:", n)
		}
		os.Exit(0)
	}
	os.Exit(1)
}

// keyVar holds the private key of the log, for a child that works.
const keyVar = "CAIO_STORE_TEST_KEY"

// child prepares a process that does what on dir.
func child(t *testing.T, what, dir string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, dir)
	cmd.Env = append(os.Environ(), childVar+"="+what)
	return cmd
}

// work saves services and appends traces, all at once, and prints a line for each that was acknowledged, and for each
// tree that was signed, until it is killed.
func work(dir string) error {
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		return err
	}
	signer, err := tree.NewSigner(os.Getenv(keyVar))
	if err != nil {
		return err
	}
	log, err := trace.Open(s.Traces(), trace.Options{Signer: signer})
	if err != nil {
		return err
	}
	_, revision, err := s.Services(context.Background())
	if err != nil {
		return err
	}
	out := make(chan string)
	failed := make(chan error)
	go func() {
		for r := revision + 1; ; r++ {
			id := fmt.Sprint("s", r%7)
			what := fmt.Sprintf("service %s %d", id, r)
			err := error(nil)
			if r%5 == 4 {
				what = fmt.Sprintf("deleted %s %d", id, r)
				err = s.DeleteService(context.Background(), id, r, "")
			} else {
				err = s.SaveService(context.Background(), service(id, r), "")
			}
			if err != nil {
				failed <- err
				return
			}
			out <- what
		}
	}()
	for range 8 {
		go func() {
			for {
				m := workTrace()
				if err := log.Append(context.Background(), m, trace.Durable); err != nil {
					failed <- err
					return
				}
				head := log.Head()
				out <- fmt.Sprintf("trace %s\nhead %d %v", m.TraceId, head.Size, head.Root)
			}
		}()
	}
	w := bufio.NewWriter(os.Stdout)
	for {
		select {
		case line := <-out:
			fmt.Fprintln(w, line)
			if err := w.Flush(); err != nil {
				return err
			}
		case err := <-failed:
			return err
		}
	}
}

func workTrace() *caiov1.Trace {
	id, err := trace.NewID(time.Unix(1_800_000_000, 0), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &caiov1.Trace{
		TraceId: id, Time: timestamppb.New(time.Unix(1_800_000_000, 0)), Status: "ok", ServiceId: "fast", ResultDigest: rand.Text() + id,
		Request: &caiov1.Request{Principal: &caiov1.Principal{Tenant: "acme"}, Capabilities: make([]string, 1500)},
	}
}

// readAll opens the store and reads everything that is in it.
func readAll(dir string) (int, error) {
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		return 0, err
	}
	n, err := readEverything(s)
	return n, errors.Join(err, s.Close())
}

// readEverything returns how many traces and services there are, and checks each.
func readEverything(s *store.Store) (n int, err error) {
	ctx := context.Background()
	services, _, err := s.Services(ctx)
	if err != nil {
		return 0, err
	}
	log, err := trace.Open(s.Traces(), trace.Options{})
	if err != nil {
		return 0, err
	}
	defer log.Close()
	for _, q := range []trace.Query{{}, {Tenant: "acme", Status: "ok", Service: "fast"}} {
		n = len(services)
		for q.Limit = 1000; ; {
			page, next, err := log.List(ctx, q)
			if err != nil {
				return 0, err
			}
			for _, r := range page {
				if _, err := log.Get(ctx, r.Trace.TraceId); err != nil {
					return 0, err
				}
			}
			n += len(page)
			if q.Token = next; next == "" {
				break
			}
		}
	}
	return n, nil
}
