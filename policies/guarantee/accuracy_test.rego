package caio.guarantee.accuracy_test

import data.caio.guarantee.accuracy
import rego.v2

promised := {"accuracy": {"property": "classification_accuracy", "bound": {"type": "min", "min": 0.9}}}

found(guarantees, metadata) := {[v.rule, v.facts.as, v.reaction] |
	some v in accuracy.violation with input as {"request": {}, "service": {"guarantees": guarantees}, "result": {"metadata": metadata}}
}

test_accurate_answers if {
	found(promised, {"accuracy": 0.9}) == set()
	found(promised, {"confidence": 1}) == set()
	found(promised, {}) == set()
}

test_inaccurate_answers_fall_back if {
	found(promised, {"accuracy": 0.89}) == {["ACCURACY-001", "accuracy", "fallback"]}
	found(promised, {"confidence": 0}) == {["ACCURACY-001", "confidence", "fallback"]}
	count(found(promised, {"accuracy": 0.1, "confidence": 0.1})) == 2
}

test_words_are_no_accuracy if found(promised, {"confidence": "high"}) == {["ACCURACY-001", "confidence", "fallback"]}

test_nothing_promised_nothing_broken if found({}, {"accuracy": 0}) == set()
