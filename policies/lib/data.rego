# METADATA
# title: What the payload is
# description: Words for the sensitivity of a request's data, shared by privacy, compliance and security.
package caio.lib.data

import rego.v2

# METADATA
# title: Sensitive
# description: Personal or health data, or data classified confidential or restricted.
sensitive if input.request.data.contains_pii

sensitive if input.request.data.contains_phi

sensitive if classification in {"confidential", "restricted"}

# METADATA
# title: Classification
# description: The classification in lower case, empty when the caller did not classify.
classification := lower(input.request.data.classification)

# METADATA
# title: Residency
# description: Where the data must stay, in lower case, empty for anywhere.
residency := lower(input.request.data.residency)
