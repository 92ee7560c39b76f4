# METADATA
# title: Performance
# description: What a service can take.
package caio.routing.performance

import rego.v2

# METADATA
# title: Answers fit the service
# description: A request does not go to a service that takes fewer tokens in one request than the answer may have.
deny contains {
	"rule": "PERFORMANCE-001",
	"message": sprintf("max_tokens is %v; the service takes at most %v tokens in one request", [wanted, limit]),
	"facts": {"max_tokens": wanted, "limit": limit},
} if {
	some wanted in answer_tokens
	some limit in token_limits
	wanted > limit
}

answer_tokens contains input.request.intent.chat.max_tokens

answer_tokens contains input.request.intent.code.max_tokens

token_limits contains input.service.constraints.max_tokens_per_request

token_limits contains input.service.constraints.context_length
