package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// publicLog is the log as strangers may see it. Implementation: [trace.Log].
type publicLog interface {
	// Checkpoint returns the newest checkpoint that is durable, a signed note.
	Checkpoint() ([]byte, error)
	// Head returns what Checkpoint names.
	Head() tree.Head
	// Tile returns a tile or a bundle of entries, or trace.ErrNotFound where the tree of Head has none of that width.
	Tile(ctx context.Context, p tree.TilePath) ([]byte, error)
	// Key returns the public key in signed-note's form.
	Key() string
}

// cosigner is a log that keeps what witnesses sign.
type cosigner interface {
	// Cosign keeps what witnesses signed below a checkpoint, for Checkpoint to return with it.
	Cosign(ctx context.Context, signed []byte) error
}

// publication serves the log under /log/ as C2SP tlog-tiles says, to everybody and without a token: an entry is a
// commitment to a trace that holds 16 random bytes, and tells nobody anything of it who has not got the trace. How many
// decisions there were, and when, can be seen.
//
//	GET  /log/checkpoint                     the newest checkpoint: a signed note, with witnesses' signatures
//	GET  /log/tile/<L>/<N>[.p/<W>]           a tile of hashes
//	GET  /log/tile/entries/<N>[.p/<W>]       a bundle of entries, each two bytes of length and the entry
//	GET  /log/key                            the public key, as signed-note has it
//	POST /log/add-cosignature                a checkpoint of this log with the signature of a known witness
//
// Bundles are not compressed: they hold hashes, which do not get smaller.
//
// Witnesses come to us. Going to them (C2SP tlog-witness, add-checkpoint) is a client's work and needs a goroutine with an
// owner; what it brings back is what add-cosignature takes.
type publication struct {
	log       publicLog
	own       tree.Verifier
	witnesses []tree.Verifier
	logger    *slog.Logger
}

// maxNote is how large a signed checkpoint may be: three lines, and a hundred signatures of some hundred bytes.
const maxNote = 64 << 10

// newPublication fails on keys that are none.
func newPublication(log publicLog, witnesses []string, logger *slog.Logger) (*publication, error) {
	p := &publication{log: log, logger: logger}
	var err error
	if p.own, err = tree.NewVerifier(log.Key()); err != nil {
		return nil, fmt.Errorf("the log's %w", err)
	}
	for _, key := range witnesses {
		w, err := tree.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		if w.Name() == p.own.Name() && w.KeyHash() == p.own.KeyHash() {
			return nil, fmt.Errorf("witness %s: it is the log's own key; a witness is somebody else", w.Name())
		}
		p.witnesses = append(p.witnesses, w)
	}
	return p, nil
}

// mount adds the addresses to mux, which answers other methods with 405.
func (p *publication) mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /log/checkpoint", p.checkpoint)
	mux.HandleFunc("GET /log/tile/{path...}", p.tile)
	mux.HandleFunc("GET /log/key", p.key)
	mux.HandleFunc("POST /log/add-cosignature", p.addCosignature)
}

// How long others may keep an answer. A full tile never changes. A partial one does not, either, but nobody asks for it
// once the tree has grown.
const (
	cacheNever = "no-cache"
	cacheShort = "public, max-age=60"
	cacheKey   = "public, max-age=300"
	cacheEver  = "public, max-age=31536000, immutable"
)

func (p *publication) checkpoint(w http.ResponseWriter, r *http.Request) {
	signed, err := p.log.Checkpoint()
	if err != nil {
		p.fault(w, r, "sign a checkpoint", err)
		return
	}
	send(w, "text/plain; charset=utf-8", cacheNever, signed)
}

func (p *publication) key(w http.ResponseWriter, _ *http.Request) {
	send(w, "text/plain; charset=utf-8", cacheKey, []byte(p.log.Key()+"\n"))
}

