package caio.trace_test

import data.caio.trace
import rego.v2

test_nothing_is_kept if {
	every tenant in ["", "acme"] {
		trace.keep == set() with input as {"tenant": tenant}
	}
}

test_what_the_data_files_say if {
	said := {"acme": ["intent"], "": ["result"]}
	trace.keep == {"intent"} with input as {"tenant": "acme"} with data.trace.keep as said
	trace.keep == {"result"} with input as {"tenant": ""} with data.trace.keep as said
	trace.keep == set() with input as {"tenant": "umbrella"} with data.trace.keep as said
}
