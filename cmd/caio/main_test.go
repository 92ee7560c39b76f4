package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata/script")

// repositoryRoot returns the directory of go.mod above the working directory.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
