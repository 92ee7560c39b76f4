//go:build !linux

package store

import (
	"math"
)

// freeBytes does not know on this system, so nothing is refused for lack of space.
func freeBytes(string) (uint64, error) { return math.MaxUint64, nil }
