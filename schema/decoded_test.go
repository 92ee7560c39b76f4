package schema_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// carry gives m what stands in d as a field that m's Go type does not know.
func carry(t *testing.T, m proto.Message, field protowire.Number, d proto.Message) {
	t.Helper()
	raw, err := proto.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), raw))
}

func TestWhatIsCarriedUndecodedIsThereForWhoeverLooksInside(t *testing.T) {
	decision := &caiov1.Decision{ServiceId: "one", Candidates: []*caiov1.Candidate{{ServiceId: "one", Terms: map[string]float64{"cost": 1}}}}
	inner := &caiov1.OrchestrateResponse{TraceId: "t1", ServiceId: "one"}
	want := &caiov1.OrchestrateStreamResponse{Event: &caiov1.OrchestrateStreamResponse_Response{Response: proto.CloneOf(inner)}}
	want.GetResponse().Decision = decision
	carry(t, inner, 6, decision)
	carrier := &caiov1.OrchestrateStreamResponse{Event: &caiov1.OrchestrateStreamResponse_Response{Response: inner}}
	if got, err := schema.Decoded(carrier); err != nil || !proto.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if inner.Decision != nil {
		t.Error("what was asked about has changed")
	}
	wanted, err := schema.JSON(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := schema.JSON(carrier); err != nil || !bytes.Equal(got, wanted) {
		t.Errorf("as JSON it is\n%s, want\n%s, %v", got, wanted, err)
	}
	if got, err := schema.Decoded(want); err != nil || got != want {
		t.Errorf("a message that carries nothing was copied: %v, %v", got, err)
	}
	inner.ProtoReflect().SetUnknown([]byte{6<<3 | 2, 3, 0xff, 0xff, 0xff})
	if got, err := schema.Decoded(carrier); err == nil {
		t.Errorf("bytes that are no decision: %v", got)
	}
	if got, err := schema.JSON(carrier); err == nil {
		t.Errorf("bytes that are no decision: %s", got)
	}
}
