package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
)

// A backup is a tar stream of plain files with short names:
//
//	caio-backup.json    what it is: a backupManifest
//	db/00000001 ...     the database, as pairs: see below; encrypted as bodies are where the store is
//	log/..., traces/... the files of the log, as package journal has them; no index
//	SHA256SUMS          the end: for each file before it, in their order, the line "<hex digits>  <name>" of sha256sum, and
//	                    then "# stream <hex digits>", the sha256 of every byte before this file's content
//
// A file db/* is a list of pairs: the length of a key (uvarint), the key, the length of its value, the value. Keys ascend.
// Nothing but zeros follows. So whatever is cut off or changed is noticed; who did it on purpose can make new sums, and is
// found out by a checkpoint of the log that somebody else has kept.
const (
	backupManifestFile = "caio-backup.json"
	sumsFile           = "SHA256SUMS"
	backupFormat       = 1

	pairsBytes = 1 << 20 // of pairs in a file; one pair alone may have more
	copyBuffer = 256 << 10
	streamLine = "# stream "
)

// A backupManifest is the first file of a backup.
type backupManifest struct {
	Format     int       `json:"format"`
	Store      manifest  `json:"store"`
	Time       time.Time `json:"time"`
	Traces     uint64    `json:"traces"`               // size of the log
	Checkpoint string    `json:"checkpoint,omitempty"` // of that size; empty: the log was never written
	Segments   int       `json:"segments"`             // files of bodies
	Bytes      int64     `json:"bytes"`                // of the files of the log, which follow the database
}

// errInMemory: there is nothing that a backup could be made of.
var errInMemory = errors.New("the store is in memory")

// Backup writes a backup of the store to w: the log as it is when the backup begins, with every trace whose Append of
// trace.Durable has returned, and the database as it is then. It takes some megabytes of memory, and a few times what
// the largest service has, whatever the store's size. Errors: ErrClosed, trace.ErrDamaged, ctx's, w's.
//
// Appends and everything else go on meanwhile, except that erasures and drops of days wait until it is done: a body that
// is gone in one half of a backup and there in the other, and a record of the erasure in neither, would be no state that
// the store ever had. It is whoever reads slowly who makes them wait, and Close, too: end ctx first. Backups take turns.
//
// When ctx ends, so does the backup with its error, as soon as w returns. What w has got then is no backup, and Restore
// refuses it.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	if err := s.backup(ctx, w); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, w io.Writer) error {
	if s.traces == nil {
		return errInMemory
	}
	if err := s.traces.eraser.lock(ctx); err != nil {
		return err
	}
	defer s.traces.eraser.unlock()
	// Held to the end, and never taken again below: with a Close that waits between the two nobody would go on.
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	m, err := readManifest(s.dir)
	if err == nil && m == nil {
		err = fmt.Errorf("%s is gone", manifestFile)
	}
	if err != nil {
		return err
	}
	cut, err := s.traces.journal.Cut()
	if err != nil {
		return err
	}
	b := newBackupWriter(ctx, w)
	if err := b.manifest(m, cut, time.Now()); err != nil {
		return err
	}
	// After the cut: what a trace refers to is stored before the trace is.
	if err := guard(func() error { return s.backupPairs(b) }); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	for i := range cut.Files {
		f := &cut.Files[i]
		if err := b.file(f.Name, f.Bytes, func(w io.Writer) error { return f.CopyTo(w, b.buffer) }); err != nil {
			return err
		}
	}
	return b.end()
}

// backupPairs writes the pairs of one transaction. Badger's own Backup reads many tables at once and keeps what it read:
// it took gigabytes.
func (s *Store) backupPairs(b *backupWriter) error {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{}) // without values in advance, which may have 32 MB each
	defer it.Close()
	var pairs, stored []byte
	files := 0
	flush := func() error {
		files++
		stored = s.seal(stored[:0], func(to []byte) []byte { return append(to, pairs...) })
		pairs = pairs[:0]
		return b.file(fmt.Sprintf("%s/%08d", dbDir, files), int64(len(stored)), func(w io.Writer) error {
			_, err := w.Write(stored)
			return err
		})
	}
	for it.Rewind(); it.Valid(); it.Next() {
		err := it.Item().Value(func(value []byte) error {
			pairs = appendString(appendString(pairs, it.Item().Key()), value)
			return nil
		})
		if err == nil && len(pairs) >= pairsBytes {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	return flush()
}

// backupWriter writes the files of a backup.
type backupWriter struct {
	tar    *tar.Writer
	stream hash.Hash // of all that was written
	sums   bytes.Buffer
	buffer []byte
	now    time.Time
}

func newBackupWriter(ctx context.Context, w io.Writer) *backupWriter {
	b := &backupWriter{stream: sha256.New(), buffer: make([]byte, copyBuffer)}
	b.tar = tar.NewWriter(&untilDone{ctx, io.MultiWriter(w, b.stream)})
	return b
}

// manifest writes the first file.
func (b *backupWriter) manifest(m *manifest, cut *journal.Cut, now time.Time) error {
	b.now = now.UTC().Truncate(time.Second)
	backup := backupManifest{
		Format: backupFormat, Store: *m, Time: b.now, Traces: cut.Size, Checkpoint: string(cut.Checkpoint), Bytes: cut.Bytes(),
	}
	for i := range cut.Files {
		if cut.Files[i].IsSegment() {
			backup.Segments++
		}
	}
	raw, err := json.MarshalIndent(&backup, "", "  ")
	if err != nil {
		return err
	}
	return b.file(backupManifestFile, int64(len(raw)+1), func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}

// file writes a file of size bytes, which content writes.
func (b *backupWriter) file(name string, size int64, content func(io.Writer) error) error {
	if err := b.header(name, size); err != nil {
		return err
	}
	sum := sha256.New()
	if err := content(io.MultiWriter(b.tar, sum)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	addSum(&b.sums, sum, name)
	return nil
}

func (b *backupWriter) header(name string, size int64) error {
	return b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.now})
}

// end writes the last file.
func (b *backupWriter) end() error {
	if err := b.header(sumsFile, int64(b.sums.Len()+streamSumSize)); err != nil {
		return err
	}
	addStream(&b.sums, b.stream)
	if _, err := b.tar.Write(b.sums.Bytes()); err != nil {
		return err
	}
	return b.tar.Close()
}

// streamSumSize is how many bytes addStream adds.
const streamSumSize = len(streamLine) + 2*sha256.Size + len("\n")

func addSum(to *bytes.Buffer, sum hash.Hash, name string) {
	to.WriteString(hex.EncodeToString(sum.Sum(nil)) + "  " + name + "\n")
}

func addStream(to *bytes.Buffer, stream hash.Hash) {
	to.WriteString(streamLine + hex.EncodeToString(stream.Sum(nil)) + "\n")
}

// untilDone is a writer to which nothing is written any more once ctx has ended.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u *untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.w.Write(p)
}

// A turn is held by one at a time, and waited for no longer than one wants to.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) lock(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the backup or the erasure that is under way: %w", context.Cause(ctx))
	}
}

func (t turn) unlock() { <-t }
