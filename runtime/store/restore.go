package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
)

// Errors of Restore. Test with errors.Is.
var (
	// ErrBackup: this is no backup, or not a whole one, or something in it was changed.
	ErrBackup = errors.New("not a whole backup")
	// ErrBehind: the log in the backup does not go on from the checkpoint that was given.
	ErrBehind = errors.New("the backup is behind the checkpoint")
)

// RestoreOptions say what a backup is held against. The zero value is good for a backup of a store that is not encrypted.
type RestoreOptions struct {
	// Key is that of the store, as Options.Key.
	Key []byte
	// Earlier is a checkpoint of the log that somebody has kept, a signed note: the log must go on from it. nil: none.
	Earlier []byte
	// LogKey is the log's public key, as trace.Log.Key has it. Earlier and the backup's own checkpoint must be signed by
	// it. nil: signatures are not looked at.
	LogKey tree.Verifier
	// Force restores a log that does not go on from Earlier. What is missing is in Restored.Behind.
	Force bool
	// MinFreeBytes is as in Options.
	MinFreeBytes uint64
	// Logger is as in Options.
	Logger *slog.Logger
}

// Restored is what Restore made.
type Restored struct {
	StoreID    string
	Taken      time.Time // when the backup was
	Traces     uint64    // size of the log
	Checkpoint []byte    // of that size, signed; nil: the log was never written
	Bytes      int64     // that were read
	Behind     string    // what is missing after Earlier, where that was forced; empty: nothing
	Damaged    []string  // days of which bodies cannot be read, and why: so they were when they were backed up; nil: none
}

// Restore makes a store of the backup that r reads, in dir, which must be empty or not there. All of it is checked: that
// nothing is missing or was changed, that the tree is the one that the newest checkpoint names, and that it goes on from
// o.Earlier. The indexes are made anew. The file that makes a store of the directory comes last, so nothing else is ever
// opened: an error leaves nothing in dir but a lock, a crash a directory that Open and Restore refuse.
//
// It takes memory as Backup does. Errors: ErrBackup, ErrBehind, ErrSealed, ErrFormat, ErrNotStore (dir is not empty),
// ErrLocked, ErrLowSpace, trace.ErrDamaged, tree.ErrCheckpoint, ctx's, r's and the system's.
func Restore(ctx context.Context, r io.Reader, dir string, o RestoreOptions) (*Restored, error) {
	done, err := restore(ctx, r, dir, o)
	if err != nil {
		return nil, fmt.Errorf("restore a store to %s: %w", dir, err)
	}
	return done, nil
}

func restore(ctx context.Context, r io.Reader, dir string, o RestoreOptions) (_ *Restored, err error) {
	earlier, err := o.earlier()
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, logger: o.Logger, minFree: o.MinFreeBytes, maxValue: maxValue, key: o.Key}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.minFree == 0 {
		s.minFree = defaultMinFree
	}
	if s.sealer, err = newSealer(o.Key); err != nil {
		return nil, err
	}
	if err := s.takeEmpty(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.removeRestored())
		}
		err = errors.Join(err, s.lock.release())
	}()
	b := newBackupReader(ctx, r)
	m, err := s.unpack(b)
	if err != nil {
		return nil, err
	}
	done := &Restored{StoreID: m.Store.ID, Taken: m.Time, Traces: m.Traces, Bytes: b.read}
	if m.Checkpoint != "" {
		done.Checkpoint = []byte(m.Checkpoint)
	}
	if err := s.openAs(&m.Store); err != nil {
		return nil, err
	}
	done.Behind, err = s.checkRestored(ctx, done, earlier, &o)
	if err == nil && done.Behind != "" && !o.Force {
		err = fmt.Errorf("%w: %s", ErrBehind, done.Behind)
	}
	if err == nil {
		done.Damaged, err = s.traces.indexAll(ctx)
	}
	if err = errors.Join(err, s.closeParts()); err != nil {
		return nil, err
	}
	return done, m.Store.write(dir)
}

