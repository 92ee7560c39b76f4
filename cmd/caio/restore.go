package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// restoreOptions are the flags of `caio restore`.
type restoreOptions struct {
	data, checkpoint, key, storeKey string
	force                           bool
}

func newRestoreCommand() *cobra.Command {
	o := &restoreOptions{}
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make the store of a server out of a backup",
		Long: `Restore makes the directory 'store' in --data out of a backup ('-' reads it from the standard input). The directory must be
empty or not there; it becomes a store only after all of the backup was found whole.

--checkpoint names a checkpoint of the log that somebody has kept - an auditor, a witness, the last
'curl .../log/checkpoint': a backup whose log does not go on from it is refused, because decisions would be gone that are
known elsewhere, unless --force says that this is to be.

The log's private key is not in a backup. Put the one that the server had to log.key in --data before the server is
started, or name it with 'caio serve --log-key'.`,
		Example: "  caio restore caio-2026-11-28.tar --data /var/lib/caio\n" +
			"  caio restore caio-2026-11-28.tar --data /var/lib/caio --checkpoint last.checkpoint --key log.pub",
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", ".caio", "data directory of the server that is to be started")
	f.StringVar(&o.checkpoint, "checkpoint", "", "file of a checkpoint, or of a bundle, that the log must go on from")
	f.StringVar(&o.key, "key", "", "public key of the log, or a file that holds it: checkpoints must be signed by it")
	f.BoolVar(&o.force, "force", false, "restore a log that does not go on from the checkpoint")
	f.StringVar(&o.storeKey, "encryption-key", "", "file of the key (64 hex digits) that encrypts the store")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return o.restore(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func (o *restoreOptions) restore(ctx context.Context, file string, stdin io.Reader, stdout, stderr io.Writer) error {
	options, err := o.read(stderr)
	if err != nil {
		return err
	}
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return failed(err)
		}
		defer f.Close()
		from = f
	}
	moved := &moved{to: stderr, began: time.Now()}
	done, err := store.Restore(ctx, movedReader{from, moved}, filepath.Join(o.data, "store"), options)
	switch {
	case errors.Is(err, store.ErrBehind):
		return refused(fmt.Errorf("%w\n  next: look for a newer backup; --force restores this one all the same", err))
	case errors.Is(err, store.ErrSealed) && o.storeKey == "":
		return failed(fmt.Errorf("%w\n  next: name the file of the store's key with --encryption-key", err))
	case err != nil:
		return failed(err)
	}
	moved.say(time.Now(), "from "+file)
	return o.tell(stdout, done, options.LogKey)
}

func (o *restoreOptions) read(stderr io.Writer) (options store.RestoreOptions, err error) {
	options.Force = o.force
	options.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if options.Key, err = readStoreKey(o.storeKey); err != nil {
		return options, failed(err)
	}
	if o.checkpoint != "" {
		if options.Earlier, err = readCheckpoint(o.checkpoint); err != nil {
			return options, err
		}
	}
	if o.key != "" {
		options.LogKey, err = keyOf("--key", o.key)
	}
	return options, err
}

// tell says what was restored, and what is to be done before it can be served.
func (o *restoreOptions) tell(w io.Writer, done *store.Restored, verified tree.Verifier) error {
	origin, signed := "-", "no key was given that its checkpoint is held against"
	if done.Checkpoint != nil {
		origin, _, _ = strings.Cut(string(done.Checkpoint), "\n")
	}
	if verified != nil {
		signed = "its checkpoint is signed by " + verified.Name()
	}
	pairs(w,
		[2]string{"store", filepath.Join(o.data, "store") + " (" + done.StoreID + ")"},
		[2]string{"backup of", done.Taken.Format(time.RFC3339)},
		[2]string{"log", fmt.Sprintf("%s, %d traces; %s", origin, done.Traces, signed)},
		[2]string{"missing", done.Behind},
	)
	for _, d := range done.Damaged {
		fmt.Fprintln(w, "damaged: "+printable(d)+"; it was so when it was backed up")
	}
	fmt.Fprintln(w, o.keyText(done))
	return nil
}

// keyText tells whether the log's private key is where the server looks for it.
func (o *restoreOptions) keyText(done *store.Restored) string {
	file := filepath.Join(o.data, "log.key")
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "next: the log's private key is not in a backup: put it to " + file + " before 'caio serve', or name it with --log-key"
	}
	var v tree.Verifier
	var signer *tree.Signer
	if err == nil {
		signer, err = tree.NewSigner(string(raw))
	}
	if err == nil {
		v, err = signer.Verifier()
	}
	if err == nil && done.Checkpoint != nil {
		_, _, err = tree.Open(done.Checkpoint, v)
	}
	if err != nil {
		return "next: " + file + " is not the private key of this log: put that in its place before 'caio serve', or name it with --log-key"
	}
	return file + " is the private key of this log: 'caio serve --data " + o.data + "' goes on with it"
}

// movedReader counts what is read.
type movedReader struct {
	io.Reader
	*moved
}

func (m movedReader) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.add(n, time.Now())
	return n, err
}
