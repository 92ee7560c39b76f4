package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/contract"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newContractCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Check, show and describe contracts",
	}
	cmd.AddCommand(newContractCheckCommand(), newContractShowCommand(), newContractSchemaCommand(), newContractTemplateCommand())
	return cmd
}

func newContractCheckCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Tell everything that is wrong with contracts",
		Long: `Check contracts as a registration would, without a server, and tell every fault at once, one a line:

  file:line:column: path: what is wrong, what is allowed, the nearest valid name

FILE is YAML, JSON or CUE (by its ending; YAML for any other), - for YAML from standard input, or a directory, of
which every .yaml, .yml, .json and .cue file is checked, and no two may have the same service_id.
The exit code is 0 if all are right, 1 if one has a fault, 3 if one cannot be read.`,
		Example: "  caio contract check echo.yaml\n  caio contract check examples/contracts\n  caio contract check --format json - < echo.yaml",
		Args:    cobra.MinimumNArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format %q: only text and json are known", format)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text for people and compilers' tools, json for editors")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		schema, err := contract.NewSchema()
		if err != nil {
			return failed(err)
		}
		check := &contractCheck{schema: schema, Contracts: []checkedContract{}, Faults: []*caiov1.Fault{}}
		for _, arg := range args {
			if err := check.argument(cmd.InOrStdin(), arg); err != nil {
				return failed(fmt.Errorf("check contracts: %w", err))
			}
		}
		check.Valid = len(check.Faults) == 0
		if err := check.write(cmd.OutOrStdout(), format == "json"); err != nil {
			return failed(err)
		}
		if !check.Valid {
			return refused(nil)
		}
		return nil
	}
	return cmd
}

// contractCheck is what check prints. Its JSON form is kept stable: editors read it.
type contractCheck struct {
	Valid     bool              `json:"valid"`
	Contracts []checkedContract `json:"contracts"` // those without a fault, in the order they were checked
	Faults    []*caiov1.Fault   `json:"faults"`    // {"file", "line", "column", "path", "message"}; what is not known is left out

	schema *contract.Schema
	lines  []string // the text form, a line for each fault or file
}

type checkedContract struct {
	File      string `json:"file"`
	ServiceID string `json:"service_id"`
	Version   string `json:"version"`
	Digest    string `json:"digest"`
}

// argument checks a file, standard input, or every contract below a directory. An error means that something could not
// be read.
func (c *contractCheck) argument(stdin io.Reader, arg string) error {
	if arg == "-" {
		source, err := readContractSource(stdin)
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		c.file("stdin", source, nil)
		return nil
	}
	info, err := os.Stat(arg)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return c.open(arg, nil)
	}
	taken := map[string]string{}
	files := 0
	err = filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isContractFile(path) {
			return err
		}
		files++
		return c.open(path, taken)
	})
	if err == nil && files == 0 {
		err = fmt.Errorf("%s: no contract here: they end in .yaml, .yml, .json or .cue", arg)
	}
	return err
}

func (c *contractCheck) open(path string, taken map[string]string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	source, err := readContractSource(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	c.file(path, source, taken)
	return nil
}

// readContractSource reads no more than it takes to see that a file is too large: a device or a pipe may have no end.
func readContractSource(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, contract.MaxSize+1))
}

// file checks one contract. taken, where there is one, holds the files that the ids of this directory come from.
func (c *contractCheck) file(name string, source []byte, taken map[string]string) {
	good, err := c.schema.Parse(name, source)
	if err != nil {
		var faults contract.Faults
		if !errors.As(err, &faults) {
			faults = contract.Faults{{File: name, Message: err.Error()}}
		}
		c.fault(faults...)
		return
	}
	if twin, is := taken[good.ID()]; is {
		c.fault(&caiov1.Fault{File: name, Path: "service_id", Message: fmt.Sprintf("%q is taken by %s", good.ID(), twin)})
		return
	}
	if taken != nil {
		taken[good.ID()] = name
	}
	c.Contracts = append(c.Contracts, checkedContract{name, good.ID(), good.Message().GetVersion(), good.Digest()})
	c.lines = append(c.lines, fmt.Sprintf("%s: ok, %s %s", name, good.ID(), good.Message().GetVersion()))
}

func (c *contractCheck) fault(faults ...*caiov1.Fault) {
	for _, f := range faults {
		c.Faults = append(c.Faults, f)
		c.lines = append(c.lines, contract.Line(f))
	}
}

func (c *contractCheck) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return document(w, c)
	}
	for _, line := range c.lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func newContractShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a contract's normal form: what the registry keeps and policies read",
		Long: `Show what becomes of a contract: short forms written out, defaults filled in, nothing left to be guessed. It is what
policies read as input.service. FILE is as for 'caio contract check'; - reads YAML from standard input.`,
		Example: "  caio contract show echo.yaml\n  caio contract show -o json echo.yaml | sha256sum",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		schema, err := contract.NewSchema()
		if err != nil {
			return failed(err)
		}
		name := args[0]
		source, err := readFileOrStdin(cmd.InOrStdin(), name)
		if err != nil {
			return failed(fmt.Errorf("show a contract: %w", err))
		}
		if name == "-" {
			name = "stdin"
		}
		c, err := schema.Parse(name, source)
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
			return refused(nil)
		}
		normal := append(bytes.Clone(c.JSON()), '\n')
		if !out.json() {
			var indented bytes.Buffer
			if err := json.Indent(&indented, normal, "", "  "); err != nil {
				return failed(err)
			}
			normal = indented.Bytes()
		}
		_, err = cmd.OutOrStdout().Write(normal)
		return err
	}
	return cmd
}

func newContractSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of contracts, for editors",
		Long: `Print what contracts may hold as a JSON Schema (draft 2020-12). Editors complete, explain and check contracts with it:
save it and name it in the first line of a contract,

  # yaml-language-server: $schema=./contract.schema.json

What relates several fields, no JSON Schema can say: 'caio contract check' has the last word.`,
		Example: "  caio contract schema > contract.schema.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := contract.NewSchema()
			if err != nil {
				return failed(err)
			}
			raw, err := schema.JSONSchema()
			if err != nil {
				return failed(err)
			}
			_, err = cmd.OutOrStdout().Write(raw)
			return err
		},
	}
}
