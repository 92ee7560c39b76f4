package contract

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Contract is a valid contract in its normal form, with the source it came from. It is immutable; everything it hands
// out is shared and must not be changed. Safe for concurrent use.
type Contract struct {
	message  *caiov1.Contract
	json     []byte
	digest   string
	source   []byte
	filename string

	offered     *structpb.Value // capability types, as a fact for whoever demands another
	offeredText string
}

func newContract(filename string, source []byte, message *caiov1.Contract) (*Contract, error) {
	normal, err := schema.JSON(message)
	if err != nil {
		return nil, fmt.Errorf("write the normal form of %s: %w", filename, err)
	}
	offered := make([]string, len(message.GetCapabilities()))
	for i, capability := range message.GetCapabilities() {
		offered[i] = capability.GetType()
	}
	return &Contract{
		message: message, json: normal, digest: schema.Digest(normal), source: bytes.Clone(source), filename: filename,
		offered: textList(offered), offeredText: strings.Join(offered, ", "),
	}, nil
}

// Restore takes back a contract that was stored, without judging it again: normal is what JSON returned. It fails if
// normal is not a normal form. Take it only where Schema.Digest is what it was; parse the source again elsewhere.
func Restore(filename string, source, normal []byte) (*Contract, error) {
	message := &caiov1.Contract{}
	if err := schema.ParseJSON(normal, message); err != nil {
		return nil, fmt.Errorf("restore %s: %w", filename, err)
	}
	if message.GetServiceId() == "" {
		return nil, fmt.Errorf("restore %s: no service_id", filename)
	}
	if path := notFinite("", message.ProtoReflect()); path != "" {
		return nil, fmt.Errorf("restore %s: %s is not a finite number", filename, path)
	}
	c, err := newContract(filename, source, message)
	if err != nil {
		return nil, err
	}
	if canonical, err := schema.Canonical(normal); err != nil || !bytes.Equal(canonical, c.json) {
		return nil, fmt.Errorf("restore %s: not a contract in normal form", filename)
	}
	return c, nil
}

// ID is the service's unique name.
func (c *Contract) ID() string { return c.message.GetServiceId() }

// Message is the normal form. Shared: it must not be changed.
func (c *Contract) Message() *caiov1.Contract { return c.message }

// JSON is the normal form in the canonical JSON form (package schema). Shared: it must not be changed.
func (c *Contract) JSON() []byte { return c.json }

// Digest is the sha256 of JSON, 64 hex digits.
func (c *Contract) Digest() string { return c.digest }

// Source is the file as its author wrote it. Shared: it must not be changed.
func (c *Contract) Source() []byte { return c.source }

// Filename is the name under which the source was read.
func (c *Contract) Filename() string { return c.filename }

// notFinite returns the path of the first number in m, by field number, that is NaN or infinite; "" if there is none.
func notFinite(path string, m protoreflect.Message) string {
	found := ""
	fields := m.Descriptor().Fields()
	for i := 0; i < fields.Len() && found == ""; i++ {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		at, v := join(path, string(f.Name())), m.Get(f)
		switch {
		case f.IsMap():
			found = notFiniteMap(at, f, v.Map())
		case f.IsList():
			for j := 0; j < v.List().Len() && found == ""; j++ {
				found = notFiniteValue(nth(at, j), f.Kind(), v.List().Get(j))
			}
		default:
			found = notFiniteValue(at, f.Kind(), v)
		}
	}
	return found
}

func notFiniteMap(at string, f protoreflect.FieldDescriptor, m protoreflect.Map) string {
	var keys []protoreflect.MapKey
	m.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
	for _, key := range keys {
		if found := notFiniteValue(join(at, key.String()), f.MapValue().Kind(), m.Get(key)); found != "" {
			return found
		}
	}
	return ""
}

func notFiniteValue(at string, kind protoreflect.Kind, v protoreflect.Value) string {
	switch kind {
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return at
		}
	case protoreflect.MessageKind:
		return notFinite(at, v.Message())
	}
	return ""
}
