package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// logSigner returns the signer of the log of traces whose private key is in file. Where no file is named it is log.key
// in the data directory, and is made at the first start, for a log of that name. A file that is named must be there:
// a key that is lost must not be replaced in silence, since auditors trust the one they were given.
func logSigner(file, data, name string) (*tree.Signer, error) {
	own := file == ""
	if own {
		file = filepath.Join(data, "log.key")
	}
	raw, err := os.ReadFile(file)
	if own && errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(data, "store")); err == nil {
			return nil, fmt.Errorf("%s is missing, with which the log of traces was begun: restore it, or name it with --log-key", file)
		}
		raw, err = makeLogKey(file, name)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the log: %w", err)
	}
	signer, err := tree.NewSigner(string(raw))
	if err != nil {
		return nil, fmt.Errorf("key of the log: %s: %w", file, err)
	}
	return signer, nil
}

// makeLogKey makes a key and writes it, readable for its owner alone.
func makeLogKey(file, name string) ([]byte, error) {
	if name == "" {
		var b [4]byte
		rand.Read(b[:]) // never fails
		name = "caio.invalid/" + hex.EncodeToString(b[:])
	}
	skey, err := tree.NewKey(rand.Reader, name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(skey + "\n")
	return []byte(skey), errors.Join(err, f.Sync(), f.Close())
}
