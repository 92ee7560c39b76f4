//go:build powercut

package store_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smarthausgroup/caio/runtime/store"
)

var (
	cuts = flag.Int("cuts", 40, "how often the power is cut")
	seed = flag.Uint64("seed", 0, "of the moments at which it is; 0: another each time")
)

// cutsPerStore is how often the same store is gone on with before a new file system begins.
const cutsPerStore = 8

// TestPowerCutsLoseNothingDurable cuts the power of a file system in the middle of writes, again and again, and looks for
// everything that was acknowledged as durable before.
//
// The file system is ext4 on a loop device, and is shut down from one moment to the next (EXT4_IOC_SHUTDOWN): what it has
// not given to its device by then is gone, dirty pages and the open transaction of its journal among it, and every
// system call fails from then on. Then it is mounted again, as after a start, and recovers from its journal. So it finds what was
// acknowledged without fsync, a file whose directory was not synced, and a write that counts on order. It does not find a
// device that loses what it said was flushed: no program can do anything about that one.
func TestPowerCutsLoseNothingDurable(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	d := newDisk(t)
	var said *acknowledged
	traces, changes, found := 0, uint64(0), 0
	for cut := range *cuts {
		if cut%cutsPerStore == 0 {
			d.format(t)
			said = newAcknowledged(t)
		}
		before, revision := len(said.traces), said.last
		d.mount(t)
		after := time.Duration(rng.Int64N(int64(1500 * time.Millisecond)))
		if rng.IntN(4) == 0 { // while it opens, and while a new one is made
			after = time.Duration(rng.Int64N(int64(80 * time.Millisecond)))
		}
		how := noLogFlush
		if rng.IntN(4) == 0 {
			how = logFlush
		}
		d.work(t, said, after, how)
		d.unmount(t)
		d.mount(t)
		told := lookForAfterCut(t, d.store(), said)
		d.unmount(t)
		if told != "" {
			found++
		}
		traces += len(said.traces) - before
		changes += said.last - revision
		t.Logf("cut %2d after %4d ms: %4d traces and %3d changes were acknowledged, %5d and %4d in all are there. %s",
			cut, after.Milliseconds(), len(said.traces)-before, said.last-revision, len(said.traces), said.last, told)
	}
	t.Logf("%d cuts; %d traces and %d changes of services were acknowledged, none is missing; %d times Open had something to tell",
		*cuts, traces, changes, found)
	if traces < 100**cuts/4 {
		t.Errorf("only %d traces were written: the cuts hit nothing", traces)
	}
}

// lookForAfterCut is lookFor, and what Open told.
func lookForAfterCut(t *testing.T, dir string, said *acknowledged) string {
	t.Helper()
	var told bytes.Buffer
	s, err := store.Open(dir, store.Options{Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if err != nil {
		t.Fatalf("the store does not open after a power cut: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lookFor(t, dir, said)
	return strings.TrimSpace(told.String())
}

// disk is an ext4 file system in a file.
type disk struct {
	image, at string
	mounted   bool
}

const diskBytes = 2 << 30 // sparse; a store wants 256 MB to be free at all times

// newDisk skips the test, with the reason, where there cannot be one.
func newDisk(t *testing.T) *disk {
	if os.Geteuid() != 0 {
		t.Skip("power cuts need root, to mount a file system and to shut it down; run 'make powercut' as root")
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("power cuts need %s: %v", tool, err)
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skipf("power cuts need loop devices: %v", err)
	}
	dir := t.TempDir()
	d := &disk{image: filepath.Join(dir, "disk"), at: filepath.Join(dir, "mnt")}
	if err := os.Mkdir(d.at, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.mounted {
			d.unmount(t)
		}
	})
	d.format(t)
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.at).CombinedOutput(); err != nil {
		t.Skipf("power cuts need to mount a file over a loop device, which this system refuses: %v: %s", err, out)
	}
	d.mounted = true
	d.unmount(t)
	return d
}

// store is where the store lies.
func (d *disk) store() string { return filepath.Join(d.at, "store") }

// format makes the file system anew.
func (d *disk) format(t *testing.T) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(d.image), os.WriteFile(d.image, nil, 0o600), os.Truncate(d.image, diskBytes)); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", "-F", d.image)
}

func (d *disk) mount(t *testing.T) {
	t.Helper()
	run(t, "mount", "-o", "loop", d.image, d.at)
	d.mounted = true
}

func (d *disk) unmount(t *testing.T) {
	t.Helper()
	run(t, "umount", d.at)
	d.mounted = false
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// ext4's ioctl, and what becomes of the transaction of its journal that is open: with logFlush it is still committed.
const (
	ext4Shutdown = 0x8004587d // _IOR('X', 125, __u32)
	logFlush     = 1
	noLogFlush   = 2
)

// shutDown ends the file system at once. Whoever uses it gets errors from then on.
func (d *disk) shutDown(how int) error {
	f, err := os.Open(d.at)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, how); err != nil {
		return fmt.Errorf("shut %s down: %w", d.at, err)
	}
	return nil
}

// work lets a process write to the store until the power is cut, and takes what it acknowledges. What it says after the
// cut counts as well: it may have been durable just before, and if it was not, it was a lie. Its errors do not: after the
// cut there is nothing but errors.
func (d *disk) work(t *testing.T, said *acknowledged, after time.Duration, how int) {
	t.Helper()
	worker := said.worker(t, d.store())
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() {
		time.Sleep(after)
		err := d.shutDown(how)
		time.Sleep(50 * time.Millisecond) // for a lie to be told
		over <- errors.Join(err, ignoreGone(worker.Process.Kill()))
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.take(lines.Text())
	}
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err == nil {
		t.Fatal("the worker ended of its own accord, as if nothing had happened")
	}
}

// ignoreGone: the worker gives up by itself when it cannot write any more.
func ignoreGone(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
