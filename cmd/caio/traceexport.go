package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// An exporter writes traces in one format. It is used by one goroutine.
type exporter interface {
	// add writes a trace, of which r is the record.
	add(stored *caiov1.StoredTrace, r *trace.Record) error
	// end writes what is left. Without it the file is not whole.
	end() error
}

func newTraceExportCommand() *cobra.Command {
	var format, path string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write traces to a file, as JSON lines or Parquet",
		Long: `Export writes all traces that the flags choose, newest first, to a file, which is there only once it is whole.

jsonl: on each line a caio.v1.StoredTrace, its bytes included. parquet: on each row what traces are found by, and the
bytes. Either holds all that is needed to verify a trace. What comes to the log meanwhile is not in it.`,
		Example: "  caio trace export --since 24h --out yesterday.jsonl\n" +
			"  caio trace export --format parquet --violations --out violations.parquet",
		Args: noArguments,
	}
	remote, filter := addRemote(cmd, 0), addTraceFilter(cmd)
	filter.addSpan(cmd)
	f := cmd.Flags()
	f.StringVar(&format, "format", "jsonl", "jsonl or parquet")
	f.StringVar(&path, "out", "", "file to write; what it held is replaced")
	_ = cmd.MarkFlagRequired("out")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"jsonl", "parquet"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		open := newJSONLines
		switch format {
		case "jsonl":
		case "parquet":
			open = newParquet
		default:
			return fmt.Errorf("--format %q: only jsonl and parquet are known", format)
		}
		request, err := filter.message(time.Now())
		if err != nil {
			return err
		}
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("--out %s: it is there and no file", path)
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		progress := &progress{to: cmd.ErrOrStderr(), began: time.Now()}
		err = written(path, func(w io.Writer) error { return export(ctx, peer, request, open(w), progress) })
		if err != nil {
			return err
		}
		progress.say(time.Now(), "to "+path)
		return nil
	}
	return cmd
}

// export pages through the traces that request chooses, and gives them all to e.
func export(ctx context.Context, peer *peer, request *caiov1.TraceServiceListRequest, e exporter, p *progress) error {
	request.PageSize = trace.MaxLimit
	for {
		response, err := peer.traces.List(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		for _, stored := range response.Msg.GetTraces() {
			r, err := trace.RecordOf(stored)
			if err == nil && hex.EncodeToString(r.Hash[:]) != stored.GetHash() {
				err = fmt.Errorf("trace %s (entry %d): its bytes do not have its hash", r.TraceID, r.Sequence)
			}
			if err == nil {
				err = e.add(stored, &r)
			}
			if err != nil {
				return failed(err)
			}
		}
		p.count += len(response.Msg.GetTraces())
		if request.PageToken = response.Msg.GetNextPageToken(); request.PageToken == "" {
			break
		}
		p.now(time.Now())
	}
	if err := e.end(); err != nil {
		return failed(err)
	}
	return nil
}

// written lets fill write the file at path: beside it, under another name, until it is whole and on the disk. If that
// fails, nothing is left and what was at path still is. Others may not read the file: traces say who asked for what.
func written(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return failed(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := fill(w); err != nil {
		_ = f.Close() // it is removed
		return err
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return failed(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return failed(err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return failed(err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil { // of the name
		return failed(err)
	}
	return nil
}

// progress tells how far an export is.
type progress struct {
	to          io.Writer
	began, last time.Time
	count       int
}

// progressEvery is how often.
const progressEvery = 2 * time.Second

// now says it, unless it said so a moment ago.
func (p *progress) now(at time.Time) {
	if at.Sub(p.began) >= progressEvery && at.Sub(p.last) >= progressEvery {
		p.last = at
		p.say(at, "so far")
	}
}

func (p *progress) say(at time.Time, where string) {
	took := at.Sub(p.began)
	fmt.Fprintf(p.to, "%d traces %s, %s, %.0f a second\n", p.count, where, took.Round(time.Millisecond), float64(p.count)/max(took.Seconds(), 1e-3))
}

// jsonLines writes a StoredTrace a line, in the canonical JSON form.
type jsonLines struct{ w io.Writer }

func newJSONLines(w io.Writer) exporter { return jsonLines{w} }

func (j jsonLines) add(stored *caiov1.StoredTrace, _ *trace.Record) error {
	return message(j.w, stored)
}

func (j jsonLines) end() error { return nil }
