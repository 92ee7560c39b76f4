# METADATA
# title: What a contract promises
# description: Bounds of a contract's guarantees. Undefined where the contract does not mention one.
package caio.lib.promise

import rego.v2

# METADATA
# title: At least
# description: The promised minimum of a guarantee, such as "availability".
minimum(guarantee) := input.service.guarantees[guarantee].bound.min

# METADATA
# title: At most
# description: The promised maximum of a guarantee, such as "latency".
maximum(guarantee) := input.service.guarantees[guarantee].bound.max

# METADATA
# title: Property
# description: What the guarantee is about, such as "p95_latency_ms".
property(guarantee) := input.service.guarantees[guarantee].property
