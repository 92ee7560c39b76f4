package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// LMStudio is LM Studio, which publishes no specification and follows OpenAI's.
func LMStudio() Provider {
	return Provider{
		Name: "lmstudio", Adapter: openai.New(openai.LMStudio()), Contract: "lmstudio.yaml",
		Evidence: "OpenAI's specification, official", Spec: "openai",
		Settings: apiOf, Intent: compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}
