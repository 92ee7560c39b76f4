package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheGuideToAdaptersWorks does what docs/adapters.md tells: a block that names a file is written to it, lines of sh are run, in
// the order in which they stand. It makes a script of them, so that the real main runs.
func TestTheGuideToAdaptersWorks(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "adapters.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script, files strings.Builder
	commands := 0
	for i, block := range strings.Split(string(raw), "```") {
		head, text, _ := strings.Cut(block, "\n")
		language, name, named := strings.Cut(head, " ")
		switch {
		case i%2 == 0:
		case named:
			staged := "staged/" + name
			files.WriteString("-- " + staged + " --\n" + text)
			script.WriteString("mkdir " + filepath.Dir(name) + "\ncp " + staged + " " + name + "\n")
		case language == "sh":
			for line := range strings.Lines(text) {
				script.WriteString("exec " + line)
				commands++
			}
		}
	}
	if commands < 8 {
		t.Errorf("the guide shows %d commands", commands)
	}
	script.WriteString("stdout '\"outcome\":\"error\".*broke off'\n") // of the last, as the guide says
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "guide.txtar"), []byte(script.String()+files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	runScripts(t, dir)
}
