package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

// tempPrefix is how the copy of the database begins its name.
const tempPrefix = "fsck-"

// database checks the database. It opens a copy: Badger cuts off what it takes for an interrupted write, and that must not
// happen to what is to be looked at.
func (f *fsck) database(ctx context.Context, m *manifest) (err error) {
	dir := filepath.Join(f.s.dir, dbDir)
	if _, err := os.Stat(dir); err != nil {
		f.damage(dbDir, "no such directory", "the database")
		return nil
	}
	switch orphans, err := checkTables(f.s.badgerOptions(dir)); {
	case err != nil:
		f.damage(dbDir, err.Error(), "tables as they were written")
		return nil
	case orphans:
		f.report.Add(Finding{Kind: Crash, File: dbDir, Offset: -1, Sequence: -1, Found: "a table that is not named", Want: "none; the next start removes it"})
	}
	f.tables += sizeOf(filepath.Join(dir, "*.sst"))
	old, _ := filepath.Glob(filepath.Join(f.s.dir, tempPrefix+"*")) // of a check that was killed
	for _, name := range old {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	// Badger writes through memory maps, and a full disk would end the process.
	if err := f.s.enoughSpace(f.s.minFree + uint64(sizeOf(filepath.Join(dir, "*")))); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	temp, err := os.MkdirTemp(f.s.dir, tempPrefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if err := copyFiles(ctx, dir, temp); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	db, err := openBadger(f.s.badgerOptions(temp))
	if err != nil {
		f.damage(dbDir, err.Error(), "a database that can be opened")
		return nil
	}
	defer func() { err = errors.Join(err, guard(db.Close)) }()
	err = guard(func() error { return db.View(func(txn *badger.Txn) error { return f.rows(ctx, txn, m) }) })
	if err != nil && ctx.Err() == nil {
		f.damage(dbDir, err.Error(), "rows that can be read")
		return nil
	}
	return err
}

// rows goes over all rows of the database.
func (f *fsck) rows(ctx context.Context, txn *badger.Txn, m *manifest) error {
	if err := f.head(txn, m); err != nil {
		return err
	}
	last, err := lastRevision(txn)
	if err != nil {
		return err
	}
	changes, err := readLast(txn)
	if err != nil {
		return err
	}
	d := &databaseCheck{f: f, txn: txn, revision: last, changes: changes.seq}
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		key := it.Item().KeyCopy(nil)
		value, err := it.Item().ValueCopy(nil)
		if err == nil {
			err = d.row(key, value)
		}
		if err != nil {
			f.damage(dbDir, fmt.Sprintf("row %.100q: %v", key, err), "what was stored")
		}
	}
	if d.change != d.changes {
		f.damage(dbDir, fmt.Sprintf("changes of the registry up to %d", d.change), fmt.Sprintf("those up to %d", d.changes))
	}
	return nil
}

// head holds the file beside the database against it.
func (f *fsck) head(txn *badger.Txn, m *manifest) error {
	format, err := value(txn, metaKey("format"))
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		if m == nil || m.State != stateNew {
			f.damage(dbDir, "it is empty", "the database of a store that was in use")
		}
	case err != nil:
		return err
	case m != nil && string(format) != string([]byte{formatVersion})+m.ID:
		f.damage(manifestFile, "another store than that of the database", "its id")
	}
	is := head{}
	if is.revision, err = lastRevision(txn); err != nil {
		return err
	}
	if is.policies, err = lastPolicies(txn); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(f.s.dir, headFile))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	was, err := decodeHead(raw)
	found := fmt.Sprintf("revision %d of the services and %d versions of policies", was.revision, was.policies)
	want := fmt.Sprintf("revision %d and %d versions, which the database holds", is.revision, is.policies)
	switch {
	case err != nil:
		f.damage(headFile, err.Error(), want)
	case is.revision < was.revision || is.policies < was.policies:
		f.damage(dbDir, fmt.Sprintf("revision %d of the services and %d versions of policies", is.revision, is.policies),
			fmt.Sprintf("revision %d and %d versions, which were acknowledged", was.revision, was.policies))
	case is != was:
		f.report.Add(Finding{Kind: Crash, File: headFile, Offset: -1, Sequence: -1, Found: found, Want: want})
	}
	return nil
}

// databaseCheck goes over the rows of the database in the order of their keys.
type databaseCheck struct {
	f        *fsck
	txn      *badger.Txn
	revision uint64 // the last
	changes  uint64 // how many there should be
	change   uint64 // that was gone over
	version  uint32 // of policies, that was gone over
}

// row returns what is wrong with a row.
func (d *databaseCheck) row(key, b []byte) error {
	switch key[0] {
	case kindMeta:
		return nil // was read before
	case kindService:
		r, err := decodeService(b)
		if err != nil {
			return err
		}
		if d.f.report.Services++; r.ID != string(key[1:]) || r.Revision > d.revision {
			return fmt.Errorf("it says it is %.80q of revision %d, the last is %d", r.ID, r.Revision, d.revision)
		}
		return nil
	case kindHistory:
		return decodeHistory(b, &HistoryRecord{})
	case kindPolicy:
		return d.policy(key, b)
	case kindPolicyFiles:
		_, err := decodeFiles(b)
		return err
	case kindContent:
		if len(key) != contentHeaderKey {
			return errKey
		}
		if binary.BigEndian.Uint32(key[len(key)-4:]) > 0 {
			return nil // is read with the first piece; without it, a crash left it
		}
		d.f.report.Contents++
		_, err := readContent(d.txn, hex.EncodeToString(key[1:len(key)-4]))
		return err
	case kindChange:
		if d.change++; !bytes.Equal(key, changeKey(d.change)) {
			return fmt.Errorf("change %d should come here", d.change)
		}
		_, contract, err := decodeChange(b)
		if sum, ok := digestOf(contract); err == nil && ok {
			if there, _ := has(d.txn, contentKey(sum, 0)); !there {
				err = fmt.Errorf("contract %.12s: %w", contract, ErrNoContent)
			}
		}
		return err
	case kindRegistry:
		if len(b) != 8 || binary.BigEndian.Uint64(b) > d.changes {
			return errors.New("no change of the registry")
		}
		return nil
	}
	return errKey
}

// contentHeaderKey is the length of the key of content.
const contentHeaderKey = 1 + 32 + 4

var errKey = errors.New("no row of a store")

func (d *databaseCheck) policy(key, b []byte) error {
	d.f.report.Policies++
	d.version++
	v, err := decodeVersion(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(key, policyKey(d.version)) || v.Number != d.version || v.Restores >= v.Number {
		return fmt.Errorf("version %d, which restores %d, where %d should be", v.Number, v.Restores, d.version)
	}
	if v.Restores == 0 {
		if there, err := has(d.txn, policyFilesKey(v.Number)); err != nil || !there {
			return errors.Join(err, errors.New("its files are missing"))
		}
	}
	return nil
}

// copyFiles copies the files of a directory. What is zeros in them takes no room: Badger maps files long before it fills them.
func copyFiles(ctx context.Context, from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == lockFile {
			continue
		}
		if err := copyFile(ctx, filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(ctx context.Context, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	b, zeros, at := make([]byte, 256<<10), make([]byte, 256<<10), int64(0)
	for {
		n, err := io.ReadFull(in, b)
		if n > 0 && !bytes.Equal(b[:n], zeros[:n]) {
			if _, err := out.WriteAt(b[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out.Truncate(at)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}
