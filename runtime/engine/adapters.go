package engine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/store"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Installed is what adapters a house has, and what it takes to have others while it runs. The zero value has none.
type Installed struct {
	runtime *adapter.Runtime
	keys    AdapterKeys
	modules []installed // later ones stand over earlier ones; those that were shipped come first
}

// AdapterKeys are the public keys whose signatures below modules of adapters are trusted, by tenant; those of "" are the operator's.
// Empty: signatures are not asked for.
type AdapterKeys map[string][]ed25519.PublicKey

type installed struct {
	module *adapter.Module
	record *caiov1.AdapterModule
}

// LoadAdapters loads the modules that ship with the server, by file name, and over them those that st says are installed, and
// keeps the bytes of all in st, so that it can be told what executed. An installed module that this release refuses is left out
// and logged: the others are not to be held up by it.
func LoadAdapters(ctx context.Context, runtime *adapter.Runtime, st *store.Store, shipped map[string][]byte, keys AdapterKeys, log *slog.Logger) (Installed, error) {
	in := Installed{runtime: runtime, keys: keys}
	for _, name := range slices.Sorted(maps.Keys(shipped)) {
		module, err := runtime.Load(ctx, name, shipped[name])
		if err != nil {
			return Installed{}, fmt.Errorf("load adapter %s: %w", name, err)
		}
		if _, err := st.PutContent(ctx, shipped[name]); err != nil {
			return Installed{}, fmt.Errorf("keep adapter %s: %w", name, err)
		}
		record := describe(module, len(shipped[name]))
		record.Shipped = true
		in.modules = append(in.modules, installed{module, record})
	}
	records, err := st.Adapters(ctx)
	if err != nil {
		return Installed{}, err
	}
	for _, record := range records {
		module, err := in.reload(ctx, st, record)
		if err != nil {
			log.WarnContext(ctx, "an installed adapter is not in force", "adapter", record.GetName(), "digest", record.GetDigest(), "error", err)
			continue
		}
		in.modules = append(in.modules, installed{module, record})
	}
	return in, nil
}

// reload loads a module that was tried when it was installed.
func (in *Installed) reload(ctx context.Context, st *store.Store, record *caiov1.AdapterModule) (*adapter.Module, error) {
	wasm, err := st.Content(ctx, record.GetDigest())
	if err != nil {
		return nil, err
	}
	return in.runtime.Load(ctx, record.GetName(), wasm)
}

func describe(m *adapter.Module, size int) *caiov1.AdapterModule {
	record := &caiov1.AdapterModule{Digest: m.Digest(), Name: m.Name(), Size: int64(size)}
	for _, info := range m.Adapters() {
		record.Adapters = append(record.Adapters, &caiov1.AdapterVersion{Name: info.Name, Digest: m.Digest()})
	}
	return record
}

func catalog(modules []installed) (*adapter.Catalog, error) {
	list := make([]*adapter.Module, len(modules))
	for i, m := range modules {
		list[i] = m.module
	}
	return adapter.NewCatalog(list...)
}

// An Installation brings a module of adapters into force.
type Installation struct {
	Name      string // a file's, for messages; empty: "adapter.wasm"
	Module    []byte
	Signature []byte // Ed25519 over Module; nil: none
	Tenant    string // whose key signed it; empty: the operator's
	By        string // subject of the principal that installs it
	Reason    string // empty: none
}

// InstallAdapter tries a module in a process of its own, keeps it, and brings it into force for the next decision, over those that
// are there. What runs goes on with what it began with. A module that is installed already comes to stand over the others. The
// error's code is INVALID_ADAPTER if the module is refused, or its signature is missing or wrong.
func (e *Engine) InstallAdapter(ctx context.Context, i Installation) (*caiov1.AdapterModule, error) {
	if i.Name == "" {
		i.Name = "adapter.wasm"
	}
	if e.opts.Installed.runtime == nil {
		return nil, fail("UNAVAILABLE", "adapter", "this house cannot change its adapters", nil)
	}
	signed, err := e.opts.Installed.keys.vouch(&i)
	if err != nil {
		return nil, err
	}
	module, err := e.opts.Installed.runtime.LoadTried(ctx, i.Name, i.Module)
	if err != nil {
		var refused *adapter.RefusedError
		if errors.As(err, &refused) {
			return nil, fail("INVALID_ADAPTER", "adapter", err.Error(), nil).hint("'caio adapter inspect FILE' shows the same before anything is sent")
		}
		return nil, unable("adapter", "try the adapter", err)
	}
	record := describe(module, len(i.Module))
	record.InstalledBy, record.Reason, record.Tenant, record.Signed = i.By, i.Reason, i.Tenant, signed
	record.Time = timestamppb.New(e.opts.Now().UTC())
	// Its bytes come first: what is in force must be there to be told of.
	if _, err := e.opts.Store.PutContent(ctx, i.Module); err != nil {
		module.Retire()
		return nil, fail("UNAVAILABLE", "adapter", "keep the adapter", err)
	}
	e.change.Lock()
	defer e.change.Unlock()
	next := slices.DeleteFunc(slices.Clone(e.modules), func(m installed) bool {
		return m.record.GetDigest() == record.GetDigest() && !m.record.GetShipped()
	})
	if err := e.putAdapters(ctx, append(next, installed{module, record})); err != nil {
		module.Retire()
		return nil, err
	}
	return record, nil
}

