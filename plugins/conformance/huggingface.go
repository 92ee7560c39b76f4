package conformance

import (
	"encoding/json"

	"github.com/smarthausgroup/caio/plugins/openai"
)

// HuggingFace is Text Generation Inference, whose specification it is, and the router.
func HuggingFace() Provider {
	return Provider{
		Name: "huggingface", Adapter: openai.New(openai.HuggingFace()), Contract: "huggingface-tgi.yaml",
		Evidence: "official specification",
		Intent:   compatibleIntent, Hello: compatibleHello,
		Settings: func(x *Exchange) map[string]any {
			if x.Kind == "embeddings" {
				return map[string]any{"api": "tasks"}
			}
			return nil
		},
		Want: func(x *Exchange) (*Want, string, error) {
			switch {
			case x.Response.Status > 299:
			case x.Kind == "other":
				return nil, "the normal form has no such task", nil
			case x.Kind == "embeddings":
				var vector []float64
				if err := json.Unmarshal(x.Response.Body, &vector); err != nil {
					return nil, "", err
				}
				return &Want{Vectors: [][]float64{vector}}, "", nil
			}
			return compatibleWant(x)
		},
	}
}
