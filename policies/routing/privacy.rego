# METADATA
# title: Privacy
# description: What a service must be to be given data of a certain classification.
package caio.routing.privacy

import data.caio.lib.data as payload
import data.caio.lib.place
import rego.v2

# METADATA
# title: Restricted data stays on the premises
# description: Data classified restricted goes to services on the device or in the local network, encrypted or not.
deny contains {
	"rule": "PRIVACY-001",
	"message": "restricted data stays on the premises",
	"facts": {
		"classification": input.request.data.classification,
		"data_locality": object.get(input.service, ["privacy", "data_locality"], ""),
	},
} if {
	payload.classification == "restricted"
	not place.on_premises
}
