package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"caio": func() { os.Exit(run()) }})
}

// TestScripts runs the command lines in testdata/script over the real main. `go test ./cmd/caio -update` rewrites what
// they are compared with.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

func runScripts(t *testing.T, dir string) {
	t.Helper()
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	goCache := strings.TrimSpace(string(cache))
	userCache := t.TempDir() // so that the shipped adapters are compiled once
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
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
			env.Setenv("GOCACHE", goCache) // scripts that compile adapters share it, and fetch nothing
			env.Setenv("GOPROXY", "off")
			env.Setenv("XDG_CACHE_HOME", userCache)
			env.Values[serverKey{}] = new(func())
			return nil
		},
	})
}
