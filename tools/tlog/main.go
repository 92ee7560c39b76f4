// Tlog brings what others wrote for logs in the form of C2SP tlog-tiles: Tessera, as a library.
//
//	tlog fsck --url http://127.0.0.1:7400/log/ --key log.pub    checks a whole log that is served
//	tlog bench --dir DIR                                        appends to Tessera's own log, and says how fast
//
// It is a module of its own, which knows nothing of the house: what checks the log must not share a line with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tlog:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("which? fsck or bench")
	}
	switch args[0] {
	case "fsck":
		return runFsck(ctx, args[1:])
	case "bench":
		return runBench(ctx, args[1:])
	default:
		return fmt.Errorf("%q is not known; fsck and bench are", args[0])
	}
}
