package caio.routing.batch_test

import data.caio.routing.batch
import rego.v2

refused(priority, cost) if {
	some reason in batch.deny with input as {"request": {"context": {"priority": priority}}, "service": {"cost": cost}}
	reason.rule == "BATCH-001"
}

usd(price) := {"per_request": price, "currency": "USD"}

test_batch_work_takes_cheap_services if {
	not refused("low", usd(0))
	not refused("low", usd(0.001))
	refused("low", usd(0.0011))
}

test_other_work_may_cost_what_it_costs if {
	every priority in ["", "normal", "high"] {
		not refused(priority, usd(5))
	}
}

test_what_has_no_price_in_dollars_is_not_cheap if {
	refused("low", {"currency": "USD"})
	refused("low", {"per_request": 0.0001, "currency": "EUR"})
	refused("low", {})
}
