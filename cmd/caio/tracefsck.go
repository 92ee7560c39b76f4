package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// fsckOptions are the flags of `caio trace fsck`.
type fsckOptions struct {
	data, key, storeKey    string
	checkpoints, witnesses []string
}

func newTraceFsckCommand() *cobra.Command {
	o := &fsckOptions{}
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Check all of a store that no server uses: the log, every trace, the indexes, the database",
		Long: `Fsck reads everything in the store of a data directory and holds it against everything else: every trace against the
entry that commits to it, the tree over the entries against every checkpoint and its signature, what was removed against
what is on record, each day's index against its traces, the database. It changes nothing, except that it opens indexes as a
start does, and goes on after whatever it finds. The server must be stopped.

Findings are of three kinds. "damage" is what is not as it was written, or is missing: restore it from a backup. "index" is
what traces are found by: remove that directory, and the next start makes it again from the traces. "crash" is what a
crash leaves: the next start mends it, and nothing that was acknowledged is lost.

Nothing in a directory tells that all of it is an older copy: a --checkpoint that was kept elsewhere does (/log/checkpoint of
the server, or a bundle). Without --key the public key is taken from log.key in --data, if it is there.

It exits with 1 if there is damage, or an index is wrong.`,
		Example: "  caio trace fsck --data /var/lib/caio --key log.pub --checkpoint last-month.bundle\n" +
			"  caio trace fsck --data /var/lib/caio -o json",
		Args: noArguments,
	}
	out := addOutput(cmd)
	f := cmd.Flags()
	f.StringVar(&o.data, "data", ".caio", "data directory of the server")
	f.StringVar(&o.key, "key", "", "public key of the log, or a file that holds it (default that of log.key in --data)")
	f.StringArrayVar(&o.checkpoints, "checkpoint", nil, "file of an earlier checkpoint, or bundle, from which the log must go on; may be repeated")
	f.StringArrayVar(&o.witnesses, "witness", nil, "public key of a witness, of whom one must have signed the cosigned checkpoint; may be repeated")
	f.StringVar(&o.storeKey, "encryption-key", "", "file of the key (64 hex digits) that encrypts the store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		opts, err := o.brought()
		if err != nil {
			return err
		}
		p := newFsckProgress(cmd.ErrOrStderr(), time.Now())
		opts.Progress = func(at store.Progress) { p.now(time.Now(), at) }
		report, err := store.Fsck(cmd.Context(), filepath.Join(o.data, "store"), opts)
		p.end()
		if err != nil {
			return failed(err)
		}
		if out.json() {
			err = document(cmd.OutOrStdout(), struct {
				Whole bool `json:"whole"`
				*store.FsckReport
			}{report.Whole(), report})
		} else {
			err = showFsck(cmd.OutOrStdout(), report, opts.Log, time.Since(p.began))
		}
		if err == nil && !report.Whole() {
			err = refused(nil)
		}
		return err
	}
	return cmd
}

// brought reads the keys and checkpoints that the flags name.
func (o *fsckOptions) brought() (opts store.FsckOptions, err error) {
	if opts.Key, err = readStoreKey(o.storeKey); err != nil {
		return opts, failed(err)
	}
	if o.key != "" {
		opts.Log, err = keyOf("--key", o.key)
	} else {
		opts.Log, err = ownLogKey(o.data)
	}
	if err != nil {
		return opts, err
	}
	for _, key := range o.witnesses {
		witness, err := keyOf("--witness", key)
		if err != nil {
			return opts, err
		}
		opts.Witnesses = append(opts.Witnesses, witness)
	}
	for _, path := range o.checkpoints {
		signed, err := readCheckpoint(path)
		if err != nil {
			return opts, err
		}
		opts.Known = append(opts.Known, signed)
	}
	return opts, nil
}

