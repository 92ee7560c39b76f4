package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// newLog is a log in memory of so many traces, and the witnesses that it knows.
func newLog(t testing.TB, storage trace.Storage, size int, vkeys ...string) (*trace.Log, *tree.Signer) {
	t.Helper()
	skey, err := tree.NewKey(rand.Reader, "traces.example.com/eu")
	check(t, err)
	signer, err := tree.NewSigner(skey)
	check(t, err)
	witnesses, err := trace.Witnesses(vkeys)
	check(t, err)
	log, err := trace.Open(storage, trace.Options{Signer: signer, Witnesses: witnesses})
	check(t, err)
	t.Cleanup(func() { check(t, log.Close()) })
	for range size {
		check(t, log.Append(t.Context(), newTrace(t), trace.Queued))
	}
	if size > 0 { // which waits for what is queued
		_, err := log.Prove(t.Context(), uint64(size-1), 0)
		check(t, err)
	}
	return log, signer
}

func newTrace(t testing.TB) *caiov1.Trace {
	t.Helper()
	now := time.Now()
	id, err := trace.NewID(now, rand.Reader)
	check(t, err)
	return &caiov1.Trace{TraceId: id, Time: timestamppb.New(now), Status: "decided"}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// published is the address at which a log is served, as the server serves it.
func published(t testing.TB, log *trace.Log) string {
	t.Helper()
	p, err := newPublication(log, slog.New(slog.DiscardHandler))
	check(t, err)
	mux := http.NewServeMux()
	p.mount(mux)
	s := httptest.NewServer(withOrigins(mux, []string{"https://audit.example.com"}))
	t.Cleanup(s.Close)
	return s.URL + "/log/"
}

func fetch(t testing.TB, method, url, body string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	check(t, err)
	r.Header.Set("Origin", "https://audit.example.com")
	answer, err := http.DefaultClient.Do(r)
	check(t, err)
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	check(t, err)
	return answer, raw
}

// served are a log's tiles as a stranger reads them.
type served struct {
	t   testing.TB
	url string
}

func (s served) ReadTile(level int, n uint64, width int) ([]byte, error) {
	answer, raw := fetch(s.t, http.MethodGet, s.url+"tile/"+tree.TilePath{Level: level, N: n, Width: width}.String(), "")
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	return raw, nil
}

// TestStrangersCheckTheWholeLog reads a log of three levels with nothing but its address and its key.
func TestStrangersCheckTheWholeLog(t *testing.T) {
	const size = 66_000
	log, _ := newLog(t, trace.NewMemory(), size)
	url := published(t, log)
	_, key := fetch(t, http.MethodGet, url+"key", "")
	v, err := tree.NewVerifier(string(key))
	check(t, err)
	_, signed := fetch(t, http.MethodGet, url+"checkpoint", "")
	c, _, err := tree.Open(signed, v)
	check(t, err)
	if c.Size != size {
		t.Fatalf("the checkpoint is of %d entries", c.Size)
	}
	var edge tree.Edge
	for n := uint64(0); edge.Size() < c.Size; n++ {
		bundle := tree.TilePath{Level: -1, N: n}
		bundle.Width = tree.TilePath{Level: -1, N: n, Width: tree.TileWidth}.In(c.Size)
		_, raw := fetch(t, http.MethodGet, url+"tile/"+bundle.String(), "")
		for len(raw) > 0 {
			length := int(binary.BigEndian.Uint16(raw))
			edge.Append(tree.RecordHash(raw[2:2+length]), func(int, tree.Hash) {})
			raw = raw[2+length:]
		}
	}
	if edge.Root() != c.Root {
		t.Error("the entries do not lead to the checkpoint's root")
	}
	if _, err := tree.ReadEdge(served{t, url}, c.Head); err != nil {
		t.Error(err)
	}
	proof, err := tree.ProveInclusion(served{t, url}, c.Head, 31_337)
	check(t, err)
	stored, err := log.At(t.Context(), 31_337)
	check(t, err)
	check(t, tree.CheckInclusion(proof, c.Head, 31_337, tree.AppendEntry(nil, sha256.Sum256(stored.GetRaw()))))
}

func TestAddressesOfTheLog(t *testing.T) {
	log, _ := newLog(t, trace.NewMemory(), 600)
	url := published(t, log)
	const octets, text = "application/octet-stream", "text/plain; charset=utf-8"
	for _, tt := range []struct {
		method, path string
		status, size int // size: of the body; 0: no matter
		kind, cache  string
	}{
		{"GET", "checkpoint", 200, 0, text, "no-cache"},
		{"HEAD", "checkpoint", 200, 0, text, "no-cache"},
		{"GET", "key", 200, 0, text, "public, max-age=300"},
		{"GET", "tile/0/000", 200, 8192, octets, "public, max-age=31536000, immutable"},
		{"HEAD", "tile/0/000", 200, 0, octets, "public, max-age=31536000, immutable"},
		{"GET", "tile/0/002.p/88", 200, 88 * 32, octets, "public, max-age=60"},
		{"GET", "tile/1/000.p/2", 200, 64, octets, "public, max-age=60"},
		{"GET", "tile/entries/001", 200, 256 * 35, octets, "public, max-age=31536000, immutable"},
		{"GET", "tile/entries/002.p/88", 200, 88 * 35, octets, "public, max-age=60"},
		{"GET", "tile/0/002", 404, 0, text, "no-store"},
		{"GET", "tile/0/002.p/89", 404, 0, text, "no-store"},
		{"GET", "tile/0/003.p/1", 404, 0, text, "no-store"},
		{"GET", "tile/1/000", 404, 0, text, "no-store"},
		{"GET", "tile/2/000.p/1", 404, 0, text, "no-store"},
		{"GET", "tile/63/x999/x999/x999/x999/x999/999", 404, 0, text, "no-store"},
		{"GET", "tile/0/0", 404, 0, text, "no-store"},
		{"GET", "tile/0/000.p/0", 404, 0, text, "no-store"},
		{"GET", "tile/0/000.p/256", 404, 0, text, "no-store"},
		{"GET", "tile/data/000", 404, 0, text, "no-store"},
		{"GET", "tile/", 404, 0, text, "no-store"},
		{"GET", "cosigned", 404, 0, text, "no-store"}, // no witness has signed one
		{"GET", "", 404, 0, text, ""},
		{"GET", "add-checkpoint", 404, 0, text, ""},
		{"POST", "checkpoint", 405, 0, text, ""},
		{"DELETE", "tile/0/000", 405, 0, text, ""},
		{"GET", "add-cosignature", 405, 0, text, ""},
		{"POST", "add-cosignature", 403, 0, text, "no-store"}, // it is empty
	} {
		answer, raw := fetch(t, tt.method, url+tt.path, "")
		h := answer.Header
		if answer.StatusCode != tt.status || h.Get("Content-Type") != tt.kind || h.Get("Cache-Control") != tt.cache {
			t.Errorf("%s %s: %d, %q, %q; want %+v", tt.method, tt.path, answer.StatusCode, h.Get("Content-Type"), h.Get("Cache-Control"), tt)
		}
		if tt.size != 0 && len(raw) != tt.size || tt.method == "HEAD" && (len(raw) != 0 || answer.ContentLength <= 0) {
			t.Errorf("%s %s: %d bytes, length %d", tt.method, tt.path, len(raw), answer.ContentLength)
		}
		if tt.status == 200 && h.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%s %s: an allowed page may not read it", tt.method, tt.path)
		}
	}
}

