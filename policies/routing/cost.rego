# METADATA
# title: Cost
# description: A budget is a hard limit of its own; this is for those who named none.
package caio.routing.cost

import rego.v2

# METADATA
# title: Expensive services need a budget
# description: A request without a budget does not go to a service that costs more than 10 for one request, in any currency.
deny contains {
	"rule": "COST-001",
	"message": sprintf("one request costs %v %s; name a budget to agree to that", [price, object.get(input.service, ["cost", "currency"], "")]),
	"facts": {"per_request": price, "without_budget_at_most": ceiling},
} if {
	not input.request.budget
	price := object.get(input.service, ["cost", "per_request"], 0)
	price > ceiling
}

ceiling := 10
