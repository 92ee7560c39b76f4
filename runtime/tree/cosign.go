package tree

import (
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// Vouched reads a signed checkpoint as Open does and returns it as well with no other signatures than the log's and those
// of the witnesses that are given: what strangers wrote below a checkpoint has no place in a log. At least one of the
// witnesses must have signed; else ErrCheckpoint.
func Vouched(signed []byte, log Verifier, witnesses ...Verifier) (Checkpoint, []Cosignature, []byte, error) {
	c, cosigned, err := Open(signed, log, witnesses...)
	if err != nil {
		return c, nil, nil, err
	}
	if len(cosigned) == 0 {
		return c, nil, nil, fmt.Errorf("%w: no witness signed it that is known here", ErrCheckpoint)
	}
	n, err := note.Open(signed, note.VerifierList(append(witnesses[:len(witnesses):len(witnesses)], log)...))
	if err != nil {
		return c, nil, nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	clean, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs}) // signs nothing: it writes what was verified
	if err != nil {
		return c, nil, nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return c, cosigned, clean, nil
}
