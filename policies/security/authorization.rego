# METADATA
# title: Authorization
# description: SEC-0002. The caller has one of the permissions that the service requires; none required, all may.
# custom:
#   invariant: SEC-0002
package caio.security.authorization

import rego.v2

# METADATA
# title: Callers hold a required permission
# description: One of the contract's required_permissions is enough.
deny contains {
	"rule": "SEC-0002",
	"message": sprintf("permissions %v hold none of the required %v", [held, required]),
	"facts": {"required": required, "permissions": held},
} if {
	not permitted
}

required := object.get(input.service, "required_permissions", ["(the contract does not say)"])

held := object.get(input.request, ["principal", "permissions"], [])

permitted if count(required) == 0

permitted if {
	some permission in required
	permission in held
}