// vouch tells whether the module's signature was verified. The error's code is INVALID_ADAPTER where it had to be and was not.
func (k AdapterKeys) vouch(i *Installation) (bool, error) {
	if len(k) == 0 && i.Signature == nil {
		return false, nil
	}
	for _, key := range k[i.Tenant] {
		if ed25519.Verify(key, i.Module, i.Signature) {
			return true, nil
		}
	}
	who := "the operator"
	if i.Tenant != "" {
		who = fmt.Sprintf("tenant %q", i.Tenant)
	}
	what := "the module is not signed"
	if i.Signature != nil {
		what = "the signature is not that of a key of " + who
	}
	return false, fail("INVALID_ADAPTER", "adapter", fmt.Sprintf("%s; %d keys of %s are trusted here", what, len(k[i.Tenant]), who), nil).
		hint("sign the module's bytes with Ed25519, send the 64 bytes, and let the server trust the key with --adapter-key")
}

// RemoveAdapter takes an installed module out of force and returns the services, by id, whose contracts name an adapter that is
// not there any more. What it runs goes on. The error's code is ADAPTER_NOT_FOUND if it is not installed.
func (e *Engine) RemoveAdapter(ctx context.Context, digest string) ([]string, error) {
	e.change.Lock()
	defer e.change.Unlock()
	at := slices.IndexFunc(e.modules, func(m installed) bool { return m.record.GetDigest() == digest && !m.record.GetShipped() })
	if at < 0 {
		return nil, fail("ADAPTER_NOT_FOUND", "adapter", fmt.Sprintf("no module %s is installed", digest), nil).
			hint("'caio adapter list' shows what there is; what came with the server stays")
	}
	if err := e.putAdapters(ctx, slices.Delete(slices.Clone(e.modules), at, at+1)); err != nil {
		return nil, err
	}
	var stranded []string
	now := e.snapshot.Load()
	for service := range now.Registry.All() {
		a := service.Contract.Message().GetAdapter()
		if _, err := now.Adapters.Find(a.GetPlugin(), a.GetDigest()); err != nil {
			stranded = append(stranded, service.ID())
		}
	}
	slices.Sort(stranded)
	return stranded, nil
}

// putAdapters makes modules those in force: durable first, then for the next decision. The caller holds e.change.
func (e *Engine) putAdapters(ctx context.Context, modules []installed) error {
	adapters, err := catalog(modules)
	if err != nil {
		return fail("INTERNAL", "adapter", "list the adapters", err)
	}
	var records []*caiov1.AdapterModule
	for _, m := range modules {
		if !m.record.GetShipped() {
			records = append(records, m.record)
		}
	}
	if err := e.opts.Store.SaveAdapters(ctx, records); err != nil {
		return fail("UNAVAILABLE", "adapter", "save the adapters", err)
	}
	next := *e.snapshot.Load()
	next.Adapters = adapters
	e.snapshot.Store(&next)
	for _, m := range e.modules {
		if !slices.ContainsFunc(modules, func(kept installed) bool { return kept.module == m.module }) {
			m.module.Retire()
		}
	}
	e.modules = modules
	return nil
}

// AdapterModules returns the modules in force; later ones stand over earlier ones. The messages are shared.
func (e *Engine) AdapterModules() []*caiov1.AdapterModule {
	e.change.Lock()
	defer e.change.Unlock()
	records := make([]*caiov1.AdapterModule, len(e.modules))
	for i, m := range e.modules {
		records[i] = m.record
	}
	return records
}
