package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/store"
)

// LoadRegistry returns the registry as st keeps it. Contracts that were validated by this very schema are taken as they
// are; the others are validated anew from their authors' bytes. A contract that the schema now refuses is left out of
// the registry, stays in the store, and is named in rejected; err tells that the store cannot be read.
func LoadRegistry(ctx context.Context, st *store.Store, schema *contract.Schema) (r *contract.Registry, rejected []error, err error) {
	records, revision, err := st.Services(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("load the registry: %w", err)
	}
	services := make([]*contract.Service, 0, len(records))
	for _, record := range records {
		c, err := load(record, schema)
		if err != nil {
			rejected = append(rejected, fmt.Errorf("contract %s: %w", record.ID, err))
			continue
		}
		services = append(services, &contract.Service{Contract: c, Revision: record.Revision, Time: record.Time})
	}
	return contract.NewRegistry(services...).At(revision), rejected, nil
}

func load(record store.ServiceRecord, schema *contract.Schema) (*contract.Contract, error) {
	if record.SchemaDigest == schema.Digest() {
		return contract.Restore(record.Filename, record.Source, record.Normal)
	}
	c, err := schema.Parse(record.Filename, record.Source)
	if err != nil {
		return nil, err
	}
	if c.ID() != record.ID {
		return nil, errors.New("was stored under another id than it names")
	}
	return c, nil
}
