package contract

import (
	"bytes"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
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

// newContract makes a contract of its normal form. source becomes the contract's own.
func newContract(filename string, source []byte, message *caiov1.Contract) (*Contract, error) {
	normal, err := schema.JSON(message)
	if err != nil {
		return nil, fmt.Errorf("write the normal form of %s: %w", filename, err)
	}
	return assemble(filename, source, normal, message), nil
}

func assemble(filename string, source, normal []byte, message *caiov1.Contract) *Contract {
	offered := make([]string, len(message.GetCapabilities()))
	for i, capability := range message.GetCapabilities() {
		offered[i] = capability.GetType()
	}
	return &Contract{
		message: message, json: normal, digest: schema.Digest(normal), source: source, filename: filename,
		offered: textList(offered), offeredText: strings.Join(offered, ", "),
	}
}

// Stored is a contract as it is kept: what its methods of these names returned.
type Stored struct {
	Filename     string
	Source, JSON []byte
	// Message is the same normal form as JSON, a serialized caio.v1.Contract, which is read many times quicker. nil, as
	// releases before it left it: JSON is read.
	Message []byte
}

// Restore takes back a contract that was stored, without judging it again. It fails if JSON or Message is not a normal
// form; that they are the same one is not looked at again. Take it only where Schema.Digest is what it was; parse the
// source again elsewhere. The bytes of Source and JSON become the contract's own.
func Restore(s Stored) (*Contract, error) {
	message := &caiov1.Contract{}
	var err error
	if s.Message != nil {
		err = proto.Unmarshal(s.Message, message)
	} else {
		err = schema.ParseJSON(s.JSON, message)
	}
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", s.Filename, err)
	}
	if message.GetServiceId() == "" {
		return nil, fmt.Errorf("restore %s: no service_id", s.Filename)
	}
	if path := notFinite("", message.ProtoReflect()); path != "" {
		return nil, fmt.Errorf("restore %s: %s is not a finite number", s.Filename, path)
	}
	if s.Message != nil {
		return assemble(s.Filename, s.Source, s.JSON, message), nil
	}
	c, err := newContract(s.Filename, s.Source, message)
	if err != nil {
		return nil, err
	}
	if canonical, err := schema.Canonical(s.JSON); err != nil || !bytes.Equal(canonical, c.json) {
		return nil, fmt.Errorf("restore %s: not a contract in normal form", s.Filename)
	}
	return c, nil
}

// Stored returns what Restore takes; Source and JSON are shared. It fails on text that is not UTF-8, which no contract
// that was parsed has.
func (c *Contract) Stored() (Stored, error) {
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.message)
	if err != nil {
		return Stored{}, fmt.Errorf("serialize contract %s: %w", c.ID(), err)
	}
	return Stored{Filename: c.filename, Source: c.source, JSON: c.json, Message: message}, nil
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
