package caio.lib.promise_test

import data.caio.lib.promise
import rego.v2

contract := {"service": {"guarantees": {
	"availability": {"property": "availability", "bound": {"type": "min", "min": 0.99}},
	"latency": {"property": "p95_latency_ms", "bound": {"type": "max", "max": 40}},
}}}

test_bounds_are_read if {
	promise.minimum("availability") == 0.99 with input as contract
	promise.maximum("latency") == 40 with input as contract
	promise.property("latency") == "p95_latency_ms" with input as contract
}

test_what_is_not_promised_is_undefined if {
	not promise.minimum("accuracy") with input as contract
	not promise.maximum("availability") with input as contract
	not promise.property("accuracy") with input as contract
}
