# METADATA
# title: Compliance
# description: HIPAA, GDPR and residency. A service on the premises satisfies each of them.
package caio.routing.compliance

import data.caio.lib.data as payload
import data.caio.lib.place
import rego.v2

# METADATA
# title: Health data goes to HIPAA services
# description: Protected health information leaves the premises only encrypted, and only to who warrants HIPAA.
deny contains {
	"rule": "HIPAA-001",
	"message": sprintf(
		"health data needs a service whose data_locality is on_device or local, or one with encryption and compliance hipaa; it is %q, encryption %v, compliance %v",
		[treatment.data_locality, treatment.encryption, treatment.compliance],
	),
	"facts": treatment,
} if {
	input.request.data.contains_phi
	not hipaa
}

# METADATA
# title: Personal data of the EU stays there
# description: Personal data that must stay in the EU goes to services in the EU, or to who warrants the GDPR.
deny contains {
	"rule": "GDPR-001",
	"message": sprintf(
		"personal data of the EU needs a service whose data_locality is on_device or local, a region of the EU, or compliance gdpr; it is %q, region %q, compliance %v",
		[treatment.data_locality, treatment.region, treatment.compliance],
	),
	"facts": treatment,
} if {
	personal_in_eu
	not place.within("eu")
}

# METADATA
# title: Data stays where it must
# description: Where the caller names a residency, data does not leave it.
deny contains {
	"rule": "RESIDENCY-001",
	"message": sprintf(
		"the data must stay in %q, which needs a service whose data_locality is on_device or local, or one in that region; it is %q, region %q",
		[payload.residency, treatment.data_locality, treatment.region],
	),
	"facts": treatment,
} if {
	payload.residency != ""
	not personal_in_eu
	not place.within(payload.residency)
}

personal_in_eu if {
	input.request.data.contains_pii
	payload.residency == "eu"
}

hipaa if place.on_premises

hipaa if {
	input.service.privacy.encryption == true
	place.warrants("hipaa")
}

treatment := {
	"data_locality": object.get(input.service, ["privacy", "data_locality"], ""),
	"encryption": object.get(input.service, ["privacy", "encryption"], false),
	"region": object.get(input.service, ["privacy", "region"], ""),
	"compliance": object.get(input.service, ["privacy", "compliance"], []),
	"residency": object.get(input.request, ["data", "residency"], ""),
}