// broken is a storage that cannot read its tiles.
type broken struct{ *trace.Memory }

func (broken) ReadTile(int, uint64, int) ([]byte, error) {
	return nil, errors.New("open /secret/place: gone")
}

func TestWhatFailsInsideIsNotTold(t *testing.T) {
	log, _ := newLog(t, &broken{Memory: trace.NewMemory()}, 0)
	check(t, log.Append(t.Context(), newTrace(t), trace.Durable))
	answer, raw := fetch(t, http.MethodGet, published(t, log)+"tile/0/000.p/1", "")
	if answer.StatusCode != http.StatusInternalServerError || strings.Contains(string(raw), "secret") {
		t.Errorf("%s: %s", answer.Status, raw)
	}
}

// newWitness is a witness's public key, and what signs a checkpoint with it as C2SP tlog-cosignature says.
func newWitness(t testing.TB, name string) (vkey string, cosign func(signed []byte) string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	typed := append([]byte{4}, public...)
	sum := sha256.Sum256([]byte(name + "\n" + string(typed)))
	id := sum[:4]
	return fmt.Sprintf("%s+%x+%s", name, id, base64.StdEncoding.EncodeToString(typed)), func(signed []byte) string {
		const at = 1_800_000_000
		text, _, _ := strings.Cut(string(signed), "\n\n")
		sig := ed25519.Sign(private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, text))
		raw := slices.Concat(id, binary.BigEndian.AppendUint64(nil, at), sig)
		return fmt.Sprintf("%s— %s %s\n", signed, name, base64.StdEncoding.EncodeToString(raw))
	}
}

