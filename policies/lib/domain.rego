# METADATA
# title: Domains
# description: What a request is about, as its intent says.
package caio.lib.domain

import rego.v2

# METADATA
# title: Microsoft 365
# description: The request is about what stands in Microsoft 365.
m365 if upper(input.request.intent.domain) == "M365"
