package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"caio": func() { os.Exit(run()) }})
}

// TestScripts runs the command lines in testdata/script over the real main. `go test ./cmd/caio -update` rewrites what
// they are compared with.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                remoteCommands(),
		Setup: func(env *testscript.Env) error {
			repository, err := repositoryRoot()
			if err != nil {
				return err
			}
			env.Setenv("REPO", repository)
			env.Values[serverKey{}] = new(func())
			return nil
		},
	})
}
