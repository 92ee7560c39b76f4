package caio.routing.domain_test

import data.caio.routing.domain
import rego.v2

rules(intent, capabilities) := {reason.rule |
	some reason in domain.deny with input as {"request": {"intent": intent}, "service": {"capabilities": [{"type": type} | some type in capabilities]}}
}

test_microsoft_365 if {
	rules({"domain": "M365"}, ["search", "m365"]) == set()
	rules({"domain": "M365"}, ["search"]) == {"M365-001"}
	rules({"domain": "m365"}, ["chat"]) == {"M365-001"}
}

test_others if {
	rules({"domain": ""}, ["chat"]) == set()
	rules({"domain": "finance"}, ["m365"]) == set()
	rules({}, ["chat"]) == set()
}
