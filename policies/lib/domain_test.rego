package caio.lib.domain_test

import data.caio.lib.domain
import rego.v2

test_m365 if {
	domain.m365 with input as {"request": {"intent": {"domain": "M365"}}}
	domain.m365 with input as {"request": {"intent": {"domain": "m365"}}}
}

test_others if {
	not domain.m365 with input as {"request": {"intent": {"domain": ""}}}
	not domain.m365 with input as {"request": {"intent": {"domain": "finance"}}}
	not domain.m365 with input as {"request": {}}
}
