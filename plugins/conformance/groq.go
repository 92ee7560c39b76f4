package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// Groq is Groq's.
func Groq() Provider {
	return Provider{
		Name: "groq", Adapter: openai.New(openai.Groq()), Contract: "groq.yaml",
		Evidence: "official specification, by way of a mirror",
		Intent:   compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}
