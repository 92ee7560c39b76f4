package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/adapter"
)

func newAdapterInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Tell what an adapter module is, and whether a server would admit it",
		Long: `Inspect reads a WebAssembly module as a server does that is to load it, and tells its digest, what it imports and exports, how
heavy it is to compile, which adapters it has, and, where it is refused, the rule and the function.

Exit code 0: it would be admitted. 1: it is refused. 2: the command line is wrong. 3: the file cannot be read.`,
		Example: "  caio adapter inspect upper.wasm\n  caio adapter inspect upper.wasm -o json | jq -r .digest",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		inspected, err := inspectFile(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return inspected.show(cmd.OutOrStdout(), out.json())
	}
	return cmd
}

// inspected is what inspect and build print. Its JSON form is kept stable.
type inspected struct {
	File       string             `json:"file"`
	Size       int                `json:"size"` // bytes
	Digest     string             `json:"digest"`
	Admitted   bool               `json:"admitted"`
	Refusal    *inspectedRefusal  `json:"refusal"` // null: it is admitted
	ABIVersion int                `json:"abi_version"`
	Adapters   []inspectedAdapter `json:"adapters"`
	Imports    []string           `json:"imports"`
	Exports    map[string]string  `json:"exports"`
	Weight     inspectedWeight    `json:"weight"`
}

type inspectedRefusal struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

type inspectedAdapter struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description"`
	Frames      bool   `json:"frames"` // it takes several frames in one event
}

type inspectedWeight struct {
	Function      uint64 `json:"function"` // of the heaviest
	FunctionLimit uint64 `json:"function_limit"`
	Module        uint64 `json:"module"`
	ModuleLimit   uint64 `json:"module_limit"`
}

func inspectFile(ctx context.Context, file string) (*inspected, error) {
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, failed(fmt.Errorf("inspect an adapter module: %w", err))
	}
	runtime, err := openAdapters(ctx)
	if err != nil {
		return nil, failed(err)
	}
	defer runtime.Close(context.WithoutCancel(ctx)) // nothing of it is used again
	found, err := runtime.Inspect(ctx, file, wasm)
	if err != nil {
		return nil, failed(err)
	}
	in := &inspected{
		File: file, Size: found.Size, Digest: found.Digest, Admitted: found.Refusal == nil, ABIVersion: found.ABIVersion,
		Adapters: []inspectedAdapter{}, Imports: append([]string{}, found.Imports...), Exports: found.Exports,
		Weight: inspectedWeight{found.Weight, found.MaxWeight, found.Total, found.MaxTotal},
	}
	for _, info := range found.Adapters {
		in.Adapters = append(in.Adapters, inspectedAdapter(info))
	}
	var refused *adapter.RefusedError
	var guest *adapter.GuestError
	switch {
	case errors.As(found.Refusal, &refused):
		in.Refusal = &inspectedRefusal{refused.Rule, refused.Message}
	case errors.As(found.Refusal, &guest):
		in.Refusal = &inspectedRefusal{string(guest.Kind), guest.Message}
	}
	return in, nil
}

// show prints it; a module that is refused ends the command with 1.
func (in *inspected) show(w io.Writer, asJSON bool) error {
	var err error
	if asJSON {
		err = document(w, in)
	} else {
		err = in.text(w)
	}
	if err == nil && !in.Admitted {
		return refused(nil)
	}
	return err
}

func (in *inspected) text(w io.Writer) error {
	verdict := "yes"
	if in.Refusal != nil {
		verdict = "no: " + in.Refusal.Rule + ": " + in.Refusal.Message
	}
	lines := [][2]string{{"file", in.File}, {"size", strconv.Itoa(in.Size) + " bytes"}, {"digest", in.Digest}, {"admitted", verdict}}
	for _, a := range in.Adapters {
		lines = append(lines, [2]string{"adapter", strings.TrimSpace(a.Name + " " + a.Version + "  " + a.Description)})
	}
	if in.Exports != nil {
		lines = append(lines,
			[2]string{"weight", fmt.Sprintf("%d of %d for the heaviest function, %d of %d for all", in.Weight.Function, in.Weight.FunctionLimit, in.Weight.Module, in.Weight.ModuleLimit)},
			[2]string{"imports", cmp.Or(strings.Join(in.Imports, "; "), "none")},
			[2]string{"exports", strings.Join(slices.Sorted(maps.Keys(in.Exports)), ", ")})
	}
	pairs(w, lines...)
	return nil
}
