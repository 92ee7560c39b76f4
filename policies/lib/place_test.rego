package caio.lib.place_test

import data.caio.lib.place
import rego.v2

service(privacy) := {"service": {"privacy": object.union({"data_locality": "cloud", "region": "", "compliance": []}, privacy)}}

test_premises if {
	every where in ["on_device", "local"] {
		place.on_premises with input as service({"data_locality": where})
		place.within("eu") with input as service({"data_locality": where})
	}
	every where in ["region", "cloud", ""] {
		not place.on_premises with input as service({"data_locality": where})
	}
}

test_region_and_its_parts if {
	every region in ["eu", "EU", "eu-west-1", "de", "fr-par"] {
		place.within("eu") with input as service({"region": region})
	}
	place.within("us") with input as service({"region": "us-east-2"})
}

test_other_regions if {
	every region in ["", "us", "eurasia", "ch"] {
		not place.within("eu") with input as service({"region": region})
	}
	not place.within("de") with input as service({"region": "eu"})
}

test_warranting_the_gdpr_counts_for_the_eu_alone if {
	place.within("eu") with input as service({"compliance": ["GDPR"]})
	not place.within("us") with input as service({"compliance": ["gdpr"]})
	not place.within("eu") with input as service({"compliance": ["hipaa"]})
}

test_missing_fields_are_nowhere if {
	not place.on_premises with input as {"service": {"privacy": {}}}
	not place.within("eu") with input as {"service": {"privacy": {}}}
}
