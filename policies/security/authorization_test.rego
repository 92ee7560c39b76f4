package caio.security.authorization_test

import data.caio.security.authorization
import rego.v2

refusals(held, required) := {reason |
	some reason in authorization.deny with input as {
		"request": {"principal": {"permissions": held}},
		"service": {"required_permissions": required},
	}
}

test_one_of_the_required_is_enough if {
	count(refusals(["read"], ["read"])) == 0
	count(refusals(["write", "read"], ["read", "admin"])) == 0
}

test_none_required_all_may if {
	count(refusals([], [])) == 0
	count(refusals(["read"], [])) == 0
}

test_none_of_the_required_is_refused if {
	some reason in refusals(["write"], ["read", "admin"])
	reason.rule == "SEC-0002"
	reason.facts == {"required": ["read", "admin"], "permissions": ["write"]}
	reason.message == `permissions ["write"] hold none of the required ["read", "admin"]`
	count(refusals([], ["read"])) == 1
}

test_a_permission_is_compared_whole if {
	count(refusals(["rea"], ["read"])) == 1
	count(refusals(["READ"], ["read"])) == 1
}

test_missing_fields_are_refused if {
	count(authorization.deny) == 1 with input as {"request": {}, "service": {"required_permissions": ["read"]}}
	count(authorization.deny) == 1 with input as {"request": {"principal": {"permissions": ["read"]}}, "service": {}}
}