func (p *publication) tile(w http.ResponseWriter, r *http.Request) {
	path, ok := tree.ParseTilePath(r.PathValue("path"))
	if !ok {
		say(w, http.StatusNotFound, "not the address of a tile: /log/tile/<level>/<index>[.p/<width>] or "+
			"/log/tile/entries/<index>[.p/<width>], the index in groups of three digits such as x001/x234/067")
		return
	}
	raw, err := p.log.Tile(r.Context(), path)
	switch {
	case err == nil && path.Width == tree.TileWidth:
		send(w, "application/octet-stream", cacheEver, raw)
	case err == nil:
		send(w, "application/octet-stream", cacheShort, raw)
	case errors.Is(err, trace.ErrNotFound):
		say(w, http.StatusNotFound, fmt.Sprintf("tile %s: a tree of %d entries has none of that width", path, p.log.Head().Size))
	default:
		p.fault(w, r, "serve tile "+path.String(), err)
	}
}

// addCosignature answers with the statuses that a witness of tlog-witness would, where there is the like.
func (p *publication) addCosignature(w http.ResponseWriter, r *http.Request) {
	log, keeps := p.log.(cosigner)
	if !keeps || len(p.witnesses) == 0 {
		say(w, http.StatusForbidden, "no witness is known here: the server is to be started with --witness KEY for each")
		return
	}
	body, ok := readNote(w, r)
	if !ok {
		return
	}
	checkpoint, cosigned, signed, err := tree.Vouched(body, p.own, p.witnesses...)
	if err != nil {
		say(w, http.StatusForbidden, fmt.Sprintf("%v; taken is a checkpoint of %s with the signature of one of: %s",
			err, p.own.Name(), strings.Join(p.names(), ", ")))
		return
	}
	// Signed with our key, but not what we have: we lost entries, or somebody else has the key. Either must be looked at.
	if head := p.log.Head(); checkpoint.Size > head.Size || checkpoint.Size == head.Size && checkpoint.Root != head.Root {
		p.logger.ErrorContext(r.Context(), "a witness has seen another log under this log's key",
			"witness", cosigned[0].Name, "its_size", checkpoint.Size, "size", head.Size)
		say(w, http.StatusConflict, fmt.Sprintf("the log has %d entries and root %v; the checkpoint, signed with its key, has %d and %v",
			head.Size, head.Root, checkpoint.Size, checkpoint.Root))
		return
	}
	// Whoever sent it may leave: it is kept all the same.
	err = log.Cosign(context.WithoutCancel(r.Context()), signed)
	switch {
	case err == nil:
		say(w, http.StatusOK, fmt.Sprintf("kept for the tree of %d entries", checkpoint.Size))
	case errors.Is(err, trace.ErrRefused), errors.Is(err, trace.ErrStopped), errors.Is(err, trace.ErrClosed):
		say(w, http.StatusServiceUnavailable, "the log takes nothing now: send it again later")
	default:
		p.fault(w, r, "keep a cosignature", err)
	}
}

func (p *publication) names() (names []string) {
	for _, w := range p.witnesses {
		names = append(names, w.Name())
	}
	return names
}

// readNote reads the body, or says why it does not.
func readNote(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer has deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNote))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		say(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than the limit of %d bytes", maxNote))
	case err != nil:
		say(w, http.StatusBadRequest, "the body did not arrive whole")
	}
	return body, err == nil
}

// fault is the answer to an error of ours, whose text may hold anything.
func (p *publication) fault(w http.ResponseWriter, r *http.Request, what string, err error) {
	if r.Context().Err() != nil {
		return // the caller is gone
	}
	p.logger.ErrorContext(r.Context(), "public log failed", "what", what, "error", err)
	say(w, http.StatusInternalServerError, "something went wrong inside; the server's log says what")
}

func send(w http.ResponseWriter, kind, cache string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", cache)
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body) // the caller may be gone; then nobody minds
}

// say answers with one line of text, which is not to be kept: what is not there now may be in a moment.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}
