package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newAdapterNewCommand() *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a directory with a small adapter that builds, passes its test, and is yours to change",
		Long: `New makes the directory NAME with the adapter NAME: sources, a test, recorded answers, and what its author needs of the SDK, so
that nothing has to be fetched. What it does at first is to post the request to the service and hand on the answer.`,
		Example: "  caio adapter new echo && cd echo && caio adapter test . && caio adapter build .",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.Flags().StringVar(&lang, "lang", "go", "go, c, rust or assemblyscript")
	_ = cmd.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions(languageNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := newAdapter(args[0], lang)
		if err != nil {
			return failed(err)
		}
		if out.json() {
			return document(cmd.OutOrStdout(), struct {
				Directory string   `json:"directory"`
				Files     []string `json:"files"`
			}{args[0], files})
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "made %s; next: caio adapter test %[1]s && caio adapter build %[1]s\n", args[0])
		return err
	}
	return cmd
}

func languageNames() []string {
	var names []string
	for _, l := range languages() {
		names = append(names, l.name)
	}
	return names
}

// adapterNames are names that can also be those of a directory, a file and a Go module.
var adapterNames = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// scaffold is where the build put the SDK and the examples, which are the scaffolds; go.mod is go.mod.txt there, because embed
// passes over modules.
const scaffold = "shipped/_sdk"

// newAdapter writes the directory name, which must not be there, and returns the files in it.
func newAdapter(name, lang string) ([]string, error) {
	example := path.Join(scaffold, "examples/adapters", lang)
	switch {
	case !adapterNames.MatchString(name):
		return nil, fmt.Errorf("%q cannot be an adapter's name: it must be of the form [a-z][a-z0-9_-]{0,63}", name)
	case !slices.Contains(languageNames(), lang):
		return nil, fmt.Errorf("--lang %q: there are %s", lang, strings.Join(languageNames(), ", "))
	}
	if _, err := fs.Stat(shipped, example); err != nil {
		return nil, errors.New("this build ships no SDK: run 'make build'")
	}
	if err := os.Mkdir(name, 0o755); err != nil {
		return nil, err
	}
	parts := map[string]string{
		example: "", path.Join(scaffold, "examples/adapters/testdata"): "testdata",
		path.Join(scaffold, "sdk/LICENSE"): "sdk/LICENSE", path.Join(scaffold, "sdk/adapter/ABI.md"): "sdk/adapter/ABI.md",
	}
	if lang == "go" {
		parts[path.Join(scaffold, "sdk")] = "sdk"
	}
	files := []string{}
	for _, from := range slices.Sorted(maps.Keys(parts)) {
		to := parts[from]
		err := fs.WalkDir(shipped, from, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			raw, err := shipped.ReadFile(file)
			if err != nil {
				return err
			}
			target, text := path.Join(to, strings.TrimPrefix(strings.TrimPrefix(file, from), "/")), string(raw)
			target = strings.TrimSuffix(target, ".txt")
			if !strings.HasPrefix(target, "sdk/") { // the author's own
				target, text = strings.ReplaceAll(target, "upper", name), strings.ReplaceAll(text, "upper", name)
				text = strings.ReplaceAll(text, "../../../sdk/", "./sdk/")
			}
			if !slices.Contains(files, target) {
				files = append(files, target)
			}
			return writeScaffold(filepath.Join(name, filepath.FromSlash(target)), text)
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func writeScaffold(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
