# METADATA
# title: Safety
# description: What a service must be for those whom its answers reach. Callers say so in the context's attributes.
package caio.routing.safety

import rego.v2

# METADATA
# title: Minors are answered strictly
# description: Where context.attributes.audience is "minors", only services of safety class "strict" answer.
deny contains {
	"rule": "SAFETY-001",
	"message": sprintf("answers for minors need a service of safety class \"strict\"; it is %q", [object.get(input.service, ["alignment", "safety_class"], "")]),
	"facts": {"safety_class": object.get(input.service, ["alignment", "safety_class"], "")},
} if {
	input.request.context.attributes.audience == "minors"
	not input.service.alignment.safety_class == "strict"
}

# METADATA
# title: Filters that are asked for are in force
# description: Every filter named in context.attributes.content_filters is one of the contract's content_filters.
deny contains {
	"rule": "SAFETY-002",
	"message": sprintf("the content filter %q is asked for; in force are %v", [filter, object.get(input.service, ["alignment", "content_filters"], [])]),
	"facts": {"content_filters": object.get(input.service, ["alignment", "content_filters"], [])},
} if {
	some filter in input.request.context.attributes.content_filters
	not filter in input.service.alignment.content_filters
}
