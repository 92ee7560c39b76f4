# METADATA
# title: Cost
# description: What an execution cost, against what the caller allowed.
package caio.guarantee.cost

import rego.v2

# METADATA
# title: Costs beyond the budget are recorded
# description: The estimate was within the budget and the bill is not. It is already spent, so it is recorded.
violation contains {
	"rule": "COST-002",
	"message": sprintf("cost %v %s; the budget is %v %s", [input.observed.cost, currency, input.request.budget.max_cost, currency]),
	"facts": {"cost": input.observed.cost, "max_cost": input.request.budget.max_cost, "currency": currency},
	"reaction": "accept",
} if {
	input.observed.cost > input.request.budget.max_cost
	currency == input.observed.currency
}

currency := input.request.budget.currency if input.request.budget.currency != ""

currency := "USD" if input.request.budget.currency == ""
