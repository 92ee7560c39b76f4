package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// Together is Together's.
func Together() Provider {
	return Provider{
		Name: "together", Adapter: openai.New(openai.Together()), Contract: "together.yaml",
		Evidence: "official specification",
		Intent:   compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}
