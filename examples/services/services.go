// Package services lists the example's services: which code stands behind which contract.
package services

import (
	"fmt"

	"github.com/smarthausgroup/caio/examples/contracts"
	"github.com/smarthausgroup/caio/examples/services/detect"
	"github.com/smarthausgroup/caio/examples/services/summarize"
	"github.com/smarthausgroup/caio/sdk/service"
)

// A Service is code and the contract it is offered under.
type Service struct {
	contracts.Contract
	// New returns the service, not yet initialized.
	New func() service.Service
}

func fast() service.Service       { return detect.Fast() }
func accurate() service.Service   { return detect.Accurate() }
func second() service.Service     { return detect.Second() }
func summarizer() service.Service { return new(summarize.Summarizer) }

// code says what runs behind each contract. detect-cloud and detect-clinical are the same code as detect-fast and
// detect-accurate under other terms, as a provider would offer one engine to several groups of customers.
var code = map[string]func() service.Service{
	"detect-fast":     fast,
	"detect-accurate": accurate,
	"detect-second":   second,
	"detect-cloud":    fast,
	"detect-clinical": accurate,
	"summarize":       summarizer,
}

// All returns every service, sorted by id.
func All() ([]Service, error) {
	all, err := contracts.All()
	if err != nil {
		return nil, err
	}
	var services []Service
	for _, contract := range all {
		create, ok := code[contract.ServiceID]
		if !ok {
			return nil, fmt.Errorf("contract %s: there is no such service", contract.File)
		}
		services = append(services, Service{Contract: contract, New: create})
	}
	if len(services) != len(code) {
		return nil, fmt.Errorf("%d services have %d contracts", len(code), len(services))
	}
	return services, nil
}
