package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/contract"
)

// templates is where the contracts of the shipped adapters lie in shipped, as `make adapters` puts them.
const templates = "shipped/_contracts"

func newContractTemplateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template [NAME]",
		Short: "Print the contract of a provider, to start from",
		Long: `Print the contract that ships for a provider or an internal service. It is valid as it is; look at its base_url, at the name of its
secret, and at the prices and promises, which you warrant once you register it. Without NAME, list them.`,
		Example: "  caio contract template\n  caio contract template ollama > ollama.yaml",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			names, _ := templateNames() // nothing is completed where none are built in
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return listTemplates(cmd.OutOrStdout())
		}
		return printTemplate(cmd.OutOrStdout(), args[0])
	}
	return cmd
}

// templateNames returns the names of the templates, sorted.
func templateNames() ([]string, error) {
	entries, err := shipped.ReadDir(templates)
	if err != nil {
		return nil, fmt.Errorf("list the contracts that ship: %w: this binary was built without them; build it with make", err)
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), ".yaml")
	}
	return names, nil
}

func printTemplate(w io.Writer, name string) error {
	source, err := shipped.ReadFile(path.Join(templates, name+".yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		names, err := templateNames()
		if err != nil {
			return failed(err)
		}
		return failed(fmt.Errorf("there is no contract %q; there are %s", name, strings.Join(names, ", ")))
	}
	if err != nil {
		return failed(fmt.Errorf("read the contract %q: %w", name, err))
	}
	_, err = w.Write(source)
	return err
}

func listTemplates(w io.Writer) error {
	names, err := templateNames()
	if err != nil {
		return failed(err)
	}
	schema, err := contract.NewSchema()
	if err != nil {
		return failed(err)
	}
	var rows [][]string
	for _, name := range names {
		file := path.Join(templates, name+".yaml")
		source, err := shipped.ReadFile(file)
		if err != nil {
			return failed(fmt.Errorf("read the contract %q: %w", name, err))
		}
		parsed, err := schema.Parse(file, source)
		if err != nil {
			return failed(fmt.Errorf("read the contract %q: %w", name, err))
		}
		m := parsed.Message()
		var offered []string
		for _, c := range m.GetCapabilities() {
			offered = append(offered, c.GetType())
		}
		rows = append(rows, []string{name, m.GetAdapter().GetPlugin(), strings.Join(offered, ","), orDash(m.GetAdapter().GetAuth().GetSecret()), m.GetName()})
	}
	return table(w, []string{"NAME", "ADAPTER", "CAPABILITIES", "SECRET", "SERVICE"}, rows)
}
