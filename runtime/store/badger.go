package store

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// badgerOptions is the small profile: a megabyte when idle, about 55 MB under full load (the mapped value log counts as
// resident, too, but is page cache), and no slower than Badger's own for groups of traces, because bodies go to the
// value log and never through a compaction.
func (s *Store) badgerOptions(dir string) badger.Options {
	o := badger.DefaultOptions(dir).
		WithSyncWrites(true). // Sync() after the fact can miss a memtable that was rotated meanwhile
		WithMemTableSize(8 << 20).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithBlockCacheSize(4 << 20).
		WithIndexCacheSize(8 << 20).
		WithValueThreshold(1 << 10).
		WithValueLogFileSize(64 << 20).
		WithCompression(options.None). // keys compress by their prefixes; checkTables wants blocks as they are
		WithChecksumVerificationMode(options.OnBlockRead).
		WithVerifyValueChecksum(true).
		WithDetectConflicts(false). // one transaction writes at a time: Store.writing
		WithMetricsEnabled(false).
		WithLogger(badgerLogger{s.logger})
	if len(s.key) > 0 {
		o = o.WithEncryptionKey(derive(s.key, "badger"))
	}
	return o
}

// indexOptions is that of the index of a day, which can be made again.
func (s *Store) indexOptions(dir string) badger.Options {
	return s.badgerOptions(dir).WithSyncWrites(false).WithNumVersionsToKeep(1).
		WithNumMemtables(5).WithNumLevelZeroTables(10).WithNumLevelZeroTablesStall(20) // nobody who waits for a trace waits for a flush
}

func openBadger(o badger.Options) (db *badger.DB, err error) {
	err = guard(func() error {
		db, err = badger.Open(o)
		if err != nil {
			return fmt.Errorf("%w: %w", trace.ErrDamaged, err)
		}
		return nil
	})
	return db, err
}

// badgerLogger hands Badger's lines to slog. Badger's news are a developer's, so they go to debug level.
type badgerLogger struct{ to *slog.Logger }

func (l badgerLogger) Errorf(format string, args ...any) {
	l.to.Error("badger", "text", text(format, args))
}
func (l badgerLogger) Warningf(format string, args ...any) {
	l.to.Warn("badger", "text", text(format, args))
}
func (l badgerLogger) Infof(format string, args ...any) {
	l.to.Debug("badger", "text", text(format, args))
}
func (l badgerLogger) Debugf(string, ...any) {}

func text(format string, args []any) string { return strings.TrimSpace(fmt.Sprintf(format, args...)) }
