package audit

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// pieces are the very bytes of a message's fields that are messages, by number: what digests are of, which no
// re-encoding may stand for. Fields of lists are left out.
type pieces map[protowire.Number][]byte

// Numbers of the fields whose bytes are looked at.
const (
	requestOfTrace = 5
	keptOfTrace    = 14
	intentOfKept   = 1
	resultOfKept   = 2
)

// split takes a trace's bytes apart. A field that is said twice is an error: decoders merge the two, so the bytes of
// neither are what was read.
func split(raw []byte) (pieces, error) {
	return splitAs(raw, (&caiov1.Trace{}).ProtoReflect().Descriptor())
}

func splitAs(raw []byte, m protoreflect.MessageDescriptor) (pieces, error) {
	out, seen := pieces{}, map[protowire.Number]bool{}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return out, fmt.Errorf("the bytes of the %s cannot be taken apart", m.Name())
		}
		raw = raw[n:]
		if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
			return out, fmt.Errorf("the bytes of the %s cannot be taken apart", m.Name())
		}
		value := raw[:n]
		raw = raw[n:]
		field := m.Fields().ByNumber(number)
		if field == nil || field.IsList() || field.IsMap() {
			continue
		}
		if seen[number] {
			return out, fmt.Errorf("the %s says its %s twice, which the server never does: one of them hides the other", m.Name(), field.Name())
		}
		seen[number] = true
		if kind == protowire.BytesType {
			out[number], _ = protowire.ConsumeBytes(value)
		}
	}
	return out, nil
}
