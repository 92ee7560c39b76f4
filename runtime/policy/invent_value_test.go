package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// inventContract makes a JSON object that is a contract more or less: what a policy reads may be missing, of another
// type, or nested otherwise.
func inventContract(r *rand.Rand) string {
	t := func() any { return pick(r, inventedTexts...) }
	n := func() any { return json.Number(pick(r, inventedNumbers...)) }
	yes := func() any { return pick(r, true, false) }
	texts := func() any {
		all := []any{}
		for range r.IntN(4) {
			all = append(all, t())
		}
		return all
	}
	settings := map[string]any{"model": t(), "n": n(), "flag": yes(), "list": texts()}
	guarantees := map[string]any{}
	for _, name := range []string{"accuracy", "latency", "a", "eu"} {
		if r.IntN(2) == 0 {
			guarantees[name] = map[string]any{"property": t(), "bound": map[string]any{"type": "min", "min": n(), "max": n()}}
		}
	}
	capabilities := []any{}
	for range r.IntN(3) {
		capabilities = append(capabilities, map[string]any{"type": t(), "parameters": map[string]any{"a": t(), "n": n()}})
	}
	c := map[string]any{
		"service_id": t(), "name": t(), "version": t(), "capabilities": capabilities, "guarantees": guarantees,
		"constraints":          map[string]any{"requires_gpu": yes(), "requires_internet": yes(), "max_tokens_per_request": n(), "rate_limit": map[string]any{"requests_per_second": n()}},
		"cost":                 map[string]any{"per_request": n(), "currency": t(), "per_token": map[string]any{"in": n()}},
		"privacy":              map[string]any{"data_locality": t(), "encryption": yes(), "region": t(), "retention": t(), "compliance": texts()},
		"alignment":            map[string]any{"safety_class": t(), "content_filters": texts()},
		"required_permissions": texts(), "required_trust_level": n(),
		"adapter":  map[string]any{"plugin": "http", "settings": settings},
		"metadata": map[string]any{"tags": texts(), "tenant": t(), "provider": t()},
	}
	for range pick(r, 0, 0, 0, 1, 1, 3) {
		spoil(r, c)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // maps of texts and numbers
	}
	return string(raw)
}

// spoil takes away, or replaces by anything, one value of c or below.
func spoil(r *rand.Rand, c map[string]any) {
	for {
		keys := slices.Sorted(maps.Keys(c))
		if len(keys) == 0 {
			return
		}
		key := pick(r, keys...)
		if below, ok := c[key].(map[string]any); ok && r.IntN(5) > 0 {
			c = below
			continue
		}
		switch r.IntN(3) {
		case 0:
			delete(c, key)
		default:
			c[key] = inventJSON(r, 2)
		}
		return
	}
}

// inventJSON makes any JSON.
func inventJSON(r *rand.Rand, depth int) any {
	switch n := r.IntN(9); {
	case n < 2:
		return pick(r, inventedTexts...)
	case n < 4:
		return json.Number(pick(r, inventedNumbers...))
	case n == 4:
		return pick(r, true, false)
	case n == 5 || depth == 0:
		return nil
	case n == 6 && r.IntN(10) == 0:
		return strings.Repeat("länge ", 500)
	case n < 8:
		all := []any{}
		for range r.IntN(4) {
			all = append(all, inventJSON(r, depth-1))
		}
		return all
	}
	all := map[string]any{}
	for range r.IntN(4) {
		all[pick(r, "a", "b", "c", "n", "min", "eu", "type", "", "ü")] = inventJSON(r, depth-1)
	}
	return all
}

// inventStruct makes any JSON object that proto takes.
func inventStruct(r *rand.Rand) *structpb.Struct {
	s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for _, key := range []string{"a", "b", "n", "flag", "list", "text"} {
		if r.IntN(3) == 0 {
			continue
		}
		v := inventJSON(r, 2)
		switch {
		case key == "b" && r.IntN(2) == 0:
			v = map[string]any{"c": pick(r, inventedTexts...)}
		case key == "list" && r.IntN(2) == 0:
			v = []any{pick(r, inventedTexts...), pick(r, inventedTexts...)}
		case key == "a" && r.IntN(2) == 0:
			v = pick(r, inventedTexts...)
		}
		s.Fields[key] = protoValue(v)
	}
	return s
}

