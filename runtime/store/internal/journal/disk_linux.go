package journal

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

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

// scattered tells the system that what is read of f next lies anywhere: it reads no more than it is asked for.
func scattered(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM) }

// punch makes n bytes of f at offset at zeros and gives their room on the disk back.
func punch(f *os.File, at, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, n)
	if err == unix.EOPNOTSUPP {
		return zero(f, at, n)
	}
	return err
}
