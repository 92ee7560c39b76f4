package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// A language is one that 'caio adapter' can build.
type language struct {
	name   string
	mark   string   // pattern of the file that tells it; it must match one file
	needs  string   // what has to be installed
	env    []string // beside the process's own
	build  []string // SOURCE and OUT stand for the marked file and the module
	native []string // runs the author's own tests; nil: there are none
}

// languages are tried in order. Their commands are those of the READMEs in examples/adapters.
func languages() []language {
	return []language{
		{"go", "go.mod", "Go 1.24 or later", []string{"GOOS=wasip1", "GOARCH=wasm"},
			[]string{"go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", "OUT", "."}, []string{"go", "test", "./..."}},
		{"c", "*.c", "clang with lld", nil,
			[]string{"clang", "--target=wasm32", "-O2", "-nostdlib", "-ffreestanding", "-fno-builtin", "-Wl,--no-entry", "-o", "OUT", "SOURCE"}, nil},
		{"rust", "*.rs", "rustc with the target wasm32-unknown-unknown", nil, []string{"rustc", "--edition", "2021", "--target", "wasm32-unknown-unknown",
			"-O", "-C", "panic=abort", "-C", "strip=symbols", "--crate-type", "cdylib", "-o", "OUT", "SOURCE"}, nil},
		{"assemblyscript", "*.ts", "AssemblyScript ('npm install' in the directory)", nil,
			[]string{"npx", "--no-install", "asc", "SOURCE", "-o", "OUT", "-O", "--runtime", "stub", "--use", "abort=", "--exportStart", "_initialize"}, nil},
	}
}

func newAdapterBuildCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "build DIR",
		Short: "Compile an adapter to WebAssembly, and tell its digest and whether it would be admitted",
		Long: `Build compiles the adapter in DIR with its language's own compiler: Go (go.mod), C (one .c file), Rust (one .rs file) or
AssemblyScript (one .ts file). The same sources and compiler give the same bytes, and so the same digest, by which contracts
pin an adapter (adapter.digest).

Exit code 0: built, and a server would admit it. 1: the compiler or the server refuses it. 2: the command line is wrong.
3: something failed, such as a compiler that is not there.`,
		Example: "  caio adapter build .\n  caio adapter build echo --file echo-1.2.0.wasm -o json",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.Flags().StringVar(&file, "file", "", "where to write the module (default: DIR/NAME.wasm)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		built, err := buildAdapter(cmd.Context(), args[0], file, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		inspected, err := inspectFile(cmd.Context(), built)
		if err != nil {
			return err
		}
		return inspected.show(cmd.OutOrStdout(), out.json())
	}
	return cmd
}

// buildAdapter compiles what is in dir to file, empty: DIR/NAME.wasm, and returns where it is. What the compiler says goes to w.
func buildAdapter(ctx context.Context, dir, file string, w io.Writer) (string, error) {
	l, source, err := detect(dir)
	if err != nil {
		return "", failed(err)
	}
	if file == "" {
		file = filepath.Join(dir, adapterName(dir, source)+".wasm")
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return "", failed(err)
	}
	args := make([]string, len(l.build))
	for i, arg := range l.build {
		switch arg {
		case "OUT":
			arg = absolute
		case "SOURCE":
			arg = source
		}
		args[i] = arg
	}
	return file, l.command(ctx, dir, args, l.env, w)
}

// command runs one of a language's commands. That it says no is exit 1; that it is not there, exit 3.
func (l *language) command(ctx context.Context, dir string, args, env []string, w io.Writer) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), w, w
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return refused(fmt.Errorf("%s in %s: %w; %s is needed", args[0], dir, err, l.needs))
	case err != nil:
		return failed(fmt.Errorf("run %s: %w; %s is needed", args[0], err, l.needs))
	}
	return nil
}

// detect tells a directory's language by its files.
func detect(dir string) (l *language, source string, err error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, "", err
	} else if !info.IsDir() {
		return nil, "", fmt.Errorf("%s is no directory", dir)
	}
	var marks []string
	for _, l := range languages() {
		files, err := filepath.Glob(filepath.Join(dir, l.mark))
		if err != nil {
			return nil, "", err
		}
		if len(files) == 1 {
			return &l, filepath.Base(files[0]), nil
		}
		marks = append(marks, "one "+l.mark)
	}
	return nil, "", fmt.Errorf("%s holds no adapter: there must be %s", dir, strings.Join(marks, ", or "))
}

// adapterName names a module after its source, in Go after the last element of its module path.
func adapterName(dir, source string) string {
	if source != "go.mod" {
		return strings.TrimSuffix(source, filepath.Ext(source))
	}
	if raw, err := os.ReadFile(filepath.Join(dir, source)); err == nil {
		for line := range strings.Lines(string(raw)) {
			if path, ok := strings.CutPrefix(line, "module "); ok {
				return filepath.Base(strings.Trim(strings.TrimSpace(path), `"`))
			}
		}
	}
	return "adapter"
}
