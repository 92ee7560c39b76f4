package trace

import (
	"context"
	"errors"
	"fmt"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// ErrWitness: what a witness sent is not kept. The error tells why.
var ErrWitness = errors.New("cosignature is not kept")

// Cosign keeps the cosignatures of a checkpoint: a signed note of this log that a witness of Options.Witnesses signed as
// well. Those of the newest such checkpoint are kept; proofs show that checkpoint where it covers what is proven.
// ErrWitness: it is not of this log, no known witness signed it, or a newer one is kept already.
func (l *Log) Cosign(ctx context.Context, signed []byte) error {
	if len(l.witnesses) == 0 {
		return fmt.Errorf("%w: this log knows no witness", ErrWitness)
	}
	verifier, err := l.signer.Verifier()
	if err != nil {
		return err
	}
	c, by, err := tree.Open(signed, verifier, l.witnesses...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWitness, err)
	}
	if len(by) == 0 {
		return fmt.Errorf("%w: no witness that this log knows has signed it", ErrWitness)
	}
	if c.Size > l.Head().Size {
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	if err := l.leadsHere(c.Head); err != nil {
		return err
	}
	l.cosigning.Lock()
	defer l.cosigning.Unlock()
	kept := l.cosigned.Load()
	if kept != nil && kept.head.Size > c.Size {
		return fmt.Errorf("%w: it is of %d traces, one of %d is kept already", ErrWitness, c.Size, kept.head.Size)
	}
	if kept != nil && kept.head.Size == c.Size {
		if signed, err = tree.Join(kept.checkpoint, signed, verifier, l.witnesses...); err != nil {
			return fmt.Errorf("%w: %w", ErrWitness, err)
		}
	} else if signed, err = tree.Join(signed, signed, verifier, l.witnesses...); err != nil { // without strangers' signatures
		return fmt.Errorf("%w: %w", ErrWitness, err)
	}
	if err := l.storage.KeepCosigned(signed); err != nil {
		return fmt.Errorf("keep a cosignature: %w", err)
	}
	l.cosigned.Store(&state{c.Head, signed})
	return nil
}

// Cosigned returns the newest checkpoint that a witness has signed, nil if there is none.
func (l *Log) Cosigned() []byte {
	if s := l.cosigned.Load(); s != nil {
		return s.checkpoint
	}
	return nil
}

// leadsHere tells whether the tree that was names is the beginning of this log's.
func (l *Log) leadsHere(was tree.Head) error {
	head := l.Head()
	if was.Size > head.Size {
		return fmt.Errorf("%w: it is of %d traces, the log has %d", ErrWitness, was.Size, head.Size)
	}
	if was.Size == 0 {
		return nil
	}
	proof, err := tree.ProveConsistency(l.storage, head, was.Size)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := tree.CheckConsistency(proof, head, was); err != nil {
		return fmt.Errorf("%w: the log does not go on from it: %w", ErrWitness, err)
	}
	return nil
}

// restoreCosigned reads what was kept. What is no longer by a known witness is left out.
func (l *Log) restoreCosigned() error {
	signed, err := l.storage.Cosigned()
	if err != nil || signed == nil {
		return err
	}
	verifier, err := l.signer.Verifier()
	if err != nil {
		return err
	}
	c, by, err := tree.Open(signed, verifier, l.witnesses...)
	if err != nil || len(by) == 0 || c.Size > l.Head().Size {
		l.logger.Warn("the cosigned checkpoint that was kept is left out: no witness that is known has signed it, or it is of another log", "traces", c.Size)
		return nil
	}
	l.cosigned.Store(&state{c.Head, signed})
	return nil
}

// Witnesses reads the public keys of witnesses, in signed-note's form.
func Witnesses(vkeys []string) ([]tree.Verifier, error) {
	var witnesses []tree.Verifier
	for _, vkey := range vkeys {
		w, err := tree.NewVerifier(vkey)
		if err != nil {
			return nil, err
		}
		witnesses = append(witnesses, w)
	}
	return witnesses, nil
}
