package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// Options of a store. The zero value is good.
type Options struct {
	// InMemory keeps everything in memory and forgets it at Close; the directory must be "". A trace or a service may
	// then have 1 MB at most, which is Badger's limit; on disk 32 MB.
	InMemory bool
	// MinFreeBytes is how much of the disk must be free for a write to be taken. It has to hold what Badger may write
	// on its own between two looks. 0: 256 MiB. Without effect in memory and on systems other than Linux.
	MinFreeBytes uint64
	// Key encrypts everything at rest but the log's entries and hashes, which tell nothing; KeySize bytes. nil: nothing
	// is encrypted. A store keeps the choice with which it was made. Without effect in memory.
	Key []byte
	// Logger is told what Badger has to tell: warnings and errors as they are, the rest at debug level. nil: nobody.
	Logger *slog.Logger
}

const (
	defaultMinFree = 256 << 20
	maxValue       = 32 << 20 // bytes of a stored trace or service, on disk
)

// Errors of the store. Test with errors.Is.
var (
	// ErrLocked: another process uses the directory.
	ErrLocked = errors.New("another caio uses this directory")
	// ErrNotStore: the directory holds something else.
	ErrNotStore = errors.New("not a caio store")
	// ErrFormat: the store was written by a later release, or by one before the first.
	ErrFormat = errors.New("store of another release")
	// ErrLowSpace: the disk is nearly full. Nothing was written.
	ErrLowSpace = errors.New("disk nearly full")
	// ErrBroken: an earlier write failed and left open what was written; the store writes nothing more until it is
	// opened again. Nothing was written.
	ErrBroken = errors.New("store no longer writes")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Store is an open store. Make one with Open. All methods are safe for concurrent use.
type Store struct {
	dir      string // empty: in memory
	db       *badger.DB
	lock     *dirLock // nil in memory
	logger   *slog.Logger
	minFree  uint64
	maxValue int // bytes of a stored trace or service
	key      []byte
	sealer

	mu     sync.RWMutex // held for reading by every call, for writing by Close
	closed bool         // guarded by mu

	writing  sync.Mutex            // held while a transaction writes; taken after mu
	broken   atomic.Pointer[error] // why nothing more is written
	head     head                  // what was committed; guarded by writing
	headFile *os.File              // nil in memory

	traces *traces       // nil in memory
	memory *trace.Memory // nil on disk
}

// Open opens the store in dir and makes it if dir does not exist or is empty. With Options.InMemory dir is "".
// Errors: ErrLocked, ErrNotStore, ErrFormat, trace.ErrDamaged, and the system's.
func Open(dir string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MinFreeBytes == 0 {
		o.MinFreeBytes = defaultMinFree
	}
	s := &Store{dir: dir, logger: o.Logger, minFree: o.MinFreeBytes, maxValue: maxValue}
	var err error
	if !o.InMemory {
		s.key = o.Key
		if s.sealer, err = newSealer(o.Key); err != nil {
			return nil, fmt.Errorf("open store %s: %w", dir, err)
		}
	}
	switch {
	case o.InMemory && dir != "":
		err = errors.New("a store in memory has no directory")
	case o.InMemory:
		s.maxValue, s.memory = 1<<20, trace.NewMemory()
		s.db, err = openBadger(s.badgerOptions("").WithInMemory(true).WithMemTableSize(32 << 20).WithValueThreshold(1 << 20))
	case dir == "":
		err = errors.New("no directory is given")
	default:
		err = s.openDir()
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return s, nil
}

func (s *Store) openDir() (err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	m, err := readManifest(s.dir)
	if err != nil {
		return err
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.release())
		}
	}()
	if m == nil {
		// Read again under the lock: another process may have made the store meanwhile.
		if m, err = readManifest(s.dir); err == nil && m == nil {
			m, err = newManifest(s.dir, mark(s.key))
		}
		if err != nil {
			return err
		}
	}
	return s.openAs(m)
}

// openAs opens a directory that is locked, as what m says it is.
func (s *Store) openAs(m *manifest) (err error) {
	if m.Sealed != mark(s.key) {
		return m.sealedError(s.key)
	}
	if err := s.enoughSpace(s.minFree); err != nil {
		return err // opening writes, too
	}
	o := s.badgerOptions(filepath.Join(s.dir, dbDir))
	if _, err := checkTables(o); err != nil {
		return err
	}
	if s.db, err = openBadger(o); err != nil {
		return err
	}
	if err = s.settle(m); err != nil {
		return errors.Join(err, guard(s.db.Close), s.closeHead())
	}
	return nil
}

