# METADATA
# title: Batch work
# description: |
#   A rule of one business, laid over the default policies: caio serve --policy-overlay examples/policies. It is all
#   there is to write; whether it is right is said by batch_test.rego and caio policy test.
package caio.routing.batch

import rego.v2

# METADATA
# title: Batch work takes cheap services
# description: A request of low priority does not go to a service whose price is over 0.001 USD, or not known.
deny contains {
	"rule": "BATCH-001",
	"message": sprintf("batch work goes to services of at most %v USD a request", [ceiling]),
	"facts": {
		"priority": input.request.context.priority,
		"per_request": object.get(input.service, ["cost", "per_request"], null),
		"currency": object.get(input.service, ["cost", "currency"], ""),
	},
} if {
	input.request.context.priority == "low"
	not cheap
}

# What must be true is said here and negated above: a contract without a price is then refused, not let through.
cheap if {
	input.service.cost.currency == "USD"
	input.service.cost.per_request <= ceiling
}

ceiling := 0.001
