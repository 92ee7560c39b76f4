// Package schema is the vocabulary of the house: the messages (proto/caio/v1, generated into gen/), the CUE schema of
// contracts (cue/), and the one JSON form in which messages are shown, hashed and scripted.
//
// The JSON form is protobuf's own mapping with the proto's field names, keys sorted, no white space, and every scalar
// and list written even when empty; the same message always gives the same bytes, in every build.
package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

var (
	marshal   = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}
	unmarshal = protojson.UnmarshalOptions{}
)

// JSON returns the canonical JSON form of m. Objects, oneofs and optional numbers that are not set are absent; scalars,
// lists and maps are always there. What m carries undecoded is decoded first. It fails on strings that are not UTF-8. Safe
// for concurrent use.
func JSON(m proto.Message) ([]byte, error) {
	m, err := Decoded(m)
	if err != nil {
		return nil, err
	}
	raw, err := marshal.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return Canonical(raw)
}

// Canonical rewrites a JSON document with sorted keys and no white space; numbers keep their digits. protojson varies
// its white space from build to build on purpose, which would break every digest and every script's diff.
func Canonical(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if dec.More() {
		return nil, fmt.Errorf("read JSON: more than one document")
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// ParseJSON reads a message from JSON, under its proto names or their lowerCamelCase forms. Unknown fields, values of
// the wrong type and trailing bytes are errors.
func ParseJSON(raw []byte, m proto.Message) error {
	if err := unmarshal.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("read %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

// Digest returns the sha256 of b as 64 hex digits, the form in which every input of a decision is named.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], sum[:])
	return string(digits[:])
}
