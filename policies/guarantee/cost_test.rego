package caio.guarantee.cost_test

import data.caio.guarantee.cost
import rego.v2

found(budget, observed) := {[v.rule, v.reaction] |
	some v in cost.violation with input as {"request": {"budget": budget}, "service": {}, "observed": observed}
}

test_within_the_budget if {
	found({"max_cost": 1, "currency": "EUR"}, {"cost": 1, "currency": "EUR"}) == set()
	found({"max_cost": 1, "currency": ""}, {"cost": 0.2, "currency": "USD"}) == set()
}

test_beyond_the_budget_is_recorded if {
	found({"max_cost": 1, "currency": "EUR"}, {"cost": 1.01, "currency": "EUR"}) == {["COST-002", "accept"]}
	found({"max_cost": 1, "currency": ""}, {"cost": 2, "currency": "USD"}) == {["COST-002", "accept"]}
}

test_other_currencies_cannot_be_compared if found({"max_cost": 1, "currency": "EUR"}, {"cost": 2, "currency": "USD"}) == set()

test_unknown_costs_and_no_budget if {
	found({"max_cost": 1, "currency": "USD"}, {"currency": ""}) == set()
	count(cost.violation) == 0 with input as {"request": {}, "service": {}, "observed": {"cost": 9, "currency": "USD"}}
}
