package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/policy"
)

// engineFlag is --engine: how policies are evaluated.
type engineFlag struct{ value policy.Engine }

// addEngine gives cmd the flag --engine, which means the same everywhere.
func addEngine(cmd *cobra.Command) *engineFlag {
	f := &engineFlag{policy.Factored}
	cmd.Flags().Var(f, "engine", `how policies are evaluated: "factored" is fast, "opa" is the judge; both give the same answers`)
	_ = cmd.RegisterFlagCompletionFunc("engine", cobra.FixedCompletions([]string{string(policy.Factored), string(policy.OPA)}, cobra.ShellCompDirectiveNoFileComp))
	return f
}

// String, Set and Type make engineFlag a flag's value.
func (f *engineFlag) String() string { return string(f.value) }
func (f *engineFlag) Type() string   { return "opa|factored" }

func (f *engineFlag) Set(s string) error {
	switch e := policy.Engine(s); e {
	case policy.Factored, policy.OPA:
		f.value = e
		return nil
	}
	return fmt.Errorf("there are %q and %q", policy.Factored, policy.OPA)
}
