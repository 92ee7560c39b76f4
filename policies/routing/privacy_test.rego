package caio.routing.privacy_test

import data.caio.routing.privacy
import rego.v2

refused(classification, treatment) if {
	some reason in privacy.deny with input as {"request": {"data": {"classification": classification}}, "service": {"privacy": treatment}}
	reason.rule == "PRIVACY-001"
}

test_restricted_data_stays if {
	not refused("restricted", {"data_locality": "on_device"})
	not refused("restricted", {"data_locality": "local"})
}

test_restricted_data_does_not_leave if {
	every classification in ["restricted", "Restricted"] {
		refused(classification, {"data_locality": "cloud", "encryption": true})
		refused(classification, {"data_locality": "region", "encryption": true})
		refused(classification, {})
	}
}

test_other_data_may_leave if {
	every classification in ["", "public", "internal", "confidential"] {
		not refused(classification, {"data_locality": "cloud"})
	}
}
