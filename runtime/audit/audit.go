// Package audit checks a decision without the server that made it: that its trace is in the log, that the log goes on
// from what the auditor knew of it, that the decision was made of what it says, and that its proofs hold and are its own.
// It needs one file, a caio.v1.Bundle, and what the auditor brings: the log's key, earlier checkpoints, witnesses' keys.
//
//	bundle, err := audit.Read(file)
//	report := audit.Verify(bundle, audit.Options{Key: key, Earlier: [][]byte{checkpoint}})
//	for _, c := range report.Checks {
//		fmt.Println(c.Name, c.Outcome, c.Said)
//	}
//
// Everything in a bundle is taken for forged until it is shown not to be. No bytes make Verify panic, and none make it
// read a file, the network or a clock. What only the policies' language can tell, that the rules named by their digest
// refuse what the decision says they refuse and nobody else, replaying tells; this room holds neither CUE nor OPA, neither
// a store nor adapters.
//
// # The file
//
// A bundle's file is a caio.v1.Bundle in protobuf's deterministic form, compressed with gzip (RFC 1952) whose header has
// neither name nor time.
package audit

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// The checks by their names, in the order of a report.
const (
	Format      = "format"      // the bundle is one, and its trace can be read in one way only
	Signature   = "signature"   // the log's key signed the checkpoint
	Witnesses   = "witnesses"   // the witnesses that the auditor names cosigned it
	Inclusion   = "inclusion"   // the trace's bytes are the entry of that index in the checkpoint's tree
	Consistency = "consistency" // that tree goes on from each earlier one that the auditor knows
	Inputs      = "inputs"      // what decided is what the decision names by digest
	Proofs      = "proofs"      // the proofs follow from their evidence, are about this decision, and none is missing
	Identity    = "identity"    // who asked and when is the same everywhere
	Execution   = "execution"   // what was executed is what was decided
	Payloads    = "payloads"    // payloads that were kept are those that the digests are of
	Erasure     = "erasure"     // a record of removed bodies is one that there can be
)

// The outcomes of a check.
const (
	OK      = "ok"
	Failed  = "failed"
	Skipped = "skipped" // there is nothing that it could look at; Said tells why
)

// Options are what an auditor brings. The zero value brings nothing.
type Options struct {
	// Key is the log's public key. nil: the one that the bundle names, for which nobody but its author vouches.
	Key tree.Verifier
	// Earlier are checkpoints of the log, signed, that the auditor knows from before.
	Earlier [][]byte
	// Witnesses are the keys of those whose cosignatures the checkpoint must have.
	Witnesses []tree.Verifier
}

// A Check is one question about a bundle, and its answer.
type Check struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"` // OK, Failed or Skipped
	Said    string `json:"said"`    // what was found and, where that is not so, what should be; one sentence or more, never empty
}

// A Report is what was found of one bundle.
type Report struct {
	TraceID string  `json:"trace_id"`  // as the trace says; empty: it says nothing
	Origin  string  `json:"origin"`    // the log's name, as the checkpoint says
	Index   uint64  `json:"index"`     // position in the log that the bundle names
	Size    uint64  `json:"size"`      // entries of the tree that the checkpoint names
	Root    string  `json:"root"`      // its root, base64 as in a checkpoint
	Key     string  `json:"key"`       // the key that the signature was held against, name and hash
	Given   bool    `json:"key_given"` // the auditor brought that key; false: only the bundle vouches for it
	Checks  []Check `json:"checks"`    // every check, in the order of the constants
}

// OK tells whether no check failed.
func (r *Report) OK() bool { return len(r.Failures()) == 0 }

// Failures returns the names of the checks that failed; nil: none did.
func (r *Report) Failures() []string {
	var names []string
	for _, c := range r.Checks {
		if c.Outcome == Failed {
			names = append(names, c.Name)
		}
	}
	return names
}

