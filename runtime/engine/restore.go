package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/store"
)

// LoadRegistry returns the registry as st keeps it. Contracts that were validated by this very schema are taken as they
// are; the others are validated anew from their authors' bytes, and stored so that it is done once. A contract that the
// schema now refuses is left out of the registry, stays in the store, and is named in rejected; err tells that the store
// cannot be read, or not be written, without which no request could be served either. It uses all processors, and none
// any more once it returns.
func LoadRegistry(ctx context.Context, st *store.Store, schema *contract.Schema) (r *contract.Registry, rejected []error, err error) {
	records, revision, err := st.Services(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("load the registry: %w", err)
	}
	services, errs := make([]*contract.Service, len(records)), make([]error, len(records))
	inParallel(len(records), func(i int) {
		c, err := load(&records[i], schema)
		if err != nil {
			errs[i] = fmt.Errorf("contract %s: %w", records[i].ID, err)
			return
		}
		services[i] = &contract.Service{Contract: c, Revision: records[i].Revision, Time: records[i].Time}
	})
	var accepted []*contract.Service
	var renewed []store.ServiceRecord
	for i, service := range services {
		if service == nil {
			rejected = append(rejected, errs[i])
			continue
		}
		accepted = append(accepted, service)
		if records[i].SchemaDigest != schema.Digest() || records[i].Message == nil {
			again, err := record(service, schema)
			if err != nil {
				return nil, nil, fmt.Errorf("load the registry: %w", err)
			}
			renewed = append(renewed, again)
		}
	}
	if err := st.RenewServices(ctx, renewed); err != nil {
		return nil, nil, fmt.Errorf("load the registry: %w", err)
	}
	return contract.NewRegistry(accepted...).At(revision), rejected, nil
}

// inParallel calls do for every number below n, on all processors, and returns when all is done.
func inParallel(n int, do func(i int)) {
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := worker; i < n; i += workers {
				do(i)
			}
		})
	}
	group.Wait()
}

// record is service as the store keeps it; schema is what validated its contract.
func record(service *contract.Service, schema *contract.Schema) (store.ServiceRecord, error) {
	stored, err := service.Stored()
	return store.ServiceRecord{
		ID: service.ID(), Filename: stored.Filename, Source: stored.Source, Normal: stored.JSON, Message: stored.Message,
		SchemaDigest: schema.Digest(), Revision: service.Revision, Time: service.Time,
	}, err
}

func load(r *store.ServiceRecord, schema *contract.Schema) (c *contract.Contract, err error) {
	if r.SchemaDigest == schema.Digest() {
		c, err = contract.Restore(contract.Stored{Filename: r.Filename, Source: r.Source, JSON: r.Normal, Message: r.Message})
	} else {
		c, err = schema.Parse(r.Filename, r.Source)
	}
	if err != nil {
		return nil, err
	}
	if c.ID() != r.ID {
		return nil, errors.New("was stored under another id than it names")
	}
	return c, nil
}
