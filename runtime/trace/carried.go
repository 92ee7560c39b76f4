package trace

import (
	"google.golang.org/protobuf/encoding/protowire"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A trace may carry its request and its decision as bytes that its Go type does not know (see schema.Decoded): they were
// serialized once and are stored as they are. What follows reads of them only what a trace is found by.

// tenantOf returns whose request t is about.
func tenantOf(t *caiov1.Trace) string {
	if r := t.GetRequest(); r != nil {
		return r.GetPrincipal().GetTenant()
	}
	return string(carried(t, 5, 9, 2))
}

// requestIDOf returns how its caller names the request that t is about.
func requestIDOf(t *caiov1.Trace) string {
	if r := t.GetRequest(); r != nil {
		return r.GetContext().GetRequestId()
	}
	return string(carried(t, 5, 10, 3))
}

// carried returns the message or text that stands in what t carries at path, field numbers from the outermost on; nil:
// nothing does.
func carried(t *caiov1.Trace, path ...protowire.Number) []byte {
	raw := []byte(t.ProtoReflect().GetUnknown())
	for _, number := range path {
		raw = last(raw, number)
	}
	return raw
}

// last returns the content of the last field of that number in raw that has a length; nil: there is none, or raw is no
// message.
func last(raw []byte, number protowire.Number) (content []byte) {
	for len(raw) > 0 {
		field, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return nil
		}
		raw = raw[n:]
		if n = protowire.ConsumeFieldValue(field, kind, raw); n < 0 {
			return nil
		}
		if field == number && kind == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(raw[:n])
		}
		raw = raw[n:]
	}
	return content
}
