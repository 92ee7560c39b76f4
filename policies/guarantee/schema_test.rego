package caio.guarantee.schema_test

import data.caio.guarantee.schema
import rego.v2

found(request, result) := {[v.rule, v.message] |
	some v in schema.violation with input as {"request": {"intent": request}, "service": {}, "result": result}
	v.reaction == "fallback"
}

says(text) := {"chat": {"message": {"role": "assistant", "content": text, "parts": [], "tool_calls": []}, "finish_reason": "stop"}}

test_answers if {
	found({}, says("hello")) == set()
	found({}, {"output": {"language": "deu"}}) == set()
	found({}, {"embedding": {"vectors": [{"values": [1, 2]}]}}) == set()
}

test_tools_parts_and_filters_are_answers if {
	found({}, {"chat": {"message": {"content": "", "parts": [], "tool_calls": [{"name": "f"}]}}}) == set()
	found({}, {"chat": {"message": {"content": "", "parts": [{"url": "x"}], "tool_calls": []}}}) == set()
	found({}, {"chat": {"message": {"content": "", "parts": [], "tool_calls": []}, "finish_reason": "content_filter"}}) == set()
}

test_nothing_is_no_answer if {
	empty := {["SCHEMA-001", "the answer is empty"]}
	found({}, says("")) == empty
	found({}, {"output": {}}) == empty
	found({}, {"embedding": {"vectors": []}}) == empty
	found({}, {"metadata": {}}) == empty
}

asks := {"chat": {"response_schema": {"type": "object", "required": ["name", "age"]}}}

test_structured_answers if {
	found(asks, says(`{"name": "x", "age": null}`)) == set()
	found(asks, says(`{"name": "x"}`)) == {["SCHEMA-002", `the answer has no "age"`]}
	found(asks, says("Sure! Here it is")) == {["SCHEMA-002", "the answer is not JSON"]}
	found({"chat": {"response_schema": {"type": "object"}}}, says(`{}`)) == set()
}

test_structured_answers_that_are_no_objects if {
	count(found(asks, says("[1]"))) == 2
}

test_vectors if {
	two := {"embedding": {"input": ["a", "b"]}}
	found(two, {"embedding": {"vectors": [{"values": [1, 2]}, {"values": [3, 4]}]}}) == set()
	found(two, {"embedding": {"vectors": [{"values": [1, 2]}]}}) == {["SCHEMA-003", "2 texts were sent and 1 vectors came back"]}
	found(two, {"embedding": {"vectors": [{"values": [1, 2]}, {"values": [3]}]}}) == {["SCHEMA-003", "the vectors are not all of the same length"]}
}
