package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

const (
	defaultAddr  = "127.0.0.1:7400"
	startTimeout = time.Minute      // the first start compiles the adapters
	stopTimeout  = 40 * time.Second // longer than caio serve's own grace
	tokenTTL     = "24h"
)

// A house is a running `caio serve`, a child of this process.
type house struct {
	caio, data, url string
	cmd             *exec.Cmd
	ended           chan struct{} // closed when the child is gone; waitErr is set then
	waitErr         error
}

// startHouse makes development keys where there are none, starts the server, and returns when it is healthy.
func startHouse(ctx context.Context, o options) (*house, error) {
	h := &house{caio: o.caio, data: o.data, ended: make(chan struct{})}
	if _, err := os.Stat(h.keys("jwks.json")); errors.Is(err, os.ErrNotExist) {
		if _, err := h.run(ctx, "token", "keygen", "--dir", h.keys()); err != nil {
			return nil, err
		}
	}
	addr, err := freeAddr(ctx, o.addr)
	if err != nil {
		return nil, err
	}
	h.url = "http://" + addr
	log, err := os.Create(h.logFile())
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	h.cmd = exec.Command(h.caio, "serve", "--addr", addr, "--data", h.data, "--jwks", h.keys("jwks.json"), "--policy-overlay", o.policies)
	h.cmd.Stdout, h.cmd.Stderr = log, log
	h.cmd.Env = append(os.Environ(), o.chat.environ()...)
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s serve: %w", h.caio, err)
	}
	go func() {
		h.waitErr = h.cmd.Wait()
		close(h.ended)
	}()
	if err := h.waitHealthy(ctx); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	return h, nil
}

func (h *house) keys(parts ...string) string {
	return filepath.Join(append([]string{h.data, "keys"}, parts...)...)
}

func (h *house) logFile() string { return filepath.Join(h.data, "serve.log") }

// tokenFile is where the operator's token lies, for the commands to try afterwards.
func (h *house) tokenFile() string { return filepath.Join(h.data, "operator.token") }

// freeAddr returns addr, with a free port where its port is 0; for no addr the default one, or a free port if that is
// taken. It cannot hold the port for the child; who takes it in between makes the child say so.
func freeAddr(ctx context.Context, addr string) (string, error) {
	tries := []string{defaultAddr, "127.0.0.1:0"}
	if addr != "" {
		tries = []string{addr}
	}
	var errs []error
	for _, try := range tries {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", try)
		if err == nil {
			return listener.Addr().String(), listener.Close()
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("find an address for caio serve: %w", errors.Join(errs...))
}

func (h *house) waitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-h.ended:
			return fmt.Errorf("caio serve did not start: %v\n%s", h.waitErr, lastLines(h.logFile(), 10))
		case <-ctx.Done():
			return fmt.Errorf("caio serve was not ready after %v; %s says more", startTimeout, h.logFile())
		case <-tick.C:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/health", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue // not listening yet
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
}

// stop asks the server to end, lets its running requests finish, and waits until it is gone.
func (h *house) stop() error {
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-h.ended:
	case <-time.After(stopTimeout):
		_ = h.cmd.Process.Kill() // it is gone or will be
		<-h.ended
		return fmt.Errorf("caio serve did not end within %v and was killed", stopTimeout)
	}
	if h.waitErr != nil {
		return fmt.Errorf("caio serve: %w; %s says why", h.waitErr, h.logFile())
	}
	return nil
}

// token mints a token that says of its bearer what p says.
func (h *house) token(ctx context.Context, p *caiov1.Principal) (string, error) {
	args := []string{"token", "mint", "--key", h.keys("private.jwk"), "--subject", p.GetSubject(), "--ttl", tokenTTL,
		"--trust", strconv.Itoa(int(p.GetTrustLevel()))}
	if p.GetTenant() != "" {
		args = append(args, "--tenant", p.GetTenant())
	}
	for _, role := range p.GetRoles() {
		args = append(args, "--role", role)
	}
	for _, permission := range p.GetPermissions() {
		args = append(args, "--permission", permission)
	}
	out, err := h.run(ctx, args...)
	return strings.TrimSpace(out), err
}

// operator returns a client for somebody who may register services and see all traces. His token is kept in a file.
func (h *house) operator(ctx context.Context, transport http.RoundTripper) (*client, error) {
	token, err := h.token(ctx, &caiov1.Principal{Subject: "olga", Roles: []string{"operator"}, TrustLevel: 5})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(h.tokenFile(), []byte(token+"\n"), 0o600); err != nil {
		return nil, err
	}
	return newClient(h.url, token, transport), nil
}

// run runs a caio command and returns what it printed.
func (h *house) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, h.caio, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", h.caio, strings.Join(args[:2], " "), err, stderr.String())
	}
	return string(out), nil
}

// lastLines returns the end of a file, for an error message.
func lastLines(file string, n int) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
