package engine

import (
	"errors"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// complete returns req with everything present that policies may read without asking: data, constraints, principal,
// context, the defaults of match, currency and the intent's type. now is the request's time where the caller set none;
// zero: it stays without, as nothing may be decided by a clock. What is there already is shared with req, and both must
// stay unchanged from here on.
func complete(req *caiov1.Request, now time.Time) *caiov1.Request {
	// One piece of memory for all that is commonly absent.
	var made struct {
		request     caiov1.Request
		data        caiov1.Data
		constraints caiov1.Demands
		principal   caiov1.Principal
		context     caiov1.Context
		time        timestamppb.Timestamp
	}
	out := &made.request
	shareRequest(out, req)
	if out.Match == "" {
		out.Match = "all"
	}
	if out.Data == nil {
		out.Data = &made.data
	}
	if out.Constraints == nil {
		out.Constraints = &made.constraints
	}
	if out.Principal == nil {
		out.Principal = &made.principal
	}
	if given := out.Context; given == nil || given.Time == nil {
		made.context.Priority, made.context.RequestId, made.context.Attributes = given.GetPriority(), given.GetRequestId(), given.GetAttributes()
		out.Context = &made.context
		if !now.IsZero() {
			made.time.Seconds, made.time.Nanos = now.Unix(), int32(now.Nanosecond())
			out.Context.Time = &made.time
		}
	}
	if out.Budget != nil && out.Budget.Currency == "" {
		out.Budget = &caiov1.Budget{MaxCost: out.Budget.MaxCost, Currency: "USD"}
	}
	if out.Intent != nil && out.Intent.Type == "" {
		out.Intent = &caiov1.Intent{Type: bodyName(out.Intent), Domain: out.Intent.Domain, Body: out.Intent.Body}
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

// shareRequest gives out everything that req has but what a server records of it. A message cannot be copied as a struct, and a clone would copy the
// payload, which may be large.
func shareRequest(out, req *caiov1.Request) {
	out.Capabilities, out.Match, out.Guarantees, out.Constraints = req.GetCapabilities(), req.GetMatch(), req.GetGuarantees(), req.GetConstraints()
	out.Data, out.Intent, out.Principal, out.Context = req.GetData(), req.GetIntent(), req.GetPrincipal(), req.GetContext()
	out.Budget, out.Field, out.Registered = req.GetBudget(), req.GetField(), req.GetRegistered()
	if req != nil {
		out.MaxLatencyMs = req.MaxLatencyMs
	}
}

// writeRequest writes req as it is recorded, as protobuf's deterministic serializer does: of its intent the type and the
// domain, and payload, nil where it has none, in place of the body. That serializer allocates for each entry of a map,
// here are none. It fails on text that is not UTF-8, and takes it that the intent has none.
func writeRequest(w *wire.Writer, req *caiov1.Request, payload *caiov1.Payload) error {
	var err error
	put := func(there bool, field int, m proto.Message) {
		if there && err == nil {
			err = w.Proto(field, m)
		}
	}
	err = writeRegistered(w, req.Registered)
	if payload != nil {
		writePayload(w, payload)
	}
	put(req.Field != nil, 11, req.Field)
	put(req.Context != nil, 10, req.Context)
	put(req.Principal != nil, 9, req.Principal)
	if req.Intent != nil {
		mark := w.Len()
		w.String(2, req.Intent.Domain)
		w.String(1, req.Intent.Type)
		w.Message(8, mark)
	}
	put(req.Data != nil, 7, req.Data)
	if req.MaxLatencyMs != nil {
		w.PresentDouble(6, *req.MaxLatencyMs)
	}
	put(req.Budget != nil, 5, req.Budget)
	put(req.Constraints != nil, 4, req.Constraints)
	var few [16]string
	names := few[:0]
	for name := range req.Guarantees {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := len(names) - 1; i >= 0; i-- {
		mark := w.Len()
		put(true, 2, req.Guarantees[names[i]])
		w.PresentString(1, names[i])
		w.Message(3, mark)
	}
	w.String(2, req.Match)
	for i := len(req.Capabilities) - 1; i >= 0; i-- {
		w.PresentString(1, req.Capabilities[i])
	}
	for _, texts := range [][]string{names, req.Capabilities, {req.Match}} {
		for _, s := range texts {
			if err == nil && !utf8.ValidString(s) {
				err = errors.New("text is not UTF-8")
			}
		}
	}
	return err
}

// writeRegistered writes field 13, which most requests lack.
func writeRegistered(w *wire.Writer, registered map[string]*caiov1.Registered) error {
	categories := slices.Sorted(maps.Keys(registered))
	for _, category := range slices.Backward(categories) {
		mark := w.Len()
		if err := w.Proto(2, registered[category]); err != nil {
			return err
		}
		if !utf8.ValidString(category) {
			return errors.New("text is not UTF-8")
		}
		w.PresentString(1, category)
		w.Message(13, mark)
	}
	return nil
}

func writePayload(w *wire.Writer, p *caiov1.Payload) {
	mark := w.Len()
	if p.MaxTokens != nil {
		w.PresentInt(4, int64(*p.MaxTokens))
	}
	w.String(3, p.Body)
	w.Int(2, p.Size)
	w.String(1, p.Digest)
	w.Message(12, mark)
}
