package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// signature looks whether the log's key signed the checkpoint.
func (c *inquiry) signature() verdict {
	signed := c.log.GetCheckpoint()
	// What it says is looked at even where nobody signed it: so the other checks can tell what else is wrong.
	c.checkpoint, _ = tree.ParseCheckpoint(string(signed))
	if c.key = c.opts.Key; c.key == nil {
		named, err := tree.NewVerifier(c.bundle.GetLogKey())
		if err != nil {
			return verdict{Failed, fmt.Sprintf("no key of the log was given, and what the bundle names as one is none: %.200q", c.bundle.GetLogKey())}
		}
		c.key = named
	}
	if len(signed) == 0 {
		return verdict{Failed, "the bundle holds no checkpoint of the log"}
	}
	checkpoint, _, err := tree.Open(signed, c.key)
	if err != nil {
		return verdict{Failed, fmt.Sprintf("the checkpoint should be signed by the log's key %s and is not: %s", keyName(c.key), c.unsigned())}
	}
	c.checkpoint, c.signed = checkpoint, true
	said := fmt.Sprintf("the checkpoint of %d entries is signed by %s", checkpoint.Size, keyName(c.key))
	switch {
	case c.opts.Key == nil:
		said += ", the key that the bundle itself names: nobody but the server vouches for it; get the log's key elsewhere and check with it"
	case c.bundle.GetLogKey() != "" && !c.names(c.key):
		said += fmt.Sprintf(", the key that was given; the bundle names another, %.200q", c.bundle.GetLogKey())
	}
	return fine("%s", said)
}

// unsigned tells who signed the checkpoint instead.
func (c *inquiry) unsigned() string {
	others := signers(c.log.GetCheckpoint())
	switch {
	case c.checkpoint.Origin == "":
		return "it cannot be read"
	case len(others) == 0:
		return "it has no signature"
	case c.checkpoint.Origin != c.key.Name():
		return fmt.Sprintf("it is of the log %.100q, signed by %s", c.checkpoint.Origin, strings.Join(others, ", "))
	default:
		return "its signatures are of " + strings.Join(others, ", ")
	}
}

// names tells whether the bundle names this key.
func (c *inquiry) names(key tree.Verifier) bool {
	named, err := tree.NewVerifier(c.bundle.GetLogKey())
	return err == nil && named.Name() == key.Name() && named.KeyHash() == key.KeyHash()
}

// keyName is a key's name and hash, as a signed note's.
func keyName(key tree.Verifier) string { return fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash()) }

// signers are the names and hashes of the keys whose signatures a note has; nothing of it is verified.
func signers(note []byte) []string {
	_, lines, _ := strings.Cut(string(note), "\n\n")
	var out []string
	for line := range strings.Lines(lines) {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "— ")
		name, sig, _ := strings.Cut(rest, " ")
		raw, err := base64.StdEncoding.DecodeString(sig)
		if ok && err == nil && len(raw) >= 4 && len(out) < most {
			out = append(out, fmt.Sprintf("%.100q+%08x", name, raw[:4]))
		}
	}
	return out
}

// witnesses looks whether those cosigned whom the auditor names.
func (c *inquiry) witnesses() verdict {
	switch {
	case !c.signed:
		return skipped("the log did not sign the checkpoint, so it does not matter who cosigned it")
	case len(c.opts.Witnesses) == 0:
		if n := len(signers(c.log.GetCheckpoint())) - 1; n > 0 {
			return skipped("no witness was named; the checkpoint has %d further signatures that nobody looked at", n)
		}
		return skipped("no witness was named, and nobody but the log signed the checkpoint")
	}
	var f faults
	var said []string
	for _, w := range c.opts.Witnesses {
		_, cosigned, err := tree.Open(c.log.GetCheckpoint(), c.key, w)
		switch {
		case err != nil:
			f.add("the cosignature of %s does not hold", keyName(w))
		case len(cosigned) == 0:
			f.add("%s should have cosigned the checkpoint of %d entries and did not: ask it what it has seen of the log", keyName(w), c.checkpoint.Size)
		default:
			c.cosigned = append(c.cosigned, cosigned...)
			said = append(said, cosignedText(cosigned[0]))
		}
	}
	return f.verdict("cosigned by " + strings.Join(said, ", "))
}

