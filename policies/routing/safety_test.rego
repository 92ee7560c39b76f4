package caio.routing.safety_test

import data.caio.routing.safety
import rego.v2

rules(attributes, alignment) := {reason.rule |
	some reason in safety.deny with input as {"request": {"context": {"attributes": attributes}}, "service": {"alignment": alignment}}
}

test_minors if {
	rules({"audience": "minors"}, {"safety_class": "strict"}) == set()
	rules({"audience": "minors"}, {"safety_class": "standard"}) == {"SAFETY-001"}
	rules({"audience": "minors"}, {}) == {"SAFETY-001"}
}

test_others if {
	rules({"audience": "adults"}, {"safety_class": "none"}) == set()
	rules({}, {"safety_class": "none"}) == set()
}

test_filters if {
	rules({"content_filters": ["hate"]}, {"content_filters": ["hate", "violence"]}) == set()
	rules({"content_filters": ["hate", "self_harm"]}, {"content_filters": ["hate"]}) == {"SAFETY-002"}
	rules({"content_filters": ["hate"]}, {}) == {"SAFETY-002"}
	rules({"content_filters": []}, {}) == set()
}

test_no_context_asks_for_nothing if {
	count(safety.deny) == 0 with input as {"request": {}, "service": {}}
}
