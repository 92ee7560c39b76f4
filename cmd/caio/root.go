package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every command.
const (
	exitOK      = 0 // done
	exitRefused = 1 // the answer is no: a contract is bad, a test failed, nobody can serve
	exitUsage   = 2 // the command line is wrong
	exitFailed  = 3 // something could not be done: a file, the network, the server
)

// exitError carries the exit code of an error that a command returns. err nil: everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// refused says no with an explanation; failed says that something could not be done.
func refused(err error) error { return &exitError{exitRefused, err} }
func failed(err error) error  { return &exitError{exitFailed, err} }

// execute runs one command line and returns its exit code. It reads no globals, so tests run it in process.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var coded *exitError
	if !errors.As(err, &coded) {
		// Cobra's own complaints: an unknown command, flag or argument.
		fmt.Fprintf(stderr, "caio: %v\n", err)
		fmt.Fprintf(stderr, "Run '%s --help' to see what there is.\n", cmd.CommandPath())
		return exitUsage
	}
	if coded.err != nil {
		fmt.Fprintf(stderr, "caio: %v\n", coded.err)
	}
	return coded.code
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "caio",
		Short:         "Route AI requests by contract and policy, through sandboxed adapters, with a proof of every decision",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newServeCommand(), newDecideCommand(), newOrchestrateCommand(), newWorkflowCommand(),
		newContractCommand(), newPolicyCommand(), newServiceCommand(), newAdapterCommand(), newTraceCommand(), newBackupCommand(), newRestoreCommand(),
		newTokenCommand(), newVersionCommand(), newTrialCommand(),
	)
	for _, cmd := range root.Commands() {
		if cmd.HasSubCommands() {
			cmd.Args, cmd.RunE, cmd.DisableFlagsInUseLine = knownCommand, help, true
		}
	}
	return root
}

// knownCommand refuses what is none of cmd's subcommands. Left to itself Cobra shows the help then, and exits with 0.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// noArguments refuses arguments of a command that takes only flags. Cobra's own NoArgs speaks of an unknown command.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("'%s' takes no arguments, only flags, and was given %q", cmd.CommandPath(), args[0])
	}
	return nil
}
