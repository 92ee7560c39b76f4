package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// XAI is xAI's. Its specification, which is a third party's, has no /responses.
func XAI() Provider {
	return Provider{
		Name: "xai", Adapter: openai.New(openai.XAI()), Contract: "xai.yaml",
		Evidence: "third-party specification",
		Settings: apiOf, Hello: compatibleHello, Want: compatibleWant,
		Intent: func(x *Exchange) (intent map[string]any, stream bool, skip string) {
			if x.Kind == "responses" {
				return nil, false, "request: the specification has no /responses"
			}
			return compatibleIntent(x)
		},
	}
}
