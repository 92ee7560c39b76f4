//go:build !unix

package store

// dirLock is Badger's own lock on these systems; its error does not name the holder.
type dirLock struct{}

func lockDir(string) (*dirLock, error) { return &dirLock{}, nil }

func (l *dirLock) release() error { return nil }
