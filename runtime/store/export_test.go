package store

import (
	"encoding/binary"
	"errors"

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

// DecodeLocation reads where a trace lies, and writes that again.
func DecodeLocation(b []byte) ([]byte, error) {
	l, err := decodeLocation(b)
	return l.encode(), err
}

// PutInline writes a trace into the database itself, as releases did before there were files for them.
func PutInline(s *Store, r *trace.Record) error {
	return s.write(func(txn *badger.Txn, to *head) error {
		to.next++
		return errors.Join(
			txn.Set(idKey(r.TraceID), binary.BigEndian.AppendUint64(nil, r.Sequence)),
			txn.Set(traceKey(r.Sequence), appendRecord(nil, r)),
		)
	})
}

func EncodeHistory(r *HistoryRecord) []byte { return encodeHistory(r) }

func DecodeHistory(b []byte) (r HistoryRecord, err error) {
	err = decodeHistory(b, &r)
	return r, err
}

// PutHistory writes b where the history of service stands.
func PutHistory(s *Store, service string, b []byte) error {
	return s.write(func(txn *badger.Txn, _ *head) error { return txn.Set(historyKey(service), b) })
}
