package caio.guarantee.latency_test

import data.caio.guarantee.latency
import rego.v2

found(property, measured) := {[v.rule, v.reaction] |
	some v in latency.violation with input as {
		"request": {},
		"service": {"guarantees": {"latency": {"property": property, "bound": {"type": "max", "max": 50}}}},
		"observed": {"latency_ms": measured},
	}
}

test_in_time if {
	every property in ["max_latency_ms", "latency_ms", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms"] {
		found(property, 50) == set()
		found(property, 0.1) == set()
	}
}

test_later_than_a_maximum_falls_back if {
	found("max_latency_ms", 50.1) == {["LATENCY-001", "fallback"]}
	found("latency_ms", 1000) == {["LATENCY-001", "fallback"]}
}

test_beyond_a_percentile_is_recorded if {
	every property in ["p50_latency_ms", "p95_latency_ms", "p99_latency_ms"] {
		found(property, 51) == {["LATENCY-002", "accept"]}
	}
}

test_nothing_promised_nothing_broken if {
	count(latency.violation) == 0 with input as {"service": {"guarantees": {}}, "observed": {"latency_ms": 9999}}
}
