# METADATA
# title: Privacy
# description: SEC-0003. Sensitive data goes only where it stays on the premises or is encrypted.
# custom:
#   invariant: SEC-0003
package caio.security.privacy

import data.caio.lib.data as payload
import data.caio.lib.place
import rego.v2

# METADATA
# title: Sensitive data is protected
# description: Personal, health, confidential or restricted data needs a service on the premises, or one that encrypts.
deny contains {
	"rule": "SEC-0003",
	"message": sprintf("sensitive data needs a service whose data_locality is on_device or local, or one with encryption; it is %q without", [locality]),
	"facts": {
		"data": input.request.data,
		"data_locality": locality,
		"encryption": object.get(input.service, ["privacy", "encryption"], false),
	},
} if {
	payload.sensitive
	not protected
}

locality := object.get(input.service, ["privacy", "data_locality"], "")

protected if place.on_premises

protected if input.service.privacy.encryption == true
