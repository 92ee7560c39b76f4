package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/audit"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// verifyOptions are the flags of `caio trace verify`.
type verifyOptions struct {
	key                    string
	checkpoints, witnesses []string
	replay                 bool
	remote                 *remote
}

func newTraceVerifyCommand() *cobra.Command {
	o := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify FILE|ID",
		Short: "Check a decision without trusting the server that made it",
		Long: `Verify checks a bundle ('caio trace bundle'): that its trace is in the log, that the log goes on from the checkpoints
that are known, that every proof follows from its evidence and is about this decision, and that what decided has the
digests that the decision names. For a file it needs neither a server nor a network; of an ID it first fetches the bundle.

Give --key: without it the key that the bundle itself names is taken, and for that nobody but the server vouches. A
--checkpoint is a signed checkpoint that was kept from before (/log/checkpoint of the server), or an older bundle: without
one, nothing shows that entries were not dropped from the log before. A --witness is the key of somebody whose signature
the checkpoint must have, too. With --replay the decision is made again by the contracts and policies that the bundle
holds, and must come out the same, byte for byte.

It exits with 1 if a check fails.`,
		Example: "  caio trace verify decision.bundle --key log.key --checkpoint last-month.bundle\n" +
			"  caio trace verify 5f0c1d2e3b4a59687766554433221100 -o json",
		Args: cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	o.remote = addRemote(cmd, registryTimeout)
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "", "public key of the log, or a file that holds it")
	f.StringArrayVar(&o.checkpoints, "checkpoint", nil, "file of an earlier checkpoint, or bundle, of the log; may be repeated")
	f.BoolVar(&o.replay, "replay", false, "decide again by what the bundle says decided ('caio trace bundle --snapshot')")
	f.StringArrayVar(&o.witnesses, "witness", nil, "public key of a witness that must have cosigned; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := o.brought()
		if err != nil {
			return err
		}
		report, err := o.verify(cmd.Context(), args[0], opts)
		if err != nil {
			return err
		}
		if out.json() {
			err = document(cmd.OutOrStdout(), struct {
				Holds bool `json:"holds"`
				*audit.Report
			}{report.OK(), report})
		} else {
			err = showReport(cmd.OutOrStdout(), report)
		}
		if err == nil && !report.OK() {
			err = refused(nil)
		}
		return err
	}
	return cmd
}

// brought reads what the auditor brings.
func (o *verifyOptions) brought() (opts audit.Options, err error) {
	if o.key != "" {
		if opts.Key, err = keyOf("--key", o.key); err != nil {
			return opts, err
		}
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
		opts.Earlier = append(opts.Earlier, signed)
	}
	return opts, nil
}

// keyOf reads a public key, or the file that holds it.
func keyOf(flag, value string) (tree.Verifier, error) {
	if key, err := tree.NewVerifier(value); err == nil {
		return key, nil
	}
	raw, err := os.ReadFile(value)
	if err != nil {
		return nil, failed(fmt.Errorf("%s: neither a public key (name+hash+base64) nor a file that holds one: %w", flag, err))
	}
	key, err := tree.NewVerifier(string(raw))
	if err != nil {
		return nil, failed(fmt.Errorf("%s %s: holds no public key (name+hash+base64)", flag, value))
	}
	return key, nil
}

// readCheckpoint reads a signed checkpoint from its own file or from a bundle's.
func readCheckpoint(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, failed(fmt.Errorf("--checkpoint: %w", err))
	}
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) { // gzip
		b, err := audit.Read(bytes.NewReader(raw))
		if err != nil {
			return nil, failed(fmt.Errorf("--checkpoint %s: %w", path, err))
		}
		raw = b.GetLog().GetCheckpoint()
	}
	if _, err := tree.ParseCheckpoint(string(raw)); err != nil {
		return nil, failed(fmt.Errorf("--checkpoint %s: %w", path, err))
	}
	return raw, nil
}

// verify checks the bundle in a file, or that of a trace which the server has.
func (o *verifyOptions) verify(ctx context.Context, what string, opts audit.Options) (*audit.Report, error) {
	file, err := os.Open(what)
	if errors.Is(err, os.ErrNotExist) && regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(what) {
		return o.fetch(ctx, what, opts)
	}
	if err != nil {
		return nil, failed(fmt.Errorf("neither the file of a bundle nor the id of a trace: %w", err))
	}
	defer func() { _ = file.Close() }()
	b, err := audit.Read(file)
	if err != nil {
		return nil, failed(fmt.Errorf("%s: %w\n  next: 'caio trace bundle ID' writes one", what, err))
	}
	return o.check(ctx, b, opts), nil
}

// check makes every check of b.
func (o *verifyOptions) check(ctx context.Context, b *caiov1.Bundle, opts audit.Options) *audit.Report {
	r := audit.Verify(b, opts)
	if o.replay {
		r.Checks = append(r.Checks, replayed(ctx, b))
	}
	return r
}

// fetch checks the bundle of a trace once for each size of the checkpoints that are known, since one bundle shows that its
// log goes on from one.
func (o *verifyOptions) fetch(ctx context.Context, id string, opts audit.Options) (*audit.Report, error) {
	ctx, peer, err := o.remote.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	known := map[uint64][][]byte{}
	for _, signed := range opts.Earlier {
		c, err := tree.ParseCheckpoint(string(signed))
		if err != nil {
			return nil, failed(err)
		}
		known[c.Size] = append(known[c.Size], signed)
	}
	if len(known) == 0 {
		known[0] = nil
	}
	var all *audit.Report
	for _, size := range slices.Sorted(maps.Keys(known)) {
		response, err := peer.traces.Bundle(ctx, connect.NewRequest(&caiov1.TraceServiceBundleRequest{TraceId: id, EarlierSize: size, Snapshot: o.replay}))
		if err != nil {
			return nil, peer.explain(err)
		}
		opts.Earlier = known[size]
		all = joined(all, o.check(ctx, response.Msg.GetBundle(), opts))
	}
	return all, nil
}

// joined is what two reports of one trace come to: what failed in either failed.
func joined(a, b *audit.Report) *audit.Report {
	if a == nil {
		return b
	}
	for i := range b.Checks {
		switch x, y := &a.Checks[i], b.Checks[i]; {
		case x.Outcome != audit.Failed && y.Outcome == audit.Failed:
			*x = y
		case x.Name == audit.Consistency && x.Outcome == y.Outcome:
			x.Said += "; " + y.Said
		}
	}
	return a
}

// showReport writes a row for each check, and what they come to.
func showReport(w io.Writer, r *audit.Report) error {
	rows := make([][]string, len(r.Checks))
	for i, c := range r.Checks {
		rows[i] = []string{c.Name, c.Outcome, cell(c.Said)}
	}
	if err := table(w, []string{"CHECK", "OUTCOME", "FOUND"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if failures := r.Failures(); len(failures) > 0 {
		fmt.Fprintf(w, "trace %s does not hold: %s failed\n", orDash(cell(r.TraceID)), strings.Join(failures, ", "))
		return nil
	}
	fmt.Fprintf(w, "trace %s holds\n", cell(r.TraceID))
	if !r.Given {
		fmt.Fprintf(w, "but nobody except the server vouches for the key %s; give the log's with --key\n", cell(r.Key))
	}
	if i := slices.IndexFunc(r.Checks, func(c audit.Check) bool { return c.Name == audit.Consistency }); r.Checks[i].Outcome == audit.Skipped {
		fmt.Fprintln(w, "and nothing shows that the log was whole before; give a checkpoint that was kept with --checkpoint")
	}
	return nil
}
