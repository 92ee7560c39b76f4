package caio.routing.compliance_test

import data.caio.routing.compliance
import rego.v2

plain := {"contains_pii": false, "contains_phi": false, "classification": "", "residency": ""}

cloud := {"data_locality": "cloud", "encryption": false, "region": "", "compliance": []}

rules(given, treatment) := {reason.rule |
	some reason in compliance.deny with input as {
		"request": {"data": object.union(plain, given)},
		"service": {"privacy": object.union(cloud, treatment)},
	}
}

test_insensitive_data_goes_anywhere if rules({}, {}) == set()

test_health_data if {
	phi := {"contains_phi": true}
	rules(phi, {"data_locality": "local"}) == set()
	rules(phi, {"data_locality": "on_device"}) == set()
	rules(phi, {"encryption": true, "compliance": ["hipaa"]}) == set()
	rules(phi, {"encryption": true, "compliance": ["HIPAA", "gdpr"]}) == set()
	rules(phi, {"encryption": true}) == {"HIPAA-001"}
	rules(phi, {"compliance": ["hipaa"]}) == {"HIPAA-001"}
	rules(phi, {}) == {"HIPAA-001"}
}

test_personal_data_of_the_eu if {
	pii := {"contains_pii": true, "residency": "eu"}
	rules(pii, {"data_locality": "local"}) == set()
	rules(pii, {"region": "eu"}) == set()
	rules(pii, {"region": "eu-central-1"}) == set()
	rules(pii, {"region": "ie"}) == set()
	rules(pii, {"compliance": ["gdpr"]}) == set()
	rules(pii, {"region": "us"}) == {"GDPR-001"}
	rules(pii, {}) == {"GDPR-001"}
}

test_personal_data_of_nowhere_in_particular if rules({"contains_pii": true}, {}) == set()

test_residency if {
	rules({"residency": "ch"}, {"region": "ch"}) == set()
	rules({"residency": "CH"}, {"region": "ch-zurich"}) == set()
	rules({"residency": "ch"}, {"data_locality": "on_device"}) == set()
	rules({"residency": "ch"}, {"region": "eu"}) == {"RESIDENCY-001"}
	rules({"residency": "ch"}, {}) == {"RESIDENCY-001"}
	rules({"residency": "ch", "contains_pii": true}, {}) == {"RESIDENCY-001"}
	rules({"residency": "eu"}, {}) == {"RESIDENCY-001"}
	rules({"residency": "eu"}, {"compliance": ["gdpr"]}) == set()
}

test_a_service_that_says_nothing_is_given_nothing if {
	denied := {reason.rule |
		some reason in compliance.deny with input as {"request": {"data": object.union(plain, {"contains_phi": true, "residency": "us"})}, "service": {}}
	}
	denied == {"HIPAA-001", "RESIDENCY-001"}
}
