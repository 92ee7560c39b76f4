package caio.security.access_test

import data.caio.security.access
import rego.v2

messages(principal, service) := {reason.message |
	some reason in access.deny with input as {"request": {"principal": principal}, "service": service}
	reason.rule == "SEC-0004"
}

untrusted(level, required) := sprintf("the caller's trust level is %v; the service requires at least %v", [level, required])

foreign(tenant) := sprintf("the service belongs to another tenant than the caller's, %q", [tenant])

caller(level, tenant) := {"trust_level": level, "tenant": tenant}

open(level) := {"required_trust_level": level, "metadata": {"tenant": ""}}

test_enough_trust if {
	messages(caller(5, ""), open(5)) == set()
	messages(caller(10, ""), open(0)) == set()
	messages(caller(0, ""), open(0)) == set()
}

test_too_little_trust if {
	messages(caller(4, ""), open(5)) == {untrusted(4, 5)}
	messages(caller(0, "acme"), open(10)) == {untrusted(0, 10)}
}

test_trust_that_is_no_number_is_none if {
	messages({"trust_level": "9", "tenant": ""}, open(5)) == {untrusted("9", 5)}
	messages({"tenant": ""}, open(0)) == {untrusted(null, 0)}
	messages(caller(5, ""), {"metadata": {"tenant": ""}}) == {untrusted(5, null)}
}

test_own_tenant if {
	messages(caller(5, "acme"), {"required_trust_level": 0, "metadata": {"tenant": "acme"}}) == set()
}

test_other_tenants if {
	every tenant in ["", "umbrella", "Acme"] {
		messages(caller(5, tenant), {"required_trust_level": 0, "metadata": {"tenant": "acme"}}) == {foreign(tenant)}
	}
	messages({"trust_level": 5}, {"required_trust_level": 0, "metadata": {"tenant": "acme"}}) == {foreign("")}
}

test_the_foreign_tenants_name_is_not_told if {
	some reason in access.deny with input as {"request": {"principal": caller(5, "a")}, "service": {"required_trust_level": 0, "metadata": {"tenant": "acme"}}}
	reason.facts == {"tenant": "a"}
	not contains(reason.message, "acme")
}
