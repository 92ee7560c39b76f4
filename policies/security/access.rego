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
	"message": sprintf("the caller's trust level is %v; the service requires at least %v", [level, required]),
	"facts": {"trust_level": level, "required_trust_level": required},
} if {
	not trusted
}

# METADATA
# title: Services of a tenant serve that tenant alone
# description: Where the contract's metadata names a tenant, the caller belongs to it.
deny contains {
	"rule": "SEC-0004",
	"message": sprintf("the service belongs to another tenant than the caller's, %q", [tenant]),
	"facts": {"tenant": tenant},
} if {
	not within_boundary
}

level := object.get(input.request, ["principal", "trust_level"], null)

required := object.get(input.service, "required_trust_level", null)

tenant := object.get(input.request, ["principal", "tenant"], "")

# Numbers only: in Rego's order of all values, any text is greater than any number.
trusted if {
	is_number(input.request.principal.trust_level)
	is_number(input.service.required_trust_level)
	input.request.principal.trust_level >= input.service.required_trust_level
}

within_boundary if input.service.metadata.tenant == ""

within_boundary if input.service.metadata.tenant == input.request.principal.tenant
