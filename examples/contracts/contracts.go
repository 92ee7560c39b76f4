// Package contracts holds the contracts of the example services, as their owners wrote them, and reads from them what
// the example programs need: where a service listens and what it promises. `caio contract check` is the judge of the
// whole; this package reads these files only, which all have the long form.
package contracts

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/smarthausgroup/caio/sdk/service"
)

//go:embed *.yaml
var files embed.FS

// A Contract is one file of this directory.
type Contract struct {
	// File is its name, such as "detect-fast.yaml".
	File string
	// Source is the file as it was written.
	Source []byte
	// ServiceID is the name of the service.
	ServiceID string
	// BaseURL is where the service listens by default.
	BaseURL string
	// AccuracyMin is the promised share of right answers. 0: not promised.
	AccuracyMin float64
	// LatencyP95 is the promised 95th percentile of the latency. 0: not promised.
	LatencyP95 time.Duration
}

// All returns every contract, sorted by file. An error is a mistake in a file of this directory.
func All() ([]Contract, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var all []Contract
	for _, entry := range entries {
		source, err := files.ReadFile(entry.Name())
		if err != nil {
			return nil, err
		}
		contract, err := parse(entry.Name(), source)
		if err != nil {
			return nil, err
		}
		all = append(all, contract)
	}
	return all, nil
}

func parse(file string, source []byte) (Contract, error) {
	var form struct {
		ServiceID  string `yaml:"service_id"`
		Guarantees struct {
			Accuracy, Latency struct {
				Property string
				Bound    struct{ Min, Max float64 }
			}
		}
		API struct {
			BaseURL string `yaml:"base_url"`
		}
	}
	if err := yaml.Unmarshal(source, &form); err != nil {
		return Contract{}, fmt.Errorf("read %s: %w", file, err)
	}
	latency := form.Guarantees.Latency
	if latency.Property != "" && latency.Property != "p95_latency_ms" {
		return Contract{}, fmt.Errorf("read %s: guarantees.latency.property is %q, the example measures p95_latency_ms", file, latency.Property)
	}
	if want := strings.TrimSuffix(file, ".yaml"); form.ServiceID != want {
		return Contract{}, fmt.Errorf("read %s: service_id is %q, want %q, as the file is called", file, form.ServiceID, want)
	}
	return Contract{
		File: file, Source: source, ServiceID: form.ServiceID, BaseURL: form.API.BaseURL,
		AccuracyMin: form.Guarantees.Accuracy.Bound.Min,
		LatencyP95:  time.Duration(latency.Bound.Max * float64(time.Millisecond)),
	}, nil
}

// ForService returns the contract in the form that the service's SDK takes.
func (c Contract) ForService() service.Contract {
	return service.Contract{Source: c.Source, Guarantees: service.Guarantees{AccuracyMin: c.AccuracyMin, LatencyMax: c.LatencyP95}}
}

// At returns the contract's bytes for a service that listens somewhere else than by default.
func (c Contract) At(baseURL string) []byte {
	return bytes.ReplaceAll(c.Source, []byte(c.BaseURL), []byte(baseURL))
}
