package caio.security.privacy_test

import data.caio.security.privacy
import rego.v2

plain := {"contains_pii": false, "contains_phi": false, "classification": "", "residency": ""}

refused(given, treatment) if {
	some reason in privacy.deny with input as {"request": {"data": object.union(plain, given)}, "service": {"privacy": treatment}}
	reason.rule == "SEC-0003"
}

sensitive := [{"contains_pii": true}, {"contains_phi": true}, {"classification": "confidential"}, {"classification": "restricted"}]

test_sensitive_data_may_stay_on_the_premises if {
	every payload in sensitive {
		every where in ["on_device", "local"] {
			not refused(payload, {"data_locality": where, "encryption": false})
		}
	}
}

test_sensitive_data_may_leave_encrypted if {
	every payload in sensitive {
		not refused(payload, {"data_locality": "cloud", "encryption": true})
	}
}

test_sensitive_data_may_not_leave_in_the_clear if {
	every payload in sensitive {
		every where in ["region", "cloud", "somewhere"] {
			refused(payload, {"data_locality": where, "encryption": false})
		}
		refused(payload, {})
	}
}

test_other_data_may_go_anywhere if {
	not refused({}, {"data_locality": "cloud", "encryption": false})
	not refused({"classification": "internal"}, {"data_locality": "cloud", "encryption": false})
}
