package engine_test

import (
	"math/rand/v2"

	"github.com/smarthausgroup/caio/runtime/engine"
)

// A dice makes contracts and requests of few values each, so that equality and near misses are frequent.
type dice struct{ *rand.Rand }

func (d dice) one(of ...any) any    { return of[d.IntN(len(of))] }
func (d dice) often(p float64) bool { return d.Float64() < p }
func (d dice) put(in plain, p float64, name string, of ...any) {
	if d.often(p) {
		in[name] = d.one(of...)
	}
}

func (d dice) some(of ...any) []any {
	var out []any
	for _, v := range of {
		if d.often(.5) {
			out = append(out, v)
		}
	}
	return out
}

func (d dice) contract() plain {
	guarantees, constraints, rate, cost, token, privacy := plain{}, plain{}, plain{}, plain{}, plain{}, plain{}
	promise := func(p float64, name, boundType, field string, properties, values []any) {
		if d.often(p) {
			guarantees[name] = plain{"property": d.one(properties...), "bound": plain{"type": boundType, field: d.one(values...)}}
		}
	}
	promise(.8, "accuracy", "min", "min", []any{"accuracy", "recall_accuracy"}, []any{.8, .9, .95, 1.})
	promise(.8, "latency", "max", "max", []any{"max_latency_ms", "p95_latency_ms"}, []any{10., 50., 100., 500.})
	promise(.6, "availability", "min", "min", []any{"availability"}, []any{.9, .99, .999})
	promise(.5, "determinism", "boolean", "boolean", []any{"deterministic_output", "reproducible_output"}, []any{true, false})
	promise(.4, "energy_conservation", "equality", "deviation", []any{"energy_deviation"}, []any{0., 1e-12, 1e-6})
	promise(.4, "interference", "relative_max", "ratio", []any{"residual"}, []any{.1, .15, .3})
	promise(.4, "capacity_margin", "min_multiple", "multiple", []any{"p99_margin"}, []any{1., 1.3, 2.})
	own := [][2]any{{"min", "min"}, {"max", "max"}, {"equality", "deviation"}, {"boolean", "boolean"}}[d.IntN(4)]
	values := []any{1., 5., 9.}
	if own[0] == "boolean" {
		values = []any{true, false}
	}
	promise(.5, "politeness", own[0].(string), own[1].(string), []any{"bows", "smiles"}, values)
	for _, need := range []string{"requires_gpu", "requires_internet"} {
		d.put(constraints, .4, need, true, false)
	}
	for _, limit := range []string{"max_concurrent_requests", "max_tokens_per_request", "context_length"} {
		d.put(constraints, .6, limit, 1., 100., 4096.)
	}
	d.put(rate, .4, "requests_per_second", .5, 1., 2.)
	d.put(rate, .4, "requests_per_minute", 30., 60., 600.)
	constraints["rate_limit"] = rate
	d.put(cost, .7, "per_request", 0., .001, .01, 1., 11.)
	d.put(cost, .3, "currency", "EUR", "USD")
	d.put(token, .3, "in", 0., .0001)
	d.put(token, .3, "out", 0., .0001)
	cost["per_token"] = token
	d.put(privacy, .9, "data_locality", "on_device", "local", "region", "cloud")
	d.put(privacy, .6, "encryption", true, false)
	d.put(privacy, .4, "compliance", []any{"hipaa"}, []any{"gdpr"})
	c := plain{
		"name": "one", "version": "1.0.0", "guarantees": guarantees, "constraints": constraints, "cost": cost, "privacy": privacy,
		"capabilities": append([]any{d.one("a", "b", "c")}, d.some("d", "e")...),
	}
	d.put(c, .3, "required_permissions", []any{"read"}, []any{"read", "write"})
	d.put(c, .3, "required_trust_level", 0., 3., 5.)
	d.put(c, .2, "metadata", plain{"tenant": "acme"}, plain{"tenant": "umbrella"})
	return c
}

