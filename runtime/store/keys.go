package store

import (
	"encoding/binary"
	"time"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// The first byte of every key; see the key map in the package's comment.
const (
	kindMeta          = 'M'
	kindService       = 'V'
	kindHistory       = 'H'
	kindPolicy        = 'P'
	kindPolicyFiles   = 'Q'
	kindContent       = 'X'
	kindChange        = 'J'
	kindRegistry      = 'R'
	kindTrace         = 'T'
	kindID            = 'D'
	kindTime          = 'F'
	kindTenant        = 'A'
	kindOfService     = 'S'
	kindStatus        = 'U'
	kindTenantService = 'B'
	kindTenantStatus  = 'C'
	kindRequest       = 'Q'
	kindRule          = 'R'
	kindViolation     = 'X'
)

// positionSize is the length of the time and sequence that end every index key.
const positionSize = 16

func metaKey(name string) []byte  { return append([]byte{kindMeta}, name...) }
func serviceKey(id string) []byte { return append([]byte{kindService}, id...) }
func historyKey(id string) []byte { return append([]byte{kindHistory}, id...) }
func idKey(traceID string) []byte { return append([]byte{kindID}, traceID...) }

func traceKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), kindTrace), seq)
}

// indexPrefix returns the part of an index key before time and sequence.
func indexPrefix(kind byte, names ...string) []byte {
	return appendPrefix(make([]byte, 0, 96), kind, names...)
}

func appendPrefix(key []byte, kind byte, names ...string) []byte {
	key = append(key, kind)
	for _, name := range names {
		key = binary.BigEndian.AppendUint16(key, uint16(len(name)))
		key = append(key, name...)
	}
	return key
}

// appendPosition completes an index key. Positions sort as their bytes do.
func appendPosition(key []byte, p trace.Position) []byte {
	key = binary.BigEndian.AppendUint64(key, flip(p.Time))
	return binary.BigEndian.AppendUint64(key, p.Sequence)
}

// position reads the end of an index key.
func position(key []byte) (p [positionSize]byte) {
	copy(p[:], key[len(key)-positionSize:])
	return p
}

func sequence(p [positionSize]byte) uint64 { return binary.BigEndian.Uint64(p[8:]) }

func flip(t time.Time) uint64      { return uint64(t.UnixNano()) ^ 1<<63 }
func unflip(bits uint64) time.Time { return time.Unix(0, int64(bits^1<<63)).UTC() }

// eachIndexKey calls f with the keys under which r is found, in a listing. They are appended to buf, which is returned.
func eachIndexKey(buf []byte, r *trace.Record, f func(key []byte) error) ([]byte, error) {
	var err error
	add := func(kind byte, names ...string) {
		if err != nil {
			return
		}
		from := len(buf)
		buf = appendPosition(appendPrefix(buf, kind, names...), r.Position())
		err = f(buf[from:len(buf):len(buf)])
	}
	add(kindTime)
	if r.Tenant != "" {
		add(kindTenant, r.Tenant)
		add(kindTenantStatus, r.Tenant, r.Status)
	} else {
		add(kindStatus, r.Status)
	}
	for _, service := range r.Services {
		if r.Tenant != "" {
			add(kindTenantService, r.Tenant, service)
		} else {
			add(kindOfService, service)
		}
	}
	if r.RequestID != "" {
		add(kindRequest, r.RequestID)
	}
	for _, rule := range r.Rules {
		add(kindRule, rule)
	}
	if r.Violation {
		add(kindViolation)
	}
	return buf, err
}

// A wanted is an index that a listing goes down. Of every tenant: those of all tenants that there are, joined, and with
// them that of the traces without one.
type wanted struct {
	prefix      []byte // of the traces that are sought, or of those of them without a tenant
	everyTenant byte   // the kind of index that tenants have, 0: prefix alone is what is sought
	name        string // what follows the tenant in it
}

// of returns the prefix of a tenant's index.
func (w wanted) of(tenant string) []byte { return indexPrefix(w.everyTenant, tenant, w.name) }

// indexesFor returns the indexes whose intersection holds what f's names select. What f says of duration and cost stands
// beside the place of a trace.
func indexesFor(f *trace.Filter) []wanted {
	var in []wanted
	add := func(kind byte, names ...string) { in = append(in, wanted{prefix: indexPrefix(kind, names...)}) }
	switch {
	case f.Tenant != "":
		if f.Service != "" {
			add(kindTenantService, f.Tenant, f.Service)
		}
		if f.Status != "" {
			add(kindTenantStatus, f.Tenant, f.Status)
		}
		if len(in) == 0 {
			add(kindTenant, f.Tenant)
		}
	default:
		if f.Service != "" {
			in = append(in, wanted{indexPrefix(kindOfService, f.Service), kindTenantService, f.Service})
		}
		if f.Status != "" {
			in = append(in, wanted{indexPrefix(kindStatus, f.Status), kindTenantStatus, f.Status})
		}
	}
	if f.RequestID != "" {
		add(kindRequest, f.RequestID)
	}
	if f.Rule != "" {
		add(kindRule, f.Rule)
	}
	if f.Violations {
		add(kindViolation)
	}
	if len(in) == 0 {
		add(kindTime)
	}
	return in
}
