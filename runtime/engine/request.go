package engine

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// complete returns a copy of req in which everything is present that policies may read without asking: data,
// constraints, principal, context, the defaults of match, currency and the intent's type. now is the request's time
// where the caller set none; zero: it stays without, as nothing may be decided by a clock.
func complete(req *caiov1.Request, now time.Time) *caiov1.Request {
	out := proto.CloneOf(req)
	if out.Match == "" {
		out.Match = "all"
	}
	if out.Data == nil {
		out.Data = &caiov1.Data{}
	}
	if out.Constraints == nil {
		out.Constraints = &caiov1.Demands{}
	}
	if out.Principal == nil {
		out.Principal = &caiov1.Principal{}
	}
	if out.Context == nil {
		out.Context = &caiov1.Context{}
	}
	if out.Context.Time == nil && !now.IsZero() {
		out.Context.Time = timestamppb.New(now)
	}
	if out.Budget != nil && out.Budget.Currency == "" {
		out.Budget.Currency = "USD"
	}
	if out.Intent != nil && out.Intent.Type == "" {
		out.Intent.Type = bodyName(out.Intent)
	}
	return out
}

// bodyName names the body of an intent as its field does: "chat", "embedding", ...; "" if there is none.
func bodyName(intent *caiov1.Intent) string {
	m := intent.ProtoReflect()
	if f := m.WhichOneof(m.Descriptor().Oneofs().ByName("body")); f != nil {
		return string(f.Name())
	}
	return ""
}

// withoutBody returns req as a trace keeps it: the payload, which may be private and large, is left to the digests.
func withoutBody(req *caiov1.Request) *caiov1.Request {
	if req.Intent.GetBody() == nil {
		return req
	}
	intent := &caiov1.Intent{Type: req.Intent.Type, Domain: req.Intent.Domain}
	// A shallow copy: both stay unchanged from here on.
	out := &caiov1.Request{
		Capabilities: req.Capabilities, Match: req.Match, Guarantees: req.Guarantees, Constraints: req.Constraints,
		Budget: req.Budget, MaxLatencyMs: req.MaxLatencyMs, Data: req.Data, Intent: intent, Principal: req.Principal,
		Context: req.Context,
	}
	return out
}
