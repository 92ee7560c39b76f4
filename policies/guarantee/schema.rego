# METADATA
# title: Form
# description: Whether what came back is an answer to what was asked.
package caio.guarantee.schema

import rego.v2

# METADATA
# title: Answers are not empty
# description: A service that answers with nothing at all did not serve; another is tried.
violation contains {
	"rule": "SCHEMA-001",
	"message": "the answer is empty",
	"facts": {"finish_reason": object.get(input.result, ["chat", "finish_reason"], "")},
	"reaction": "fallback",
} if {
	input.result
	not answered
}

# METADATA
# title: Structured answers follow their schema
# description: Where the request brings a schema, the answer is JSON and has the properties that the schema requires.
violation contains {
	"rule": "SCHEMA-002",
	"message": problem,
	"facts": {"required": object.get(input.request.intent.chat.response_schema, "required", [])},
	"reaction": "fallback",
} if {
	input.request.intent.chat.response_schema
	input.result.chat.message.content != ""
	some problem in problems
}

# METADATA
# title: Every text has its vector
# description: An embedding gives one vector for each text, and all are of the same length.
violation contains {
	"rule": "SCHEMA-003",
	"message": sprintf("%d texts were sent and %d vectors came back", [texts, vectors]),
	"facts": {"texts": texts, "vectors": vectors},
	"reaction": "fallback",
} if {
	texts := count(input.request.intent.embedding.input)
	vectors := count(input.result.embedding.vectors)
	texts != vectors
}

# METADATA
# title: Vectors are of one length
# description: Vectors of several lengths cannot be compared with each other.
violation contains {
	"rule": "SCHEMA-003",
	"message": "the vectors are not all of the same length",
	"facts": {"lengths": lengths},
	"reaction": "fallback",
} if {
	lengths := {count(vector.values) | some vector in input.result.embedding.vectors}
	count(lengths) > 1
}

answered if input.result.chat.message.content != ""

answered if count(input.result.chat.message.parts) > 0

answered if count(input.result.chat.message.tool_calls) > 0

# The provider's filter withheld the text, and says so: that is an answer.
answered if input.result.chat.finish_reason == "content_filter"

answered if count(input.result.embedding.vectors) > 0

answered if count(input.result.output) > 0

problems contains "the answer is not JSON" if not json.is_valid(input.result.chat.message.content)

problems contains sprintf("the answer has no %q", [name]) if {
	json.is_valid(input.result.chat.message.content)
	answer := json.unmarshal(input.result.chat.message.content)
	some name in input.request.intent.chat.response_schema.required
	not has(answer, name)
}

has(answer, name) if {
	is_object(answer)
	some key, _ in answer
	key == name
}
