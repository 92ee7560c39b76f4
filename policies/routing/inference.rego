# METADATA
# title: Inference
# description: Where an inference engine is registered, it is asked in the place of the providers.
package caio.routing.inference

import data.caio.lib.domain
import rego.v2

# METADATA
# title: Inference goes to the engine
# description: |
#   Where services of category inference_engine are registered that offer what is asked, nobody else is asked. Without one,
#   inference goes straight to the providers, and so does that of callers with the permission inference:direct, which the
#   engine itself has.
deny contains {
	"rule": "INFERENCE-001",
	"message": sprintf("an inference engine is registered and offers %v; the service is no inference_engine but of category %q", [wanted, category]),
	"facts": {"wanted": wanted, "category": category},
} if {
	input.request.registered.inference_engine
	engine_offers_it
	not direct
	not domain.m365
	not input.service.metadata.category == "inference_engine"
}

# METADATA
# title: Direct inference does not come back to an engine
# description: What a caller with the permission inference:direct asks goes to providers only, or an engine would ask itself.
deny contains {
	"rule": "INFERENCE-002",
	"message": "the caller has the permission inference:direct, as engines have; its requests go to providers, not to an inference_engine",
	"facts": {"category": category},
} if {
	direct
	category == "inference_engine"
}

engine_offers_it if {
	input.request.match != "any"
	count(wanted) > 0
	every capability in wanted {
		capability in input.request.registered.inference_engine.capabilities
	}
}

engine_offers_it if {
	input.request.match == "any"
	some capability in wanted
	capability in input.request.registered.inference_engine.capabilities
}

wanted contains capability if some capability in input.request.capabilities

wanted contains input.request.intent.type if count(input.request.capabilities) == 0

direct if "inference:direct" in input.request.principal.permissions

category := input.service.metadata.category