// ownLogKey returns the public key of the log whose private key lies in the data directory; nil if none does.
func ownLogKey(data string) (tree.Verifier, error) {
	file := filepath.Join(data, "log.key")
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(fmt.Errorf("key of the log: %w", err))
	}
	signer, err := tree.NewSigner(string(raw))
	if err != nil {
		return nil, failed(fmt.Errorf("key of the log: %s: %w; name the public key with --key", file, err))
	}
	return signer.Verifier()
}

// fsckProgress tells how far a check has come: on a terminal in one line that is written over, else in a line now and then.
type fsckProgress struct {
	to       io.Writer
	terminal bool
	began    time.Time
	last     time.Time
	said     bool
}

func newFsckProgress(to io.Writer, at time.Time) *fsckProgress {
	p := &fsckProgress{to: to, began: at, last: at}
	if f, ok := to.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// now says it, unless it said so a moment ago.
func (p *fsckProgress) now(at time.Time, is store.Progress) {
	every := 5 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	if at.Sub(p.last) < every {
		return
	}
	p.last, p.said = at, true
	if p.terminal {
		fmt.Fprintf(p.to, "\r%s\x1b[K", progressText(at.Sub(p.began), is))
	} else {
		fmt.Fprintln(p.to, progressText(at.Sub(p.began), is))
	}
}

// end clears the line of a terminal.
func (p *fsckProgress) end() {
	if p.terminal && p.said {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

func progressText(took time.Duration, is store.Progress) string {
	rate := float64(is.Done) / max(took.Seconds(), 1e-3)
	left := "an unknown time"
	if rate > 0 {
		left = "about " + time.Duration(float64(is.All-is.Done)/rate*float64(time.Second)).Round(time.Second).String()
	}
	return fmt.Sprintf("%s of %s, %d traces, %s/s, %s left", sizeText(is.Done), sizeText(is.All), is.Traces, sizeText(int64(rate)), left)
}

// sizeText writes bytes as people read them.
func sizeText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}

func showFsck(w io.Writer, r *store.FsckReport, key tree.Verifier, took time.Duration) error {
	signed := "not looked at; give the log's public key with --key"
	if key != nil {
		signed = fmt.Sprintf("%d hold, by %s", r.Signatures, cell(key.Name()))
	}
	pairs(w,
		[2]string{"log", fmt.Sprintf("%d traces, root %s", r.Traces, orDash(r.Root))},
		[2]string{"traces", fmt.Sprintf("%d are there, %d were erased, %d were of days that were dropped", r.Bodies, r.Erased, r.Dropped)},
		[2]string{"signatures", signed},
		[2]string{"indexes", fmt.Sprintf("%d days, %d rows", r.Days, r.Rows)},
		[2]string{"database", fmt.Sprintf("%d services, %d versions of policies, %d contents", r.Services, r.Policies, r.Contents)},
		[2]string{"read", fmt.Sprintf("%s of the log in %s", sizeText(r.Bytes), took.Round(time.Millisecond))},
	)
	for _, f := range r.Findings {
		where := f.File
		if f.Offset >= 0 {
			where += fmt.Sprintf(" at %d", f.Offset)
		}
		if f.Sequence >= 0 {
			where += fmt.Sprintf(", trace %d", f.Sequence)
		}
		fmt.Fprintf(w, "\n%s: %s\n  found: %s\n  should be: %s\n", f.Kind, printable(where), printable(f.Found), printable(f.Want))
	}
	all := 0
	var counts []string
	for _, kind := range []store.Kind{store.Damage, store.Index, store.Crash} {
		if n := r.Counts[kind]; n > 0 {
			all += n
			counts = append(counts, fmt.Sprintf("%s %d", kind, n))
		}
	}
	fmt.Fprintln(w)
	if more := all - len(r.Findings); more > 0 {
		fmt.Fprintf(w, "and %d more findings\n", more)
	}
	switch {
	case !r.Whole():
		fmt.Fprintf(w, "the store is not whole: %s\n", strings.Join(counts, ", "))
	case all > 0:
		fmt.Fprintln(w, "the store is whole; the next start mends what a crash left")
	default:
		fmt.Fprintln(w, "the store is whole")
	}
	return nil
}
