package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// MetaLlama is Meta's.
func MetaLlama() Provider {
	return Provider{
		Name: "meta-llama", Adapter: openai.New(openai.MetaLlama()), Contract: "meta-llama.yaml",
		Evidence: "specification derived from the official SDK",
		Intent:   compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}
