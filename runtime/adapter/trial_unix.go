//go:build linux || darwin

package adapter

import "golang.org/x/sys/unix"

// limitProcess bounds what this process may take from now on.
func limitProcess() error {
	for _, l := range []struct {
		what int
		most uint64
	}{
		{unix.RLIMIT_AS, trialMemory}, {unix.RLIMIT_CPU, trialCPU}, {unix.RLIMIT_FSIZE, trialFile}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 64},
	} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return err
		}
	}
	return nil
}
