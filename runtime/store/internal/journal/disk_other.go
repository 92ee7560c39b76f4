//go:build !linux

package journal

import "os"

func syncData(f *os.File) error { return f.Sync() }

func forget(*os.File, int64, int64) {}

func scattered(*os.File) {}

func punch(f *os.File, at, n int64) error { return zero(f, at, n) }
