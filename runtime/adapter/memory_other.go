//go:build !linux

package adapter

import "errors"

// pagemap is Linux's; elsewhere memory is compared.
type pagemap struct{}

func openPagemap() (*pagemap, error) { return nil, errors.ErrUnsupported }

func (p *pagemap) close() error { return nil }

func (p *pagemap) reserve(int) (linear, error) { return nil, errors.ErrUnsupported }

// newImage keeps memory, of whole pages, and globals.
func newImage(memory []byte, globals []uint64, _ *pagemap) (*image, error) {
	return &image{memory: append([]byte(nil), memory...), globals: globals}, nil
}

func (im *image) close() {}
