# METADATA
# title: Latency
# description: What was measured, against what the contract promises.
package caio.guarantee.latency

import data.caio.lib.promise
import rego.v2

# METADATA
# title: No answer is later than the maximum
# description: An answer later than a promised maximum breaks the promise; another service is tried.
violation contains {
	"rule": "LATENCY-001",
	"message": sprintf("took %v ms; at most %v ms are promised", [input.observed.latency_ms, promised]),
	"facts": {"latency_ms": input.observed.latency_ms, "promised": promised, "property": property},
	"reaction": "fallback",
} if {
	property := promise.property("latency")
	not percentile(property)
	promised := promise.maximum("latency")
	input.observed.latency_ms > promised
}

# METADATA
# title: Answers beyond a percentile are recorded
# description: One slow answer does not break a promise about a percentile; it is recorded and counts in the history.
violation contains {
	"rule": "LATENCY-002",
	"message": sprintf("took %v ms, beyond the promised %s of %v ms", [input.observed.latency_ms, property, promised]),
	"facts": {"latency_ms": input.observed.latency_ms, "promised": promised, "property": property},
	"reaction": "accept",
} if {
	property := promise.property("latency")
	percentile(property)
	promised := promise.maximum("latency")
	input.observed.latency_ms > promised
}

percentile(property) if regex.match(`^p[0-9]+_`, property)
