package schema

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Decoded returns m with all that its type has a field for in that field. A message may carry a part of itself undecoded,
// as a field that its Go type does not know: what was serialized once is then sent and stored as it is, and only who
// looks into it pays for reading. Looked for is in m and in the messages below that are neither in a list nor in a map;
// if there is nothing, m itself is returned, else a message that shares nothing with it. It fails if what is carried
// cannot be read.
func Decoded[M proto.Message](m M) (M, error) {
	if !carries(m.ProtoReflect()) {
		return m, nil
	}
	var none M
	raw, err := proto.Marshal(m)
	if err != nil {
		return none, fmt.Errorf("decode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	whole := m.ProtoReflect().New().Interface().(M)
	if err := proto.Unmarshal(raw, whole); err != nil {
		return none, fmt.Errorf("decode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return whole, nil
}

func carries(m protoreflect.Message) bool {
	found := len(m.GetUnknown()) > 0
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if field.Message() != nil && !field.IsList() && !field.IsMap() {
			found = found || carries(v.Message())
		}
		return !found
	})
	return found
}
