package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newBackupCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Write a backup of a running server's store to a file",
		Long: `Backup writes everything that a running server keeps to a file, as it is at that moment: traces and their log, services,
policies. The server goes on meanwhile; only removals of traces wait until it is done. The file is there only once it is
whole. 'caio restore' makes a store of it.

The log's private key (log.key in the server's data directory) is not in it: keep a copy of it elsewhere, or the log
cannot be gone on with. What an encrypted store holds is encrypted in the backup, too; its key is not in it.

It needs the role admin, and no tenant.`,
		Example: "  caio backup --out caio-$(date +%F).tar",
		Args:    noArguments,
	}
	remote := addRemote(cmd, 0)
	cmd.Flags().StringVar(&path, "out", "", "file to write; what it held is replaced")
	_ = cmd.MarkFlagRequired("out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("--out %s: it is there and no file", path)
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		moved := &moved{to: cmd.ErrOrStderr(), began: time.Now()}
		err = written(path, func(w io.Writer) error {
			stream, err := peer.admin.Backup(ctx, connect.NewRequest(&caiov1.BackupRequest{}))
			if err != nil {
				return peer.explain(err)
			}
			defer stream.Close()
			for stream.Receive() {
				if _, err := w.Write(stream.Msg().GetChunk()); err != nil {
					return failed(err)
				}
				moved.add(len(stream.Msg().GetChunk()), time.Now())
			}
			if err := stream.Err(); err != nil {
				return peer.explain(err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		moved.say(time.Now(), "to "+path)
		return nil
	}
	return cmd
}

// moved tells how many bytes went through so far.
type moved struct {
	to          io.Writer
	began, last time.Time
	bytes       int64
}

// add counts n more, and says so unless it did a moment ago.
func (m *moved) add(n int, at time.Time) {
	m.bytes += int64(n)
	if at.Sub(m.began) >= progressEvery && at.Sub(m.last) >= progressEvery {
		m.last = at
		m.say(at, "so far")
	}
}

func (m *moved) say(at time.Time, where string) {
	took, mega := at.Sub(m.began), float64(m.bytes)/1e6
	fmt.Fprintf(m.to, "%.1f MB %s, %s, %.1f MB a second\n", mega, where, took.Round(time.Millisecond), mega/max(took.Seconds(), 1e-3))
}
