package conformance

import "github.com/smarthausgroup/caio/plugins/openai"

// HuggingFace is Text Generation Inference, whose specification it is, and the router.
func HuggingFace() Provider {
	return Provider{
		Name: "huggingface", Adapter: openai.New(openai.HuggingFace()), Contract: "huggingface-tgi.yaml",
		Evidence: "official specification",
		Intent:   compatibleIntent, Hello: compatibleHello,
		Want: func(x *Exchange) (*Want, string, error) {
			if x.Response.Status < 300 && len(x.Response.Body) > 0 && x.Response.Body[0] == '[' {
				return nil, "the adapter speaks chat completions, no tasks", nil
			}
			return compatibleWant(x)
		},
	}
}
