package audit

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// MaxFile is how large a bundle may be, in bytes, before compression: ten thousand contracts, the policies and some
// adapters are a tenth of it.
const MaxFile = 512 << 20

// Read reads a bundle's file. It fails on bytes that are none, on more than MaxFile of them, and with what r fails with.
// That what was read is true is Verify's to tell.
func Read(r io.Reader) (*caiov1.Bundle, error) {
	unzipped, err := gzip.NewReader(r)
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.EOF) {
		return nil, errors.New("read a bundle: it is no gzip, as a bundle's file is")
	}
	if err != nil {
		return nil, fmt.Errorf("read a bundle: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(unzipped, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read a bundle: %w", err)
	}
	if len(raw) > MaxFile {
		return nil, fmt.Errorf("read a bundle: it has more than %d bytes", MaxFile)
	}
	b := &caiov1.Bundle{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, errors.New("read a bundle: what was packed is no caio.v1.Bundle")
	}
	return b, nil
}

// Write writes b as a bundle's file: the same bundle gives the same bytes within one release. It fails on a bundle of more
// than MaxFile bytes, which Read would refuse, and with what w fails with.
func Write(w io.Writer, b *caiov1.Bundle) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
	if err != nil {
		return fmt.Errorf("write a bundle: %w", err)
	}
	if len(raw) > MaxFile {
		return fmt.Errorf("write a bundle: it has %d bytes, at most %d are allowed; ask for less of what decided", len(raw), MaxFile)
	}
	zipped := gzip.NewWriter(w)
	if _, err := zipped.Write(raw); err != nil {
		return fmt.Errorf("write a bundle: %w", err)
	}
	if err := zipped.Close(); err != nil {
		return fmt.Errorf("write a bundle: %w", err)
	}
	return nil
}
