package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// Mistral is Mistral's.
func Mistral() Provider {
	return Provider{
		Name: "mistral", Adapter: openai.New(openai.Mistral()), Contract: "mistral.yaml",
		Evidence: "official specification",
		Intent:   compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}
