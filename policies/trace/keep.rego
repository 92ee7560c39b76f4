# METADATA
# title: What traces keep of payloads
# description: |
#   A trace holds digests of the request's intent and of the result, and neither itself, unless a rule of this package
#   says so: "intent", "result", or both. It is asked once for each tenant, and input.tenant is all there is to ask by;
#   it is empty for those who belong to none. Secrets are in no trace, whatever is kept.
#
#   As it ships nothing is kept. An overlay may bring trace/data.json, such as
#
#     {"keep": {"acme": ["intent", "result"]}}
#
#   or rules of its own, in a file beside this one:
#
#     keep contains "result" if startswith(input.tenant, "test-")
package caio.trace

import rego.v2

# METADATA
# title: What the data files say
keep contains what if some what in data.trace.keep[input.tenant]
