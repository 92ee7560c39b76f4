package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// publication serves the log under /log/ as C2SP tlog-tiles says, to everybody and without a token: an entry is a
// commitment to a trace that holds 16 random bytes, and tells nobody anything of it who has not got the trace. How many
// decisions there were, and when, can be seen.
//
//	GET  /log/checkpoint                     the newest checkpoint: a signed note
//	GET  /log/cosigned                       the newest that a witness has signed; 404: none has signed any
//	GET  /log/tile/<L>/<N>[.p/<W>]           a tile of hashes
//	GET  /log/tile/entries/<N>[.p/<W>]       a bundle of entries, each two bytes of length and the entry
//	GET  /log/key                            the public key, as signed-note has it
//	POST /log/add-cosignature                a checkpoint of this log with the signature of a known witness
//
// Bundles are not compressed: they hold hashes, which do not get smaller. A log that is written to signs a new checkpoint
// many times a second, so what a witness brings back is rarely the newest; hence /log/cosigned, which is not of tlog-tiles.
//
// Witnesses come to us. Going to them (C2SP tlog-witness, add-checkpoint) is a client's work and needs a goroutine with an
// owner; what it brings back is what add-cosignature takes.
type publication struct {
	log    *trace.Log
	own    tree.Verifier
	logger *slog.Logger
}

// maxNote is how large a signed checkpoint may be: three lines, and a hundred signatures of some hundred bytes.
const maxNote = 64 << 10

func newPublication(log *trace.Log, logger *slog.Logger) (*publication, error) {
	own, err := tree.NewVerifier(log.Key())
	if err != nil {
		return nil, fmt.Errorf("the log's %w", err)
	}
	return &publication{log, own, logger}, nil
}

// mount adds the addresses to mux, which answers other methods with 405.
func (p *publication) mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /log/checkpoint", p.checkpoint)
	mux.HandleFunc("GET /log/cosigned", p.cosigned)
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

const (
	kindNote = "text/plain; charset=utf-8"
	kindTile = "application/octet-stream"
)

func (p *publication) checkpoint(w http.ResponseWriter, r *http.Request) {
	signed, err := p.log.Checkpoint()
	if err != nil {
		p.fault(w, r, "sign a checkpoint", err)
		return
	}
	send(w, kindNote, cacheNever, signed)
}

func (p *publication) cosigned(w http.ResponseWriter, _ *http.Request) {
	signed := p.log.Cosigned()
	if signed == nil {
		say(w, http.StatusNotFound, "no witness has signed a checkpoint of this log yet")
		return
	}
	send(w, kindNote, cacheNever, signed)
}

func (p *publication) key(w http.ResponseWriter, _ *http.Request) {
	send(w, kindNote, cacheKey, []byte(p.log.Key()+"\n"))
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
		send(w, kindTile, cacheEver, raw)
	case err == nil:
		send(w, kindTile, cacheShort, raw)
	case errors.Is(err, trace.ErrNotFound):
		say(w, http.StatusNotFound, fmt.Sprintf("tile %s: a tree of %d entries has none of that width", path, p.log.Head().Size))
	default:
		p.fault(w, r, "serve tile "+path.String(), err)
	}
}

// addCosignature answers with the statuses that a witness of tlog-witness would, where there is the like.
func (p *publication) addCosignature(w http.ResponseWriter, r *http.Request) {
	body, ok := readNote(w, r)
	if !ok {
		return
	}
	checkpoint, _, err := tree.Open(body, p.own)
	if err != nil {
		say(w, http.StatusForbidden, fmt.Sprintf("%v; taken is a checkpoint of %s with the signature of a witness", err, p.own.Name()))
		return
	}
	// Whoever sent it may leave: it is kept all the same.
	err = p.log.Cosign(context.WithoutCancel(r.Context()), body)
	switch head := p.log.Head(); {
	case err == nil:
		say(w, http.StatusOK, fmt.Sprintf("kept for the tree of %d entries; it is at /log/cosigned", checkpoint.Size))
	case errors.Is(err, tree.ErrProof), checkpoint.Size > head.Size:
		// Our key signed what we have not got: we lost entries, or somebody else has the key. Either must be looked at.
		p.logger.ErrorContext(r.Context(), "a checkpoint with this log's signature is not of this log: entries are lost, or its key is not its own alone",
			"its_size", checkpoint.Size, "its_root", checkpoint.Root.String(), "size", head.Size)
		say(w, http.StatusConflict, fmt.Sprintf("the log, of %d entries, does not go on from this checkpoint of %d", head.Size, checkpoint.Size))
	case errors.Is(err, trace.ErrWitness):
		say(w, http.StatusForbidden, fmt.Sprintf("%v; witnesses are named to the server by --witness", err))
	case errors.Is(err, trace.ErrRefused), errors.Is(err, trace.ErrStopped), errors.Is(err, trace.ErrClosed):
		say(w, http.StatusServiceUnavailable, "the log takes nothing now: send it again later")
	default:
		p.fault(w, r, "keep a cosignature", err)
	}
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
