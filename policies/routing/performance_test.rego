package caio.routing.performance_test

import data.caio.routing.performance
import rego.v2

refused(intent, constraints) if {
	some reason in performance.deny with input as {"request": {"intent": intent}, "service": {"constraints": constraints}}
	reason.rule == "PERFORMANCE-001"
}

test_answers_that_do_not_fit if {
	refused({"chat": {"max_tokens": 5000}}, {"max_tokens_per_request": 4096})
	refused({"code": {"max_tokens": 5000}}, {"max_tokens_per_request": 8192, "context_length": 4096})
}

test_answers_that_fit if {
	not refused({"chat": {"max_tokens": 4096}}, {"max_tokens_per_request": 4096})
	not refused({"chat": {"max_tokens": 100}}, {"max_tokens_per_request": 4096, "context_length": 4096})
}

test_what_is_not_stated_does_not_limit if {
	not refused({"chat": {"max_tokens": 5000}}, {})
	not refused({"chat": {}}, {"max_tokens_per_request": 1})
	not refused({"payload": {}}, {"max_tokens_per_request": 1})
}