func (d dice) request() plain {
	r := plain{"capabilities": d.one([]any{}, []any{}, []any{"a"}, []any{"d"}, []any{"a", "d"}, []any{"a", "b", "c"}, d.some("a", "b", "c", "d", "e"))}
	d.put(r, .8, "match", "any", "any", "all")
	demands := plain{}
	demand := func(p float64, name string, bounds plain, properties ...any) {
		if d.often(p) {
			d.put(bounds, .4, "property", properties...)
			demands[name] = bounds
		}
	}
	demand(.2, "accuracy", plain{"min": d.one(.8, .9, .95)}, "accuracy", "recall_accuracy")
	demand(.2, "latency", plain{"max": d.one(10., 50., 100.)}, "max_latency_ms", "p95_latency_ms")
	demand(.1, "latency", plain{"min": 10.}, "max_latency_ms")
	demand(.1, "determinism", plain{"boolean": d.one(true, false)}, "deterministic_output")
	demand(.05, "energy_conservation", plain{"deviation": d.one(0., 1e-12, 1e-6)}, "energy_deviation")
	demand(.05, "interference", plain{"ratio": d.one(.1, .15, .3)}, "residual")
	demand(.05, "capacity_margin", plain{"multiple": d.one(1., 1.3, 2.)}, "p99_margin")
	politeness := plain{}
	for _, field := range []string{"min", "max", "deviation"} {
		d.put(politeness, .3, field, 1., 5., 9.)
	}
	demand(.1, "politeness", politeness, "bows", "smiles")
	demand(.02, "nobody_promises", plain{}, "anything")
	if len(demands) > 0 {
		r["guarantees"] = demands
	}
	constraints := plain{}
	for _, need := range []string{"requires_gpu", "requires_internet"} {
		d.put(constraints, .2, need, true, false)
	}
	for _, limit := range []string{"max_concurrent_requests", "max_tokens_per_request", "context_length"} {
		d.put(constraints, .1, limit, 0., 1., 100., 4096.)
	}
	d.put(constraints, .1, "requests_per_second", .5, 1.)
	d.put(r, .7, "constraints", constraints)
	d.put(r, .4, "budget", plain{"max_cost": d.one(0., .001, .01, .02, 1., 100.)}, plain{"max_cost": d.one(.01, 1.), "currency": d.one("USD", "EUR")})
	d.put(r, .4, "max_latency_ms", 10., 50., 99., 500.)
	data := plain{}
	d.put(data, .2, "contains_pii", true, false)
	d.put(data, .2, "contains_phi", true, false)
	d.put(data, .4, "classification", "public", "internal", "confidential", "restricted")
	d.put(r, .7, "data", data)
	d.put(r, .3, "context", plain{"priority": "high"}, plain{})
	chat := plain{"messages": []any{plain{"role": "user", "content": d.one("hello", "how do you do?")}}}
	d.put(chat, .6, "max_tokens", 50., 100., 200.)
	d.put(r, .7, "intent", plain{"chat": chat}, plain{"payload": plain{"text": "hello"}})
	principal := plain{"subject": "u1", "authenticated": d.often(.95)}
	d.put(principal, .8, "trust_level", 3., 5.)
	d.put(principal, .8, "permissions", []any{"read"}, []any{"write"})
	d.put(principal, .8, "tenant", "acme", "umbrella")
	d.put(r, .97, "principal", principal)
	return r
}

// past is one that may be too short to be believed, and whose latency may be beyond any promise.
func (d dice) past() engine.Record {
	r := engine.Record{Requests: float64(d.IntN(4)) * 6.5}
	r.Failures = r.Requests * float64(d.IntN(3)) / 2
	r.Violations = r.Failures * float64(d.IntN(2))
	if r.Requests > 0 {
		r.P50, r.P95 = 5, float64(1+d.IntN(3))*60
		r.P99, r.MeanCost, r.Currency = 2*r.P95, .25, "USD"
	}
	return r
}
