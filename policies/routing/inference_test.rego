package caio.routing.inference_test

import data.caio.routing.inference
import rego.v2

engine := {"inference_engine": {"capabilities": ["chat", "embedding"]}}

rules(request, category) := {reason.rule |
	some reason in inference.deny with input as {
		"request": object.union({"match": "all", "capabilities": [], "principal": {"permissions": []}, "registered": engine}, request),
		"service": {"metadata": {"category": category}},
	}
}

test_the_engine_is_asked_in_the_place_of_providers if {
	rules({"capabilities": ["chat"]}, "inference_engine") == set()
	rules({"capabilities": ["chat"]}, "llm") == {"INFERENCE-001"}
	rules({"capabilities": ["chat", "embedding"]}, "") == {"INFERENCE-001"}
}

test_without_one_inference_goes_to_the_providers if {
	count(inference.deny) == 0 with input as {
		"request": {"match": "all", "capabilities": ["chat"], "principal": {"permissions": []}, "registered": {}},
		"service": {"metadata": {"category": "llm"}},
	}
}

test_what_the_engine_does_not_offer_goes_past_it if {
	rules({"capabilities": ["speech"]}, "voice") == set()
	rules({"capabilities": ["chat", "speech"]}, "voice") == set()
	rules({"capabilities": ["chat", "speech"], "match": "any"}, "voice") == {"INFERENCE-001"}
	rules({"capabilities": ["speech"], "match": "any"}, "voice") == set()
}

test_an_intent_tells_where_no_capability_is_named if {
	rules({"intent": {"type": "chat"}}, "llm") == {"INFERENCE-001"}
	rules({"intent": {"type": "speech"}}, "voice") == set()
	rules({}, "llm") == set()
}

test_the_engine_itself_asks_the_providers if {
	rules({"capabilities": ["chat"], "principal": {"permissions": ["inference:direct"]}}, "llm") == set()
	rules({"capabilities": ["chat"], "principal": {"permissions": ["inference:direct"]}}, "inference_engine") == {"INFERENCE-002"}
}

test_microsoft_365_is_no_matter_of_the_engine if {
	rules({"capabilities": ["chat"], "intent": {"domain": "M365"}}, "m365") == set()
}
