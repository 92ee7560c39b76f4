package caio.routing.cost_test

import data.caio.routing.cost
import rego.v2

refused(request, price) if {
	some reason in cost.deny with input as {"request": request, "service": {"cost": price}}
	reason.rule == "COST-001"
}

test_cheap_services_need_no_budget if {
	not refused({}, {"per_request": 0, "currency": "USD"})
	not refused({}, {"per_request": 10, "currency": "USD"})
}

test_expensive_services_need_one if {
	refused({}, {"per_request": 10.01, "currency": "USD"})
	refused({}, {"per_request": 11})
}

test_who_named_a_budget_is_bound_by_that_alone if {
	not refused({"budget": {"max_cost": 50, "currency": "USD"}}, {"per_request": 40, "currency": "USD"})
}

test_prices_by_token_are_not_judged_here if not refused({}, {"per_token": {"in": 1}, "currency": "USD"})
