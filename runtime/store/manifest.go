package store

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// Names in a store's directory, and the format that this release writes.
const (
	manifestFile  = "caio-store.json"
	lockFile      = "LOCK"
	dbDir         = "db"
	formatVersion = 2 // 1: traces without a tree, before the first release

	stateNew   = "new"
	stateReady = "ready"
)

// manifest says what the directory is, before Badger is asked to touch it.
type manifest struct {
	Format int    `json:"format"`
	ID     string `json:"id"`
	State  string `json:"state"`
	Sealed string `json:"sealed,omitempty"` // the mark of the key; empty: not encrypted
}

// readManifest returns nil for a directory in which a store may be made.
func readManifest(dir string) (*manifest, error) {
	raw, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, vacant(dir)
	}
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%w: %s: %v", trace.ErrDamaged, manifestFile, err)
	}
	if m.Format > formatVersion {
		return nil, fmt.Errorf("%w: its format is %d, this one knows %d; run the newer caio", ErrFormat, m.Format, formatVersion)
	}
	if m.Format == 1 {
		return nil, fmt.Errorf("%w: its format is 1, of before the first release, whose traces have no tree; begin with another directory", ErrFormat)
	}
	if m.Format != formatVersion || len(m.ID) != 32 || m.State != stateNew && m.State != stateReady {
		return nil, fmt.Errorf("%w: %s says %.200s", trace.ErrDamaged, manifestFile, raw)
	}
	return &m, nil
}

// vacant tells whether dir holds nothing but what an interrupted first start leaves before the manifest.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lockFile && !strings.HasPrefix(e.Name(), manifestFile) {
			return fmt.Errorf("%w: it holds %s and no %s; give an empty directory", ErrNotStore, e.Name(), manifestFile)
		}
	}
	return nil
}

func newManifest(dir, sealed string) (*manifest, error) {
	var id [16]byte
	rand.Read(id[:]) // never fails
	m := &manifest{Format: formatVersion, ID: hex.EncodeToString(id[:]), State: stateNew, Sealed: sealed}
	return m, m.write(dir)
}

// sealedError says what is wrong with key.
func (m *manifest) sealedError(key []byte) error {
	switch {
	case m.Sealed == "":
		return fmt.Errorf("%w: it is not encrypted, and one that was begun without a key stays so; open it without", ErrSealed)
	case len(key) == 0:
		return fmt.Errorf("%w: it is encrypted; give the key with which it was made", ErrSealed)
	}
	return fmt.Errorf("%w: it was encrypted with another one", ErrSealed)
}

// write replaces the manifest. After a crash there is the old one or the new one.
func (m *manifest) write(dir string) (err error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, manifestFile+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, manifestFile)); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