// Verify makes every check of b, whatever the others found. b is only read; nil is an empty one, which fails.
func Verify(b *caiov1.Bundle, opts Options) *Report {
	c := &inquiry{bundle: b, opts: opts, log: b.GetLog()}
	r := &Report{Index: c.log.GetIndex()}
	add := func(name string, v verdict) { r.Checks = append(r.Checks, Check{name, v.outcome, v.said}) }
	add(Format, c.format())
	add(Signature, c.signature())
	add(Witnesses, c.witnesses())
	add(Inclusion, c.inclusion())
	add(Consistency, c.consistency())
	add(Inputs, c.inputs())
	add(Proofs, c.proofs())
	add(Identity, c.identity())
	add(Execution, c.execution())
	add(Payloads, c.payloads())
	add(Erasure, c.erasure())
	r.TraceID, r.Origin, r.Size, r.Root = c.trace.GetTraceId(), c.checkpoint.Origin, c.checkpoint.Size, c.checkpoint.Root.String()
	r.Given = opts.Key != nil
	if c.key != nil {
		r.Key = keyName(c.key)
	}
	return r
}

// An inquiry is one bundle while it is looked at. What a check leaves for later ones is its zero value where the check
// found nothing.
type inquiry struct {
	bundle *caiov1.Bundle
	opts   Options
	log    *caiov1.LogProof

	trace    *caiov1.Trace // of format; never nil after it, empty where the bytes are none
	pieces   pieces        // of format: bytes of the trace's fields
	registry contracts     // of format: the contracts in the bundle; nil: there is no snapshot
	differ   []difference  // of format: what the proofs say otherwise than the trace
	key      tree.Verifier // of signature; nil: there is none
	signed   bool          // of signature: key signed checkpoint
	earlier  []known       // of consistency: those that the log signed

	checkpoint tree.Checkpoint // of signature; what the bundle says, whoever signed it
	cosigned   []tree.Cosignature
}

// format looks whether the bundle is one that this package knows.
func (c *inquiry) format() verdict {
	c.trace = &caiov1.Trace{}
	var f faults
	if v := c.bundle.GetVersion(); v != version {
		f.add("the bundle is of format %d, and only %d is known here", v, version)
	}
	raw := c.bundle.GetTrace()
	if len(raw) == 0 {
		f.add("the bundle holds no trace")
		return f.verdict("")
	}
	trace := &caiov1.Trace{}
	if err := proto.Unmarshal(raw, trace); err != nil {
		f.add("the %d bytes of the trace are no caio.v1.Trace", len(raw))
		return f.verdict("")
	}
	var err error
	if c.registry, err = contractsOf(c.bundle.GetSnapshot()); err != nil {
		f.add("%v", err)
	}
	c.trace, c.differ = trace, differences(trace, c.registry)
	if c.pieces, err = split(raw); err != nil {
		f.add("%v", err)
	}
	if trace.GetTraceId() == "" {
		f.add("the trace has no id")
	}
	said := fmt.Sprintf("a bundle of format %d with the %d bytes of trace %.64q", version, len(raw), trace.GetTraceId())
	if n := len(trace.ProtoReflect().GetUnknown()); n > 0 {
		said += fmt.Sprintf("; %d bytes of it are of a later release and were not looked at", n)
	}
	return f.verdict(said)
}

// version is the format of bundles that this package knows.
const version = 1

// A verdict is the answer of a check.
type verdict struct{ outcome, said string }

func fine(format string, args ...any) verdict { return verdict{OK, fmt.Sprintf(format, args...)} }
func skipped(format string, args ...any) verdict {
	return verdict{Skipped, fmt.Sprintf(format, args...)}
}

// faults are what a check found wrong. Forged bytes may hold any number of them, so only the first are kept.
type faults struct {
	first []string
	n     int
}

// most is how many faults a verdict names.
const most = 6

func (f *faults) add(format string, args ...any) {
	if f.n++; f.n <= most {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
}

// verdict is said where nothing is wrong, else the faults.
func (f *faults) verdict(said string) verdict {
	if f.n == 0 {
		return verdict{OK, said}
	}
	text := strings.Join(f.first, "; ")
	if f.n > most {
		text += fmt.Sprintf("; and %d more", f.n-most)
	}
	return verdict{Failed, text}
}
