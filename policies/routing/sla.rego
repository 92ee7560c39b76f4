# METADATA
# title: Service levels
# description: What the urgent may count on.
package caio.routing.sla

import data.caio.lib.promise
import rego.v2

# METADATA
# title: Urgent requests go to available services
# description: |
#   A request of high priority does not go to a service that promises less than 99 % availability. A service that promises
#   nothing is judged by its record, not by this rule.
deny contains {
	"rule": "SLA-001",
	"message": sprintf("context.priority is high, which needs an availability of 0.99; %v is promised", [promised]),
	"facts": {"priority": "high", "availability": promised},
} if {
	input.request.context.priority == "high"
	promised := promise.minimum("availability")
	promised < 0.99
}
