package caio.lib.data_test

import data.caio.lib.data as lib
import rego.v2

request(given) := {"request": {"data": object.union({"contains_pii": false, "contains_phi": false, "classification": "", "residency": ""}, given)}}

test_personal_and_health_data_are_sensitive if {
	lib.sensitive with input as request({"contains_pii": true})
	lib.sensitive with input as request({"contains_phi": true})
}

test_classified_data_is_sensitive_in_any_case_of_letters if {
	every word in ["confidential", "restricted", "Confidential", "RESTRICTED"] {
		lib.sensitive with input as request({"classification": word})
	}
}

test_other_data_is_not_sensitive if {
	every word in ["", "public", "internal", "draft"] {
		not lib.sensitive with input as request({"classification": word})
	}
}

test_residency_is_compared_in_lower_case if {
	lib.residency == "eu" with input as request({"residency": "EU"})
}
