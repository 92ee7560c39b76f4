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
	"message": sprintf("restricted data needs a service whose data_locality is on_device or local; it is %q", [locality]),
	"facts": {"classification": input.request.data.classification, "data_locality": locality},
} if {
	payload.classification == "restricted"
	not place.on_premises
}

locality := object.get(input.service, ["privacy", "data_locality"], "")
