package caio.routing.sla_test

import data.caio.routing.sla
import rego.v2

refused(priority, guarantees) if {
	some reason in sla.deny with input as {"request": {"context": {"priority": priority}}, "service": {"guarantees": guarantees}}
	reason.rule == "SLA-001"
}

available(share) := {"availability": {"property": "availability", "bound": {"type": "min", "min": share}}}

test_urgent_requests if {
	refused("high", available(0.9))
	not refused("high", available(0.99))
	not refused("high", available(0.999))
}

test_nothing_promised_nothing_held_against_it if not refused("high", {})

test_other_requests if {
	every priority in ["", "low", "normal"] {
		not refused(priority, available(0.5))
	}
}
