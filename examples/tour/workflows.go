package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A chain is a workflow and what must become of it. It need not be one in the narrow sense.
type chain struct {
	name     string   // file in examples/workflows, without its ending
	services []string // STEP=SERVICE, in the order in which the steps are composed
	last     string   // step whose answer counts
	language string   // that it must be
}

// chains is the plan for workflows; examples/README.md says the same in words.
var chains = []chain{
	{"gist", []string{"shorten=summarize", "language=detect-fast"}, "language", "eng"},
	{"opinions", []string{"quick=detect-fast", "careful=detect-accurate", "shorten=summarize", "gist=detect-fast"}, "gist", "deu"},
}

// tellChains runs the workflows in dir, as anybody would on the command line.
func tellChains(ctx context.Context, h *house, dir string) ([]row, error) {
	var rows []row
	for _, c := range chains {
		out, err := h.run(ctx, "workflow", "run", "--file", filepath.Join(dir, c.name+".yaml"), "-o", "json",
			"--server", h.url, "--token-file", h.tokenFile())
		if err != nil {
			return nil, err
		}
		response := &caiov1.WorkflowServiceRunResponse{}
		if err := schema.ParseJSON([]byte(out), response); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		rows = append(rows, c.ran(response))
	}
	return rows, nil
}

func (c chain) ran(response *caiov1.WorkflowServiceRunResponse) row {
	var services, chosen []string
	language := ""
	for _, s := range response.GetSteps() {
		services = append(services, s.GetId()+"="+s.GetServiceId())
		chosen = append(chosen, s.GetServiceId())
		if s.GetId() == c.last {
			language = s.GetResult().GetOutput().GetFields()["language"].GetStringValue()
		}
	}
	together := response.GetComposed()
	r := row{
		name: c.name, chosen: fmt.Sprintf("%d steps", len(chosen)), traceID: response.GetTraceId(), latencyMS: response.GetDurationMs(),
		why: fmt.Sprintf("%s: %g ms for %.4g USD", strings.Join(chosen, ", "), together.GetGuarantees()["latency"].GetBound().GetMax(), together.GetCost()),
	}
	r.expect("status", response.GetStatus(), "ok")
	r.expect("services", fmt.Sprint(services), fmt.Sprint(c.services))
	r.expect("language", language, c.language)
	return r
}
