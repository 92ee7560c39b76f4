# METADATA
# title: Access control
# description: SEC-0004. The caller is trusted enough, and stands within the service's access boundary.
# custom:
#   invariant: SEC-0004
package caio.security.access

import rego.v2

# METADATA
# title: Callers are trusted enough
# description: The caller's trust level is at least the contract's required_trust_level.
deny contains {
	"rule": "SEC-0004",
	"message": "the caller is not trusted enough",
	"facts": {
		"trust_level": object.get(input.request, ["principal", "trust_level"], null),
		"required_trust_level": object.get(input.service, "required_trust_level", null),
	},
} if {
	not trusted
}

# METADATA
# title: Services of a tenant serve that tenant alone
# description: Where the contract's metadata names a tenant, the caller belongs to it.
deny contains {
	"rule": "SEC-0004",
	"message": "the service belongs to another tenant",
	"facts": {"tenant": object.get(input.request, ["principal", "tenant"], "")},
} if {
	not within_boundary
}

# Numbers only: in Rego's order of all values, any text is greater than any number.
trusted if {
	is_number(input.request.principal.trust_level)
	is_number(input.service.required_trust_level)
	input.request.principal.trust_level >= input.service.required_trust_level
}

within_boundary if input.service.metadata.tenant == ""

within_boundary if input.service.metadata.tenant == input.request.principal.tenant
