package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/policies"
)

func newPolicyEjectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "eject DIR",
		Short: "Write the embedded policies with their tests to a directory, to start one's own from",
		Long: "Write the embedded policies with their tests to DIR. What lies there is never overwritten: if one of the files exists,\n" +
			"none is written.",
		Example: "  caio policy eject policies && caio policy test policies && caio serve --policies policies",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := eject(policies.FS(), args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s written to %s; next: 'caio policy test %s'\n", count(n, "file"), args[0], args[0])
			return nil
		},
	}
}

// eject writes every file of fsys below dir and returns how many there are. It looks for all that is in the way before it
// writes the first, so that two sets are not mixed.
func eject(fsys fs.FS, dir string) (int, error) {
	var names []string
	var taken []error
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		names = append(names, name)
		path := filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Lstat(path); err == nil {
			taken = append(taken, fmt.Errorf("%s exists", path))
		} else if !errors.Is(err, fs.ErrNotExist) {
			taken = append(taken, err)
		}
		return nil
	})
	if err != nil {
		return 0, failed(err)
	}
	if len(taken) > 0 {
		const most = 5
		if len(taken) > most {
			taken = append(slices.Clip(taken[:most]), fmt.Errorf("and %d more", len(taken)-most))
		}
		return 0, refused(fmt.Errorf("nothing was written, since files are in the way:\n%w", errors.Join(taken...)))
	}
	for _, name := range names {
		if err := ejectFile(fsys, dir, name); err != nil {
			return 0, failed(err)
		}
	}
	return len(names), nil
}

func ejectFile(fsys fs.FS, dir, name string) error {
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	// O_EXCL: what appeared since the look is not overwritten either.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
