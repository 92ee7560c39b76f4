package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/policy"
)

// formatting is what fmt does with a file that is not formatted. None set: print the formatted file.
type formatting struct{ check, diff, write bool }

func newPolicyFmtCommand() *cobra.Command {
	var mode formatting
	cmd := &cobra.Command{
		Use:   "fmt DIR|FILE...",
		Short: "Format policies as 'opa fmt' does",
		Long: "Format Rego files: those named, and all below the directories named. Without a flag the formatted text is printed;\n" +
			"\"-\" reads standard input.",
		Example: "  caio policy fmt -w policies/\n  caio policy fmt --check --diff policies/\n  caio policy fmt - < rule.rego",
		Args:    cobra.MinimumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVar(&mode.check, "check", false, "list files that are not formatted, and exit with 1 if there are any")
	f.BoolVar(&mode.diff, "diff", false, "show what would change")
	f.BoolVarP(&mode.write, "write", "w", false, "write the formatted text back")
	cmd.MarkFlagsMutuallyExclusive("check", "write")
	cmd.MarkFlagsMutuallyExclusive("diff", "write")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var faults []error
		changed := 0
		for _, arg := range args {
			paths, err := regoFiles(arg)
			if err != nil {
				return failed(err)
			}
			for _, path := range paths {
				did, err := mode.file(cmd.InOrStdin(), cmd.OutOrStdout(), path)
				if faulty := (policy.Faults)(nil); err != nil && !errors.As(err, &faulty) {
					return failed(err)
				}
				faults = append(faults, err)
				if did {
					changed++
				}
			}
		}
		if err := errors.Join(faults...); err != nil {
			return refused(err)
		}
		if mode.check && changed > 0 {
			return refused(fmt.Errorf("%s not formatted; run 'caio policy fmt -w %s'", count(changed, "file"), strings.Join(args, " ")))
		}
		return nil
	}
	return cmd
}

// regoFiles returns path, or, if it is a directory, the Rego files below it, hidden ones left out.
func regoFiles(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var paths []string
	err = filepath.WalkDir(path, func(p string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != path && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && strings.EqualFold(filepath.Ext(p), ".rego"):
			paths = append(paths, p)
		}
		return nil
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: no Rego files here", path)
	}
	return paths, err
}

// file formats one file and tells whether that changes it.
func (m formatting) file(stdin io.Reader, w io.Writer, path string) (bool, error) {
	source, err := readFileOrStdin(stdin, path)
	if err != nil {
		return false, err
	}
	formatted, err := policy.Format(path, source)
	if err != nil {
		return false, err
	}
	changed := !bytes.Equal(source, formatted)
	switch {
	case m.write && path == "-":
		return false, errors.New("-w needs a file; standard input is printed when it is left out")
	case m.write && changed:
		return true, replaceFile(path, formatted)
	case m.write:
		return false, nil
	case !m.check && !m.diff:
		_, err = w.Write(formatted)
		return changed, err
	}
	if changed && m.diff {
		_, err = w.Write(diff.Diff(path, source, path+" (formatted)", formatted))
	} else if changed {
		_, err = fmt.Fprintln(w, path)
	}
	return changed, err
}

// replaceFile writes content beside path and moves it there, so that a crash leaves the old file or the new.
func replaceFile(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(real), ".caio-fmt-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), real)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
