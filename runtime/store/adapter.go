package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// adaptersName names the installed modules of adapters: an AdapterServiceListResponse, serialized. Their bytes are contents.
const adaptersName = "adapters"

// SaveAdapters stores which modules of adapters are installed, in their order, in place of what was stored, and returns once that
// is durable. Errors: ErrLowSpace, ErrBroken, ErrClosed leave nothing written. ctx is looked at before the write.
func (s *Store) SaveAdapters(ctx context.Context, modules []*caiov1.AdapterModule) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := proto.Marshal(&caiov1.AdapterServiceListResponse{Modules: modules})
	if err == nil {
		err = s.write(func(txn *badger.Txn, _ *head) error { return s.set(txn, metaKey(adaptersName), b) })
	}
	if err != nil {
		return fmt.Errorf("save the adapters: %w", err)
	}
	return nil
}

// Adapters returns which modules are installed, in their order, the caller's own; nil: none. The error is trace.ErrDamaged if what
// is stored cannot be read.
func (s *Store) Adapters(context.Context) (modules []*caiov1.AdapterModule, err error) {
	err = s.read(func(txn *badger.Txn) error {
		b, err := value(txn, metaKey(adaptersName))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var list caiov1.AdapterServiceListResponse
		if err := proto.Unmarshal(b, &list); err != nil {
			return fmt.Errorf("%w: %w", trace.ErrDamaged, err)
		}
		modules = list.GetModules()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the adapters: %w", err)
	}
	return modules, nil
}
