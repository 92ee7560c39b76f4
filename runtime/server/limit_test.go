package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
)

// echo answers how much it read, and why it stopped.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		_ = connect.NewErrorWriter().Write(w, r, err)
		return
	}
	_, _ = w.Write(body)
}

func TestBodiesAreReadUpToTheLimitAndNoFurther(t *testing.T) {
	const limit = 1000
	for _, tt := range []struct {
		name     string
		size     int
		declared bool
		refused  bool
	}{
		{"empty", 0, true, false},
		{"declared, at the limit", limit, true, false},
		{"declared, above", limit + 1, true, true},
		{"chunked, at the limit", limit, false, false},
		{"chunked, above", limit + 1, false, true},
		{"chunked, far above", 100 * limit, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := limited(http.HandlerFunc(echo), limit, connect.NewErrorWriter())
			sent := strings.Repeat("x", tt.size)
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(sent))
			if !tt.declared {
				r.ContentLength = -1
			}
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			switch {
			case !tt.refused && (w.Code != http.StatusOK || w.Body.String() != sent):
				t.Errorf("got %d with %d bytes, want all %d back", w.Code, w.Body.Len(), tt.size)
			case tt.refused && (w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "limit of 1000 bytes") ||
				!strings.Contains(w.Body.String(), codeInvalidRequest)):
				t.Errorf("got %d %s, want 400, the limit and INVALID_REQUEST", w.Code, w.Body)
			}
		})
	}
}

func TestTheLimitHoldsForWhatUnfolds(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(make([]byte, 10<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	g := &limitedGzip{limit: 1 << 20}
	if err := g.Reset(&bomb); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, g)
	var wire *connect.Error
	if !errors.As(err, &wire) || detail(wire).GetCode() != codeInvalidRequest || n > 1<<20 {
		t.Errorf("got %d bytes and %v, want at most 1 MiB and INVALID_REQUEST", n, err)
	}
}
