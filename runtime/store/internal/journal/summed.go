package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// Small files of the log end in a line "crc32c 0a1b2c3d\n", the checksum of all before it: by what they say bodies are
// removed, and a digit that changed must not remove others.
const sumLine = "crc32c %08x\n"

// writeSummed makes raw, which ends in a newline, the content of a small file: after a crash it has the old or the new.
func writeSummed(name string, raw []byte) error {
	return replace(name, summed(raw))
}

// summed returns what writeSummed writes.
func summed(raw []byte) []byte {
	return fmt.Appendf(raw[:len(raw):len(raw)], sumLine, crc32.Checksum(raw, castagnoli))
}

// readSummed returns what writeSummed wrote, nil if there is no such file.
func readSummed(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte{'\n'}), '\n') + 1
	raw := b[:end:end]
	if string(b[end:]) != fmt.Sprintf(sumLine, crc32.Checksum(raw, castagnoli)) {
		return nil, damaged("%s does not have its checksum; restore it from a backup", filepath.Base(name))
	}
	return raw, nil
}

// replace makes raw the content of a small file: after a crash it has the old or the new.
func replace(name string, raw []byte) error {
	f, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}
