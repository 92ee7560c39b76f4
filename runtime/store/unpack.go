package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
)

const (
	maxBackupManifest = 1 << 20
	maxPairsFile      = 64 << 20 // pairsBytes, and the largest value that can be stored
	maxKey            = 60 << 10 // Badger's limit is a little higher
)

var pairsNames = regexp.MustCompile(`^` + dbDir + `/[0-9]{8}$`)

// notWhole makes an error that wraps ErrBackup.
func notWhole(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBackup}, args...)...)
}

// unpack writes what is in the backup to the directory, synced, and returns its manifest once all of it was as it should
// be. The manifest of the store is not written.
func (s *Store) unpack(b *backupReader) (m *backupManifest, err error) {
	if m, err = b.manifest(); err != nil {
		return nil, err
	}
	if m.Store.Sealed != mark(s.key) {
		return nil, m.Store.sealedError(s.key)
	}
	if err := s.enoughSpace(s.minFree + uint64(m.Bytes)); err != nil {
		return nil, fmt.Errorf("%w, beside the %d MiB of the backup", err, m.Bytes>>20)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	u := &unpacking{store: s, root: root, dirs: []string{"."}, buffer: make([]byte, copyBuffer)}
	defer func() { err = errors.Join(err, u.closeDB()) }()
	for _, dir := range journal.Dirs() {
		if err := u.mkdir(dir); err != nil {
			return nil, err
		}
	}
	if err := b.files(u.take); err != nil {
		return nil, err
	}
	return m, u.sync()
}

// unpacking is a store that is being restored.
type unpacking struct {
	store  *Store
	root   *os.Root // nothing is written outside of it, whatever the names say
	db     *badger.DB
	dirs   []string // that were written to
	buffer []byte
}

// take writes a file of the backup to where it belongs.
func (u *unpacking) take(name string, size int64, content io.Reader) error {
	switch {
	case pairsNames.MatchString(name):
		return u.takePairs(size, content)
	case journal.IsCutFile(name):
		return u.takeFile(name, content)
	}
	return notWhole("it holds %.100q, which no backup does", name)
}

func (u *unpacking) takeFile(name string, content io.Reader) error {
	if err := u.mkdir(path.Dir(name)); err != nil {
		return err
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return notWhole("it is in it twice")
	}
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, content, u.buffer)
	return errors.Join(err, f.Sync(), f.Close())
}

func (u *unpacking) mkdir(dir string) error {
	if slices.Contains(u.dirs, dir) {
		return nil
	}
	u.dirs = append(u.dirs, dir)
	return u.root.Mkdir(dir, 0o700)
}

// takePairs puts pairs into the database.
func (u *unpacking) takePairs(size int64, content io.Reader) error {
	if size > maxPairsFile {
		return notWhole("%d bytes, at most %d are written", size, maxPairsFile)
	}
	if err := u.store.enoughSpace(u.store.minFree); err != nil { // Badger writes through memory maps
		return err
	}
	stored, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if stored, err = u.store.unseal(stored); err != nil {
		return notWhole("%w", err)
	}
	if u.db == nil {
		if u.db, err = openBadger(u.store.badgerOptions(filepath.Join(u.store.dir, dbDir))); err != nil {
			return err
		}
	}
	return guard(func() error { return u.setPairs(stored) })
}

