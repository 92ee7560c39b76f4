# METADATA
# title: Accuracy
# description: What the service says of its own answer, against what its contract promises.
package caio.guarantee.accuracy

import data.caio.lib.promise
import rego.v2

# METADATA
# title: Answers are as accurate as promised
# description: An answer whose own accuracy or confidence lies below the promised minimum; another service is tried.
violation contains {
	"rule": "ACCURACY-001",
	"message": sprintf("the answer's %s is %v; at least %v is promised", [name, stated, promised]),
	"facts": {"stated": stated, "as": name, "promised": promised},
	"reaction": "fallback",
} if {
	promised := promise.minimum("accuracy")
	some name in ["accuracy", "confidence"]
	stated := input.result.metadata[name]
	below(stated, promised)
}

below(stated, promised) if stated < promised

# Words are greater than any number in Rego's order, and would pass for a perfect answer.
below(stated, _) if not is_number(stated)
