# METADATA
# title: Quotas
package caio.routing.quota

import rego.v2

# METADATA
# title: Wards keep to their quota
# description: A ward that sends its quota may not ask for more than it has left. The quota is a number.
deny contains {
	"rule": "QUOTA-001",
	"message": sprintf("the ward has %v requests left", [left]),
	"facts": {"left": left},
} if {
	left := to_number(input.request.context.attributes.quota_left)
	left < 1
}