// settle holds the database against the manifest, and completes a new store.
func (s *Store) settle(m *manifest) error {
	want := append([]byte{formatVersion}, m.ID...)
	var got []byte
	err := s.read(func(txn *badger.Txn) (err error) {
		got, err = value(txn, metaKey("format"))
		return err
	})
	switch {
	case errors.Is(err, badger.ErrKeyNotFound) && m.State == stateNew:
		if err := s.write(func(txn *badger.Txn, _ *head) error { return txn.Set(metaKey("format"), want) }); err != nil {
			return err
		}
	case errors.Is(err, badger.ErrKeyNotFound):
		return fmt.Errorf("%w: %s is empty, but the store was in use; restore it from a backup, or remove the whole directory to begin anew", trace.ErrDamaged, dbDir)
	case err != nil:
		return fmt.Errorf("%w: format: %w", trace.ErrDamaged, err)
	case string(got) != string(want):
		return fmt.Errorf("%w: %s belongs to another store than %s", trace.ErrDamaged, dbDir, manifestFile)
	}
	if s.traces, err = openTraces(s, m.State == stateNew); err != nil {
		return err
	}
	// A crash before this line finds the store "new" with its key in place, and comes here again.
	if m.State == stateNew {
		m.State = stateReady
		if err := m.write(s.dir); err != nil {
			return errors.Join(err, s.closeTraces())
		}
	}
	if err := s.openHead(); err != nil {
		return errors.Join(err, s.closeTraces())
	}
	return nil
}

func (s *Store) closeTraces() error {
	if s.traces == nil {
		return nil
	}
	return s.traces.close()
}

// dayDir is where the segments and the index of a day lie.
func (s *Store) dayDir(day string) string { return filepath.Join(s.dir, "traces", day) }

// Close waits for running calls, writes what Badger still holds, and gives the directory free. Calls after it return
// ErrClosed. It may be called more than once; later calls wait for the first and return nil.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.closeParts()
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	if err != nil {
		return fmt.Errorf("close store %s: %w", s.dir, err)
	}
	return nil
}

// closeParts closes everything but the lock.
func (s *Store) closeParts() error {
	return errors.Join(guard(s.db.Close), s.closeHead(), s.closeTraces())
}

// enter begins a call and returns what ends it: until then the store is not closed.
func (s *Store) enter() (leave func(), err error) {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return nil, ErrClosed
	}
	return s.mu.RUnlock, nil
}

// writable returns why nothing is written any more, nil if it is.
func (s *Store) writable() error {
	if why := s.broken.Load(); why != nil {
		return *why
	}
	return nil
}

// fail makes the store write nothing more, because of a write of unknown outcome.
func (s *Store) fail(why error) error {
	err := fmt.Errorf("%w after a failed write: %w; restart to see what was written", ErrBroken, why)
	s.broken.Store(&err)
	return err
}

// read runs f in a transaction that sees the store as it is now.
func (s *Store) read(f func(*badger.Txn) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return guard(func() error {
		txn := s.db.NewTransaction(false)
		defer txn.Discard()
		return f(txn)
	})
}

// write runs f in a transaction and makes it durable. f also moves the head on, if it writes what the head counts. An error that wraps trace.ErrRefused, as f's own do, means that
// nothing was written; any other, that the outcome is not known.
func (s *Store) write(f func(*badger.Txn, *head) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fmt.Errorf("%w: %w", trace.ErrRefused, ErrClosed)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := errors.Join(s.writable(), s.enoughSpace(s.minFree)); err != nil {
		return fmt.Errorf("%w: %w", trace.ErrRefused, err)
	}
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	to := s.head
	if err := guard(func() error { return f(txn, &to) }); err != nil {
		return fmt.Errorf("%w: %w", trace.ErrRefused, err)
	}
	// SyncWrites is on: Commit returns when the value log and the log of the memtable are synced.
	if err := guard(txn.Commit); err != nil {
		return s.fail(err)
	}
	if to == s.head {
		return nil
	}
	s.head = to
	if err := s.writeHead(); err != nil {
		// It is durable all the same; only a later loss might go unnoticed.
		s.logger.Warn("head of the store not written", "error", err)
	}
	return nil
}

// set puts a value of any size into txn. Badger's own error about one that is too large shows its first bytes, and what
// people sent has no place in an error.
func (s *Store) set(txn *badger.Txn, key, value []byte) error {
	if len(value) > s.maxValue {
		return fmt.Errorf("%w: %d bytes, at most %d can be stored", trace.ErrTooLarge, len(value), s.maxValue)
	}
	return txn.Set(key, value)
}

// enoughSpace looks whether as much of the disk is free. A look costs about a microsecond.
func (s *Store) enoughSpace(least uint64) error {
	if s.dir == "" {
		return nil
	}
	free, err := freeBytes(s.dir)
	if err != nil {
		return fmt.Errorf("how much of the disk is free: %w", err)
	}
	if free < least {
		return fmt.Errorf("%w: %d MiB are free on the disk of %s, %d must be; make room", ErrLowSpace, free>>20, s.dir, s.minFree>>20)
	}
	return nil
}

// guard turns a panic of Badger, which it raises where files are not as it left them, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", trace.ErrDamaged, p)
		}
	}()
	return f()
}