func cosignedText(s tree.Cosignature) string {
	if s.Time.IsZero() {
		return s.Name
	}
	return s.Name + " at " + s.Time.Format(time.RFC3339)
}

// inclusion looks whether the trace's bytes are the entry of the index that the bundle names.
func (c *inquiry) inclusion() verdict {
	raw := c.bundle.GetTrace()
	if len(raw) == 0 {
		return verdict{Failed, "the bundle holds no trace whose place in the log could be shown"}
	}
	head, index := c.checkpoint.Head, c.log.GetIndex()
	if index >= head.Size {
		return verdict{Failed, fmt.Sprintf("the trace should be entry %d, and the checkpoint's tree has %d entries", index, head.Size)}
	}
	proof, err := hashes(c.log.GetInclusion())
	if err != nil {
		return verdict{Failed, err.Error()}
	}
	sum := sha256.Sum256(raw)
	if err := tree.CheckInclusion(proof, head, index, tree.AppendEntry(nil, sum)); err != nil {
		return verdict{Failed, fmt.Sprintf("the trace's bytes, sha256 %x, are not entry %d of the log of %d: "+
			"they, the index or the tree are not what the checkpoint names", sum, index, head.Size)}
	}
	return fine("the trace's bytes, sha256 %x, are entry %d of %d", sum, index, head.Size)
}

// hashes reads the hashes of a proof.
func hashes(raw [][]byte) ([]tree.Hash, error) {
	if len(raw) > 128 {
		return nil, fmt.Errorf("a proof of %d hashes, which no tree needs", len(raw))
	}
	out := make([]tree.Hash, len(raw))
	for i, h := range raw {
		if copy(out[i][:], h) != len(tree.Hash{}) || len(h) != len(tree.Hash{}) {
			return nil, fmt.Errorf("hash %d of a proof has %d bytes, and should have %d", i, len(h), len(tree.Hash{}))
		}
	}
	return out, nil
}

// A known is an earlier checkpoint that the log signed, and who cosigned it.
type known struct {
	tree.Checkpoint
	cosigned []tree.Cosignature
}

// consistency looks whether the bundle's tree goes on from each that the auditor knows.
func (c *inquiry) consistency() verdict {
	if len(c.opts.Earlier) == 0 {
		return skipped("no earlier checkpoint was given, so nothing tells whether the log was cut or changed before this one; keep this bundle for the next time")
	}
	if c.key == nil {
		return skipped("there is no key to open the earlier checkpoints with")
	}
	var f faults
	var said []string
	for i, signed := range c.opts.Earlier {
		earlier, cosigned, err := tree.Open(signed, c.key, c.opts.Witnesses...)
		if err != nil {
			f.add("earlier checkpoint %d is not signed by %s, so it tells nothing of this log", i+1, keyName(c.key))
			continue
		}
		c.earlier = append(c.earlier, known{earlier, cosigned})
		if err := c.extends(earlier.Head); err != nil {
			f.add("%v", err)
			continue
		}
		said = append(said, fmt.Sprint(earlier.Size))
	}
	return f.verdict(fmt.Sprintf("the tree of %d entries goes on from the earlier one of %s", c.checkpoint.Size, strings.Join(said, ", of ")))
}

// extends returns nil if the checkpoint's tree begins with earlier.
func (c *inquiry) extends(earlier tree.Head) error {
	head := c.checkpoint.Head
	if head.Size < earlier.Size {
		return fmt.Errorf("the tree has %d entries, and the earlier checkpoint %d: the log was truncated, or an old checkpoint is shown",
			head.Size, earlier.Size)
	}
	var raw [][]byte
	if earlier.Size > 0 && earlier.Size < head.Size {
		if c.log.GetEarlierSize() != earlier.Size {
			return fmt.Errorf("the bundle does not show that its tree goes on from the earlier one of %d entries; get one that does: "+
				"'caio trace bundle ID --earlier %[1]d'", earlier.Size)
		}
		raw = c.log.GetConsistency()
	}
	proof, err := hashes(raw)
	if err != nil {
		return err
	}
	if err := tree.CheckConsistency(proof, head, earlier); errors.Is(err, tree.ErrProof) {
		return fmt.Errorf("the tree of %d entries does not go on from the earlier one of %d: entries of that were changed, dropped or reordered",
			head.Size, earlier.Size)
	} else if err != nil {
		return err
	}
	return nil
}
