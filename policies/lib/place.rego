# METADATA
# title: Where data is processed
# description: Words for the place of a service, shared by privacy, compliance and security.
package caio.lib.place

import rego.v2

# METADATA
# title: On the premises
# description: The service runs on the caller's device or in the caller's own network.
on_premises if input.service.privacy.data_locality in {"on_device", "local"}

# METADATA
# title: Within
# description: |
#   The service keeps data within residency: on the premises, in that region or a part of it (eu-west-1 is in eu), in a
#   member state where residency is the European Union, or, there, by warranting the GDPR.
within(_) if on_premises

within(residency) if region == residency

within(residency) if startswith(region, sprintf("%s-", [residency]))

within("eu") if split(region, "-")[0] in eu_members

within("eu") if warrants("gdpr")

# METADATA
# title: Warrants
# description: The owner warrants to follow a regime.
warrants(regime) if {
	some warranted in input.service.privacy.compliance
	lower(warranted) == regime
}

region := lower(input.service.privacy.region)

# Member states of the European Union, ISO 3166-1, and Greece's other code.
eu_members := {
	"at", "be", "bg", "cy", "cz", "de", "dk", "ee", "el", "es", "fi", "fr", "gr", "hr", "hu", "ie", "it", "lt", "lu", "lv",
	"mt", "nl", "pl", "pt", "ro", "se", "si", "sk",
}