func (u *unpacking) setPairs(pairs []byte) error {
	txn := u.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	for d := (decoder{rest: pairs}); len(d.rest) > 0; {
		key, value := d.prefixed(), d.prefixed()
		if d.err != nil {
			return notWhole("%w", d.err)
		}
		if len(key) == 0 || len(key) > maxKey {
			return notWhole("a key has %d bytes", len(key))
		}
		err := u.store.set(txn, key, value)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err = txn.Commit(); err != nil {
				return err
			}
			txn = u.db.NewTransaction(true)
			err = u.store.set(txn, key, value)
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

func (u *unpacking) closeDB() error {
	if u.db == nil {
		return nil
	}
	db := u.db
	u.db = nil
	return guard(db.Close)
}

// sync makes all that was written durable.
func (u *unpacking) sync() error {
	errs := []error{u.closeDB(), syncDir(filepath.Dir(filepath.Clean(u.store.dir)))}
	for _, dir := range u.dirs {
		errs = append(errs, syncDir(filepath.Join(u.store.dir, dir)))
	}
	return errors.Join(errs...)
}

// backupReader reads the files of a backup, and adds up what the last one must hold.
type backupReader struct {
	ctx    context.Context
	from   io.Reader
	tar    *tar.Reader
	stream hash.Hash // of all that was read
	read   int64
	sums   bytes.Buffer
}

func newBackupReader(ctx context.Context, r io.Reader) *backupReader {
	b := &backupReader{ctx: ctx, from: r, stream: sha256.New()}
	b.tar = tar.NewReader(readerFunc(b.readStream)) // it reads no further than it must
	return b
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (b *backupReader) readStream(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.from.Read(p)
	b.stream.Write(p[:n])
	b.read += int64(n)
	return n, err
}

// next returns the next file. There always is one until the last is read.
func (b *backupReader) next() (*tar.Header, error) {
	h, err := b.tar.Next()
	switch {
	case b.ctx.Err() != nil:
		return nil, context.Cause(b.ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, notWhole("it was cut off after %d bytes", b.read)
	case errors.Is(err, tar.ErrHeader):
		return nil, notWhole("at %d: %w", b.read, err)
	case err != nil:
		return nil, err
	}
	// A sparse file would unfold to more than was read; nothing but the size of a large file needs a record.
	for name := range h.PAXRecords {
		if name != "size" {
			return nil, notWhole("%.100q has a record %.40q", h.Name, name)
		}
	}
	if h.Typeflag != tar.TypeReg {
		return nil, notWhole("%.100q is no plain file", h.Name)
	}
	return h, nil
}

// manifest reads the first file.
func (b *backupReader) manifest() (*backupManifest, error) {
	h, err := b.next()
	if err != nil {
		return nil, err
	}
	if h.Name != backupManifestFile || h.Size > maxBackupManifest {
		return nil, notWhole("it begins with %.100q instead of %s", h.Name, backupManifestFile)
	}
	m := &backupManifest{}
	err = b.file(h, func(_ string, _ int64, content io.Reader) error {
		raw, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, m); err != nil {
			return notWhole("%v", err)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case m.Format != backupFormat:
		return nil, fmt.Errorf("%w: the format of the backup is %d, this release knows %d", ErrFormat, m.Format, backupFormat)
	case m.Store.Format != formatVersion:
		return nil, fmt.Errorf("%w: the format of the store in the backup is %d, this release knows %d", ErrFormat, m.Store.Format, formatVersion)
	case len(m.Store.ID) != 32 || m.Store.State != stateReady || m.Bytes < 0:
		return nil, notWhole("%s says what none does", backupManifestFile)
	}
	return m, nil
}

// files hands each of the other files to take, which reads all of it, and sees to it that they are whole.
func (b *backupReader) files(take func(name string, size int64, content io.Reader) error) error {
	for {
		h, err := b.next()
		if err != nil {
			return err
		}
		if h.Name == sumsFile {
			return b.end(h)
		}
		if err := b.file(h, take); err != nil {
			return err
		}
	}
}

// file hands a file to take, and adds its sum to those that were read.
func (b *backupReader) file(h *tar.Header, take func(name string, size int64, content io.Reader) error) error {
	sum := sha256.New()
	err := take(h.Name, h.Size, io.TeeReader(b.tar, sum))
	switch {
	case b.ctx.Err() != nil:
		return context.Cause(b.ctx)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return notWhole("it was cut off after %d bytes, in %s", b.read, h.Name)
	case err != nil:
		return fmt.Errorf("%.100s: %w", h.Name, err)
	}
	addSum(&b.sums, sum, h.Name)
	return nil
}

// end reads the last file, and nothing must come after it.
func (b *backupReader) end(h *tar.Header) error {
	addStream(&b.sums, b.stream)
	want := b.sums.Bytes()
	if h.Size != int64(len(want)) {
		return notWhole("it has not the files that %s lists", sumsFile)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(b.tar, got); err != nil {
		return notWhole("it was cut off after %d bytes, in %s", b.read, sumsFile)
	}
	if name := firstDifference(got, want); name != "" {
		return notWhole("%s does not have its checksum", name)
	}
	const block = 512
	trailer := int64(2*block) + (block-h.Size%block)%block
	zeros, err := io.Copy(zeroWriter{}, readerFunc(b.readStream))
	switch {
	case b.ctx.Err() != nil:
		return context.Cause(b.ctx)
	case err != nil:
		return err
	case zeros < trailer:
		return notWhole("it was cut off %d bytes before its end", trailer-zeros)
	}
	return nil
}

// firstDifference returns which file has another sum than it should; "": none.
func firstDifference(got, want []byte) string {
	lines := strings.Split(string(got), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if lines[min(i, len(lines)-1)] != line {
			if strings.HasPrefix(line, streamLine) {
				return "what is between its files"
			}
			return line[min(len(line), 2*sha256.Size+2):]
		}
	}
	return ""
}

// zeroWriter takes nothing but zeros.
type zeroWriter struct{}

func (zeroWriter) Write(p []byte) (int, error) {
	for i, x := range p {
		if x != 0 {
			return i, notWhole("something follows its end")
		}
	}
	return len(p), nil
}
