# METADATA
# title: Domains
# description: Which services a request may go to because of what it is about.
package caio.routing.domain

import data.caio.lib.domain
import rego.v2

# METADATA
# title: Microsoft 365 does what is about it
# description: A request whose intent's domain is M365 goes to services with the capability m365, which reach what stands there.
deny contains {
	"rule": "M365-001",
	"message": sprintf("the intent's domain is M365, which needs a service with the capability m365; it offers %v", [offered]),
	"facts": {"domain": "M365", "capabilities": offered},
} if {
	domain.m365
	not "m365" in offered
}

offered contains capability.type if some capability in input.service.capabilities
