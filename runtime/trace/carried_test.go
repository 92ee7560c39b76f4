package trace

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func FuzzCarriedRequest(f *testing.F) {
	for _, r := range []*caiov1.Request{
		{}, {Principal: &caiov1.Principal{Subject: "u", Tenant: "acme"}, Context: &caiov1.Context{Priority: "high", RequestId: "r1"}},
		{Principal: &caiov1.Principal{Roles: []string{"user"}}, Match: "any"},
	} {
		raw, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte{9<<3 | 2, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		carrier := &caiov1.Trace{}
		framed := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), raw)
		carrier.ProtoReflect().SetUnknown(slices.Concat(protowire.AppendTag(nil, 6, protowire.BytesType), []byte{0}, framed))
		tenant, id := tenantOf(carrier), requestIDOf(carrier)
		r := &caiov1.Request{}
		if proto.Unmarshal(raw, r) != nil {
			return
		}
		again, err := proto.Marshal(r)
		if err != nil || len(again) != len(raw) {
			return // a field that stands there twice, which the house writes of none
		}
		if tenant != r.GetPrincipal().GetTenant() || id != r.GetContext().GetRequestId() {
			t.Errorf("%v: read %q and %q", r, tenant, id)
		}
	})
}
