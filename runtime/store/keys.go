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
	key := make([]byte, 0, 96)
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

// indexKeys returns the keys under which r is found, in a listing.
func indexKeys(r *trace.Record) [][]byte {
	keys := make([][]byte, 0, 8)
	add := func(kind byte, names ...string) {
		keys = append(keys, appendPosition(indexPrefix(kind, names...), r.Position()))
	}
	add(kindTime)
	add(kindStatus, r.Status)
	if r.Tenant != "" {
		add(kindTenant, r.Tenant)
		add(kindTenantStatus, r.Tenant, r.Status)
	}
	for _, service := range r.Services {
		add(kindOfService, service)
		if r.Tenant != "" {
			add(kindTenantService, r.Tenant, service)
		}
	}
	return keys
}

// indexesFor returns the prefixes of the indexes whose intersection holds what f's names select: one or two.
func indexesFor(f *trace.Filter) [][]byte {
	switch tenant, service, status := f.Tenant, f.Service, f.Status; {
	case tenant != "" && service != "" && status != "":
		return [][]byte{indexPrefix(kindTenantService, tenant, service), indexPrefix(kindTenantStatus, tenant, status)}
	case tenant != "" && service != "":
		return [][]byte{indexPrefix(kindTenantService, tenant, service)}
	case tenant != "" && status != "":
		return [][]byte{indexPrefix(kindTenantStatus, tenant, status)}
	case tenant != "":
		return [][]byte{indexPrefix(kindTenant, tenant)}
	case service != "" && status != "":
		return [][]byte{indexPrefix(kindOfService, service), indexPrefix(kindStatus, status)}
	case service != "":
		return [][]byte{indexPrefix(kindOfService, service)}
	case status != "":
		return [][]byte{indexPrefix(kindStatus, status)}
	}
	return [][]byte{indexPrefix(kindTime)}
}
