package server

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"time"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// admin serves caio.v1.AdminService.
type admin struct {
	backup   func(context.Context, io.Writer) error // nil: there is nothing to back up
	logger   *slog.Logger
	draining context.Context // the server's; ends when the shutdown begins
	turn     chan struct{}   // holds one element while a backup is sent
}

func newAdmin(s *Server) *admin {
	return &admin{backup: s.opts.Backup, logger: s.opts.Logger, draining: s.draining, turn: make(chan struct{}, 1)}
}

// chunkBytes is how much of a backup is sent at once.
const chunkBytes = 256 << 10

// Backup sends a backup. It ends when the caller leaves or the shutdown begins: it may take far longer than the grace.
func (a *admin) Backup(ctx context.Context, _ *connect.Request[caiov1.BackupRequest], stream *connect.ServerStream[caiov1.BackupResponse]) error {
	caller := callerOf(ctx).principal
	switch {
	case !platform(caller):
		return newError(codePermissionDenied, stageAdmin, "a backup holds what all tenants have; the caller belongs to "+quote(caller.GetTenant()),
			"ask somebody of no tenant")
	case a.backup == nil:
		return newError(codeInvalidRequest, stageAdmin, "this server keeps everything in memory: there is nothing to back up", "")
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	default:
		return newError(codeOverloaded, stageAdmin, "another backup is being sent", "try again when it is through")
	}
	sending, release := untilDrain(ctx, a.draining)
	defer release()
	start, to := time.Now(), &chunks{stream: stream}
	w := bufio.NewWriterSize(to, chunkBytes)
	err := a.backup(sending, w)
	if err == nil {
		err = w.Flush()
	}
	if drained(sending) {
		return newError(codeUnavailable, stageAdmin, "the server is shutting down: what was sent is no backup", "try again when it is back")
	}
	if err != nil {
		return err
	}
	a.logger.InfoContext(ctx, "backed up", "by", caller.GetSubject(), "bytes", to.sent, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// chunks is a writer that sends what it is given.
type chunks struct {
	stream *connect.ServerStream[caiov1.BackupResponse]
	sent   int64
}

func (c *chunks) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), chunkBytes)]
		if err := c.stream.Send(&caiov1.BackupResponse{Chunk: piece}); err != nil {
			return written, err
		}
		written, p = written+len(piece), p[len(piece):]
		c.sent += int64(len(piece))
	}
	return written, nil
}
