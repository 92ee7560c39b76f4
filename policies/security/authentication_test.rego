package caio.security.authentication_test

import data.caio.security.authentication
import rego.v2

refused(principal) if {
	some reason in authentication.deny with input as {"request": {"principal": principal}, "service": {}}
	reason.rule == "SEC-0001"
}

test_verified_callers_pass if not refused({"subject": "u1", "authenticated": true})

test_others_are_refused if {
	refused({"subject": "u1", "authenticated": false})
	refused({"subject": "u1"})
	refused({"subject": "u1", "authenticated": "true"})
}

test_no_principal_is_refused if {
	count(authentication.deny) == 1 with input as {"request": {}, "service": {}}
}
