package store

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// freeBytes returns how much of dir's disk a process without privileges may still fill.
func freeBytes(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}

// syncData makes what was written to f durable, its length included, but not its times.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}

// forget gives the memory back in which the system keeps what was written to f: it is synced, and hardly read again. Else a
// log of traces pushes everything else out of the page cache, and each page of it is a new one.
func forget(f *os.File, from, n int64) {
	_ = unix.Fadvise(int(f.Fd()), from, n, unix.FADV_DONTNEED) // it is advice
}
