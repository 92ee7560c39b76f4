package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAServiceServesWhereItSaysUntilItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, w, "127.0.0.1:0", []string{"summarize"})
		w.CloseWithError(err)
		ended <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	if len(fields) != 2 || fields[0] != "summarize" {
		t.Fatalf("it printed %q", line)
	}
	response, err := http.Get(fields[1] + "/health")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("health: %s", response.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestCommandLinesThatMakeNoSenseAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		addr string
		ids  []string
		want string
	}{
		"unknown":          {"", []string{"detect-fats"}, "there is no service"},
		"one addr for all": {"127.0.0.1:0", nil, "-addr is for one service"},
		"no address":       {"nowhere", []string{"summarize"}, "nowhere"},
	} {
		if err := run(t.Context(), io.Discard, test.addr, test.ids); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want ...%s...", name, err, test.want)
		}
	}
}
