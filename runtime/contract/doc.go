// Package contract keeps what services promise: it reads contracts, judges them, and finds the services that meet a
// request's demands. It hides CUE; nobody else sees a cue.Value.
//
// A contract comes as YAML, JSON or CUE data, flat or nested under `service:`, in full or in the short forms below, and
// becomes one normal form (the message caio.v1.Contract) in which nothing is left to be guessed. The rules stand in
// schema/cue. Parse reports everything that is wrong with a file at once, each fault with line, column, path, what was
// found, what is allowed and the nearest valid name; a contract with a fault never becomes a Contract.
//
//	accuracy: 0.95                guarantees: {accuracy: {property: accuracy, bound: {type: min, min: 0.95}}}
//	latency_ms: 500               latency with property max_latency_ms: a latency without a percentile is every execution's
//	p95_latency_ms: 500           latency with that property; so for every property of a known guarantee type
//	determinism: true             {bound: {type: boolean, boolean: true}}
//	conductivity: true            the bound of the invariant behind it (INV-0018); so for all types of the field theory
//	latency: {max: 500}           bound's fields may stand in the promise, and `value` for the number of bound's type
//	capabilities: [chat]          [{type: chat}]
//	per_token: 0.00001            {in: 0.00001, out: 0.00001}; input and output are accepted, too
//	auth: bearer                  {scheme: bearer}
//	service: {id: a, ...}         service_id: a, ...
//
// A Registry is an immutable snapshot of the contracts in force, indexed by what requests ask for. Whoever holds one
// sees the same services for ever; With and Without return a new one that shares nearly everything.
//
//	s, _ := contract.NewSchema()
//	c, err := s.Parse("echo.yaml", source) // err is Faults
//	r := contract.NewRegistry().With(&contract.Service{Contract: c, Revision: 1, Time: now})
//	m, err := r.Match(request, nil, false) // m.Passed match, m.Fallen do not; m.Why says why
//
// Nothing here starts a goroutine, and everything may be used by several at once.
package contract