// earlier reads the checkpoint that the log must go on from; nil if there is none.
func (o *RestoreOptions) earlier() (*tree.Head, error) {
	if o.Earlier == nil {
		return nil, nil
	}
	head, err := o.head(o.Earlier)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint that it must go on from: %w", err)
	}
	return &head, nil
}

func (o *RestoreOptions) head(signed []byte) (tree.Head, error) {
	if o.LogKey == nil {
		return tree.ReadHead(signed)
	}
	c, _, err := tree.Open(signed, o.LogKey)
	return c.Head, err
}

// takeEmpty makes the directory if it is not there, and takes it if it is empty.
func (s *Store) takeEmpty() (err error) {
	if s.dir == "" {
		return errors.New("no directory is given")
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := empty(s.dir); err != nil {
		return err
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	if err := empty(s.dir); err != nil { // another process may have been quicker
		return errors.Join(err, s.lock.release())
	}
	return nil
}

func empty(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, manifestFile)); err == nil {
		return fmt.Errorf("%w: there is a store already; give an empty directory", ErrNotStore)
	}
	return vacant(dir)
}

// removeRestored removes what was written of a store that has not become one. The lock stays, as ever.
func (s *Store) removeRestored() error {
	var errs []error
	for _, name := range append(journal.Dirs(), manifestFile, manifestFile+".tmp", dbDir, headFile) {
		errs = append(errs, os.RemoveAll(filepath.Join(s.dir, name)))
	}
	return errors.Join(errs...)
}

// checkRestored holds the log against what the backup says of it, and against the earlier checkpoint, if there is one. It
// returns what is missing after that.
func (s *Store) checkRestored(ctx context.Context, done *Restored, earlier *tree.Head, o *RestoreOptions) (behind string, err error) {
	is, err := s.traces.Head(ctx)
	if err != nil {
		return "", err
	}
	if is.Size != done.Traces || !bytes.Equal(is.Checkpoint, done.Checkpoint) {
		return "", fmt.Errorf("%w: the log in it has %d traces, and should have %d", ErrBackup, is.Size, done.Traces)
	}
	head := tree.Head{Root: tree.EmptyRoot()}
	if is.Checkpoint != nil {
		if head, err = o.head(is.Checkpoint); err != nil {
			return "", fmt.Errorf("the checkpoint in the backup: %w", err)
		}
	}
	if _, err := tree.ReadEdge(s.traces, head); err != nil {
		return "", fmt.Errorf("%w: %w", trace.ErrDamaged, err)
	}
	switch {
	case earlier == nil || earlier.Size == 0:
		return "", nil
	case earlier.Size > head.Size:
		return fmt.Sprintf("the checkpoint is of %d traces, the backup of %s has %d: the last %d are missing",
			earlier.Size, done.Taken.Format(time.RFC3339), head.Size, earlier.Size-head.Size), nil
	}
	proof, err := tree.ProveConsistency(s.traces, head, earlier.Size)
	if err != nil {
		return "", fmt.Errorf("%w: %w", trace.ErrDamaged, err)
	}
	if err := tree.CheckConsistency(proof, head, *earlier); err != nil {
		return fmt.Sprintf("its first %d traces are not those that the checkpoint names: it is of another log, or of another "+
			"history of it, and what that log had and this one has not is missing", earlier.Size), nil
	}
	return "", nil
}

// indexAll makes the indexes of all days, which reads every body, and keeps when their requests arrived, so that the next
// start does not have to. It returns the days of which bodies are damaged.
func (t *traces) indexAll(ctx context.Context) (damaged []string, err error) {
	for i, d := range t.days {
		if err := errors.Join(context.Cause(ctx), t.s.enoughSpace(t.s.minFree)); err != nil {
			return nil, err
		}
		next := d.end() // as the journal has it: the index does not know of a dropped day behind it
		_, err := t.use(d)
		if errors.Is(err, trace.ErrDamaged) {
			damaged = append(damaged, err.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		t.release(d)
		if i+1 < len(t.days) {
			d.sealed(next)
		}
	}
	return damaged, nil
}