// protoValue is structpb.NewValue for what inventJSON makes.
func protoValue(v any) *structpb.Value {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			f = 1e300 // proto has no larger ones
		}
		return structpb.NewNumberValue(f)
	case []any:
		all := &structpb.ListValue{}
		for _, e := range v {
			all.Values = append(all.Values, protoValue(e))
		}
		return structpb.NewListValue(all)
	case map[string]any:
		all := &structpb.Struct{Fields: map[string]*structpb.Value{}}
		for key, e := range v {
			all.Fields[key] = protoValue(e)
		}
		return structpb.NewStructValue(all)
	}
	value, err := structpb.NewValue(v)
	if err != nil {
		panic(fmt.Sprint(v, err)) // texts, truths and null
	}
	return value
}

func inventRequest(r *rand.Rand) *caiov1.Request {
	t := func() string { return pick(r, inventedTexts...) }
	n := func() float64 {
		f, err := strconv.ParseFloat(pick(r, inventedNumbers...), 64)
		if err != nil {
			return 1e308
		}
		return f
	}
	texts := func() []string {
		var all []string
		for range r.IntN(4) {
			all = append(all, t())
		}
		return all
	}
	some := func(f float64) *float64 {
		if r.IntN(3) == 0 {
			return nil
		}
		return &f
	}
	req := &caiov1.Request{
		Capabilities: texts(), Match: t(), MaxLatencyMs: some(n()),
		Data:        &caiov1.Data{ContainsPii: r.IntN(2) == 0, ContainsPhi: r.IntN(2) == 0, Classification: t(), Residency: t()},
		Principal:   &caiov1.Principal{Subject: t(), Tenant: t(), Roles: texts(), Permissions: texts(), TrustLevel: r.Int32N(6), Authenticated: r.IntN(2) == 0},
		Context:     &caiov1.Context{Priority: t(), RequestId: t()},
		Constraints: &caiov1.Demands{},
	}
	for _, name := range []string{"accuracy", "latency", "a", "eu"} {
		if r.IntN(2) == 0 {
			if req.Guarantees == nil {
				req.Guarantees = map[string]*caiov1.Demand{}
			}
			req.Guarantees[name] = &caiov1.Demand{Property: t(), Min: some(n()), Max: some(n())}
		}
	}
	if r.IntN(2) == 0 {
		tokens, truth := r.Int32N(4), r.IntN(2) == 0
		req.Constraints.MaxTokensPerRequest, req.Constraints.RequiresGpu = &tokens, &truth
	}
	if r.IntN(2) == 0 {
		req.Budget = &caiov1.Budget{MaxCost: n(), Currency: t()}
	}
	if r.IntN(2) == 0 {
		req.Context.Time = &timestamppb.Timestamp{Seconds: r.Int64N(2e9), Nanos: r.Int32N(1e9)}
	}
	if r.IntN(3) > 0 {
		req.Context.Attributes = inventStruct(r)
	}
	switch r.IntN(4) {
	case 0, 1:
		req.Intent = &caiov1.Intent{Type: t(), Body: &caiov1.Intent_Payload{Payload: inventStruct(r)}}
	case 2:
		tokens := r.Int32N(6)
		req.Intent = &caiov1.Intent{Type: t(), Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{MaxTokens: &tokens, Messages: []*caiov1.ChatMessage{{Role: t(), Content: t()}}}}}
	}
	incomplete(r, req)
	return req
}

// incomplete takes away what the engine would have completed, or puts in what cannot be shown to policies.
func incomplete(r *rand.Rand, req *caiov1.Request) {
	switch r.IntN(40) {
	case 0:
		req.Data = nil
	case 1:
		req.Principal, req.Constraints = nil, nil
	case 2:
		req.Context = nil
	case 3:
		req.Match = "\xff"
	case 4:
		if req.Context.Attributes != nil {
			req.Context.Attributes.Fields["a"] = structpb.NewNumberValue(math.NaN())
		}
	}
}
