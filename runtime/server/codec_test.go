package server

import (
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestUnreadableBodiesSayWhere(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"empty", ``, "the body is empty"},
		{"not JSON", `{"request"`, "unexpected"},
		{"unknown field", `{"request":{"capabillities":["chat"]}}`, `unknown field "capabillities"`},
		{"wrong type", `{"request":{"capabilities":"chat"}}`, "unexpected token \"chat\""},
		{"text for a number", `{"request":{"max_latency_ms":"fast"}}`, "invalid value for double field"},
		{"bare NaN", `{"request":{"max_latency_ms":NaN}}`, "invalid value NaN"},
		{"two documents", `{} {}`, "unexpected token {"},
		{"twice the same field", `{"seed":"1","seed":"2"}`, `duplicate field "seed"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &caiov1.OrchestrateRequest{}
			if err := (jsonCodec{"json"}).Unmarshal([]byte(tt.body), m); err != nil {
				t.Fatalf("the codec itself failed, so connect would answer without detail: %v", err)
			}
			var wire *connect.Error
			if !errors.As(poisoned(m), &wire) {
				t.Fatal("the message passed as if it had been read")
			}
			e := detail(wire)
			if e.GetCode() != codeInvalidRequest || e.GetHint() == "" || !strings.Contains(e.GetMessage(), tt.want) {
				t.Errorf("got %v, want code INVALID_REQUEST, a hint and %q", e, tt.want)
			}
		})
	}
}

func TestLongValuesAreNotRepeatedInErrors(t *testing.T) {
	m := &caiov1.OrchestrateRequest{}
	body := `{"request":{"max_latency_ms":"` + strings.Repeat("é", 1<<20) + `"}}`
	if err := (jsonCodec{"json"}).Unmarshal([]byte(body), m); err != nil {
		t.Fatal(err)
	}
	if text := poisoned(m).Error(); len(text) > 500 {
		t.Errorf("the error is %d bytes long", len(text))
	}
}

func TestNobodyPoisonsFromOutside(t *testing.T) {
	raw := protowire.AppendTag(nil, poisonField, protowire.BytesType)
	raw = protowire.AppendString(raw, "forged")
	m := &caiov1.DecideRequest{}
	if err := (binaryCodec{}).Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	if err := poisoned(m); err != nil {
		t.Errorf("a caller wrote the server's own error: %v", err)
	}
}

func FuzzJSONBody(f *testing.F) {
	f.Add([]byte(`{"request":{"capabilities":["chat"],"intent":{"payload":{"a":[1,null,"x"]}}},"seed":"7"}`))
	f.Add([]byte(`{"request":{"guarantees":{"latency":{"max":1e400}}}}`))
	f.Add([]byte(``))
	f.Add([]byte("{\"\xff\":1}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		m := &caiov1.OrchestrateRequest{}
		if err := (jsonCodec{"json"}).Unmarshal(body, m); err != nil {
			t.Fatalf("error without detail: %v", err)
		}
		if err := poisoned(m); err != nil {
			if detail(toConnect(err)).GetCode() != codeInvalidRequest {
				t.Fatalf("refused otherwise than as invalid: %v", err)
			}
			return
		}
		raw, err := (jsonCodec{"json"}).Marshal(m)
		if err != nil {
			t.Fatalf("read but cannot be written: %v", err)
		}
		again := &caiov1.OrchestrateRequest{}
		if err := schema.ParseJSON(raw, again); err != nil {
			t.Fatalf("written but cannot be read: %v", err)
		}
		if !proto.Equal(m, again) {
			t.Fatalf("changed on the way: %v and %v", m, again)
		}
	})
}

func FuzzBinaryBody(f *testing.F) {
	seed, err := proto.Marshal(&caiov1.DecideRequest{Request: &caiov1.Request{Capabilities: []string{"chat"}}, Seed: 7})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0xff})
	f.Add(protowire.AppendTag(nil, poisonField, protowire.BytesType))
	f.Fuzz(func(t *testing.T, body []byte) {
		m := &caiov1.DecideRequest{}
		if err := (binaryCodec{}).Unmarshal(body, m); err != nil {
			t.Fatalf("error without detail: %v", err)
		}
		if err := poisoned(m); err != nil {
			if err.Error() != "invalid_argument: request: the body is not a protobuf message of this type" {
				t.Fatalf("the body chose its own error: %v", err)
			}
			return
		}
		if _, err := (binaryCodec{}).Marshal(m); err != nil {
			t.Fatalf("read but cannot be written: %v", err)
		}
	})
}
