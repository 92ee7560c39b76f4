# METADATA
# title: Authentication
# description: SEC-0001. The token's signature, expiry, issuer and audience were verified.
# custom:
#   invariant: SEC-0001
package caio.security.authentication

import rego.v2

# METADATA
# title: Callers are authenticated
# description: Nobody is served whose token was not verified.
deny contains {
	"rule": "SEC-0001",
	"message": "the caller is not authenticated; a token that verifies is required",
	"facts": {"authenticated": object.get(input.request, ["principal", "authenticated"], false)},
} if {
	not input.request.principal.authenticated == true
}