func TestCosignaturesOfKnownWitnessesAreKeptAndServed(t *testing.T) {
	vkey, cosign := newWitness(t, "w.example.com/1")
	_, unknown := newWitness(t, "w.example.com/2")
	log, signer := newLog(t, trace.NewMemory(), 600, vkey)
	url := published(t, log)
	plain, err := log.Checkpoint()
	check(t, err)
	foreign, _ := newLog(t, trace.NewMemory(), 600)
	other, err := foreign.Checkpoint()
	check(t, err)
	larger, err := signer.Sign(tree.Head{Size: 601, Root: log.Head().Root})
	check(t, err)
	forked, err := signer.Sign(tree.Head{Size: 600})
	check(t, err)
	earlier, err := signer.Sign(tree.Head{Size: 599})
	check(t, err)
	for _, tt := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"nothing", "", 403, "no valid checkpoint"},
		{"no cosignature", string(plain), 403, "--witness"},
		{"a stranger's", unknown(plain), 403, "--witness"},
		{"of another log", cosign(other), 403, "traces.example.com/eu"},
		{"of another text", strings.Replace(cosign(plain), "\n600\n", "\n599\n", 1), 403, "no valid checkpoint"},
		{"a tree that is not there yet", cosign(larger), 409, "601"},
		{"another tree of that size", cosign(forked), 409, "600"},
		{"another tree of an earlier size", cosign(earlier), 409, "599"},
		{"too long", cosign(plain) + strings.Repeat("— x y\n", maxNote/7), 413, "65536"},
		{"one, and a stranger's", unknown([]byte(cosign(plain))), 200, "600"},
		{"the same again", cosign(plain), 200, "600"},
	} {
		answer, raw := fetch(t, http.MethodPost, url+"add-cosignature", tt.body)
		if answer.StatusCode != tt.status || !strings.Contains(string(raw), tt.says) {
			t.Errorf("%s: %d %s; want %d and %q", tt.name, answer.StatusCode, raw, tt.status, tt.says)
		}
		want, status := string(plain), 404
		if tt.status == 200 {
			want, status = cosign(plain), 200
		}
		if _, now := fetch(t, http.MethodGet, url+"checkpoint", ""); string(now) != want {
			t.Errorf("%s: served is now\n%s", tt.name, now)
		}
		if answer, now := fetch(t, http.MethodGet, url+"cosigned", ""); answer.StatusCode != status || status == 200 && string(now) != want {
			t.Errorf("%s: cosigned is now %s\n%s", tt.name, answer.Status, now)
		}
	}
}
