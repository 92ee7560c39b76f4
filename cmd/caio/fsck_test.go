//go:build clients

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestFsckPublic lets a stranger check the log of a running server: Tessera's fsck, of which we wrote nothing, reads every
// entry and every tile. It must find the log whole, and must not where a single byte was changed on the way to it.
func TestFsckPublic(t *testing.T) {
	const requests = 2000
	h := startHouse(t, t.TempDir())
	h.register(t, "echo-1", instantUpstream(t).URL)
	client := h.orchestrator()
	var workers errgroup.Group
	workers.SetLimit(32)
	for range requests {
		workers.Go(func() error {
			_, err := client.Decide(context.Background(), connect.NewRequest(&caiov1.DecideRequest{Request: echoRequest().GetRequest()}))
			return err
		})
	}
	if err := workers.Wait(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); logSize(t, h) < requests; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("of %d decisions %d are in the log", requests, logSize(t, h))
		}
	}
	// Over TLS and from elsewhere, auditors would get it; here it is the server's word.
	key := filepath.Join(t.TempDir(), "log.pub")
	if err := os.WriteFile(key, h.public(t, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	fsck := func(at string) (string, error) {
		root, err := repositoryRoot()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "tlog"), "fsck", "--url", at+"/log/", "--key", key, "--timeout", "1m")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := fsck(h.url)
	if err != nil {
		t.Fatalf("fsck: %v\n%s", err, out)
	}
	t.Log(out)
	// 35 bytes an entry: two of length, one of version, the sha256. An entry's change reaches the tiles above its own,
	// and fsck compares tiles side by side: it names whichever it comes to first.
	for _, tt := range []struct {
		name, path string
		at         int
		want       *regexp.Regexp
	}{
		{"an entry", "/log/tile/entries/003", 100*35 + 20, regexp.MustCompile(`tile/(0/003|1/000)`)},
		{"the last entry", "/log/tile/entries/", -1, regexp.MustCompile(`tile/(0/007|1/000)`)},
		{"a hash", "/log/tile/0/002", 4711, regexp.MustCompile(`tile/0/002`)},
		{"a hash above", "/log/tile/1/000", 40, regexp.MustCompile(`tile/1/000`)},
		{"the checkpoint's size", "/log/checkpoint", -2, regexp.MustCompile(`checkpoint`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			damaged := damage(t, h, tt.path, tt.at)
			out, err := fsck(damaged.url)
			if damaged.done.Load() == 0 {
				t.Fatalf("nothing was changed; fsck: %v\n%s", err, out)
			}
			if err == nil || !tt.want.MatchString(out) {
				t.Errorf("fsck: %v; want %s in\n%s", err, tt.want, out)
			}
		})
	}
}

// damaged is a server on the way to whose callers one byte is changed.
type damaged struct {
	url  string
	done atomic.Int32 // answers that were changed
}

// damage flips a bit of the answers whose path begins with path: of byte at, or of the last one of the last bundle of
// entries (-1), or of the first digit of the checkpoint's size (-2).
func damage(t *testing.T, h *house, path string, at int) *damaged {
	target, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	d := &damaged{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		asked := r.Request.URL.Path
		if !strings.HasPrefix(asked, path) || r.StatusCode != http.StatusOK || at == -1 && !strings.Contains(asked, ".p/") {
			return nil
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		i := at
		switch at {
		case -1:
			i = len(raw) - 1
		case -2:
			i = bytes.IndexByte(raw, '\n') + 1
		}
		raw[i] ^= 1
		d.done.Add(1)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

// public reads what anybody may read of the log, without a token.
func (h *house) public(t testing.TB, path string) []byte {
	t.Helper()
	answer, err := h.httpClient.Get(h.url + "/log/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("/log/%s: %s, %v: %s", path, answer.Status, err, raw)
	}
	return raw
}

func logSize(t testing.TB, h *house) int {
	t.Helper()
	lines := strings.Split(string(h.public(t, "checkpoint")), "\n")
	n, err := strconv.Atoi(lines[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
