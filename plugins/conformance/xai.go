package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// XAI is xAI's.
func XAI() Provider {
	return Provider{
		Name: "xai", Adapter: openai.New(openai.XAI()), Contract: "xai.yaml",
		Evidence: "third-party specification",
		Intent:   compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}
