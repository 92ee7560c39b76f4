package store

import (
	"context"
	"io"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// SetMinFree moves the watermark of an open store: a test cannot fill the disk.
func SetMinFree(s *Store, n uint64) { s.minFree = n }

// BreakWrites makes a commit fail as a failing disk would: the transaction ends before it is committed.
func BreakWrites(s *Store) error {
	return s.write(func(txn *badger.Txn, _ *head) error {
		if err := txn.Set([]byte("x"), nil); err != nil {
			return err
		}
		txn.Discard()
		return nil
	})
}

// For the fuzzers, which live outside as all tests do.
var (
	AppendRecord  = appendRecord
	DecodeRecord  = decodeRecord
	EncodeService = encodeService
	DecodeService = decodeService
	EncodeVersion = encodeVersion
	DecodeVersion = decodeVersion
	EncodeFiles   = encodeFiles
	DecodeFiles   = decodeFiles
	DecodeFirst   = decodeFirst
	DecodeChange  = decodeChange
)

// DecodePlace reads where a trace lies, and writes that again.
func DecodePlace(b []byte) ([]byte, error) {
	p, err := decodePlace(b)
	return p.encode(), err
}

// SetDay makes the days pass: today is what it is called from now on.
func SetDay(s *Store, day string) { s.traces.today = func() string { return day } }

func EncodeHistory(r *HistoryRecord) []byte { return encodeHistory(r) }

func DecodeHistory(b []byte) (r HistoryRecord, err error) {
	err = decodeHistory(b, &r)
	return r, err
}

// PutHistory writes b where the history of service stands.
func PutHistory(s *Store, service string, b []byte) error {
	return s.write(func(txn *badger.Txn, _ *head) error { return txn.Set(historyKey(service), b) })
}

// WriteBackup writes a backup of these files, with the end that belongs to them.
func WriteBackup(w io.Writer, names []string, files map[string][]byte) error {
	b := newBackupWriter(context.Background(), w)
	for _, name := range names {
		err := b.file(name, int64(len(files[name])), func(w io.Writer) error {
			_, err := w.Write(files[name])
			return err
		})
		if err != nil {
			return err
		}
	}
	return b.end()
}

// SetPairs puts pairs of a backup into the database of s.
func SetPairs(s *Store, pairs []byte) error {
	u := &unpacking{store: s, db: s.db}
	return guard(func() error { return u.setPairs(pairs) })
}

// ReadBackup reads all of a backup, and leaves nothing.
func ReadBackup(r io.Reader) error {
	b := newBackupReader(context.Background(), r)
	if _, err := b.manifest(); err != nil {
		return err
	}
	return b.files(func(_ string, _ int64, content io.Reader) error {
		_, err := io.Copy(io.Discard, content)
		return err
	})
}

// ChangeIndex changes the index of the last day behind the store's back.
func ChangeIndex(s *Store, change func(set func(key, value []byte) error, remove func(key []byte) error) error) error {
	d := s.traces.days[len(s.traces.days)-1]
	if _, err := s.traces.use(d); err != nil {
		return err
	}
	defer s.traces.release(d)
	return d.db.Update(func(txn *badger.Txn) error { return change(txn.Set, txn.Delete) })
}

// Rows returns the rows of r in the index of its day, without its place.
func Rows(r *trace.Record) (keys [][]byte) {
	keys = append(keys, idKey(r.TraceID))
	_, _ = eachIndexKey(nil, r, func(key []byte) error {
		keys = append(keys, key)
		return nil
	})
	return keys
}

// Without returns what is in one list of ranges and not in another, each range its first and last.
func Without(in, not [][2]uint64) (left [][2]uint64) {
	var a, b ranges
	for _, r := range in {
		a.add(r[0], r[1])
	}
	for _, r := range not {
		b.add(r[0], r[1])
	}
	left = a.without(&b)
	for _, r := range left {
		if !a.has(r[0]) || b.has(r[1]) || !a.overlaps(r[0], r[1]) || b.overlaps(r[0], r[1]) {
			panic("the set contradicts itself")
		}
	}
	return left
}
