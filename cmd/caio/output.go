package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/schema"
)

// output is the value of -o: "table" for people, "json" for scripts.
type output struct{ format string }

// addOutput gives cmd the flag -o.
func addOutput(cmd *cobra.Command) *output {
	o := &output{}
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "output format: table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	check := func(cmd *cobra.Command, args []string) error {
		if o.format != "table" && o.format != "json" {
			return fmt.Errorf("--output %q: only table and json are known", o.format)
		}
		return nil
	}
	cmd.PreRunE = check
	return o
}

func (o *output) json() bool { return o.format == "json" }

// message writes m in the canonical JSON form and a newline.
func message(w io.Writer, m proto.Message) error {
	raw, err := schema.JSON(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", raw)
	return err
}

// document writes v, any value that encoding/json can write, and a newline.
func document(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows under a header, aligned.
func table(w io.Writer, header []string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, cell)
		}
		fmt.Fprint(tw, "\n")
	}
	return tw.Flush()
}
