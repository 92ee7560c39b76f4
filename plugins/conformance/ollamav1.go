package conformance

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/openai"
)

// OllamaV1 is what is asked of Ollama in OpenAI's form: its cloud, and the /v1 paths of its server.
func OllamaV1() Provider {
	return Provider{
		Name: "ollama-v1", Corpus: "ollama", Adapter: openai.New(openai.OpenAI()), Contract: "ollama-cloud.yaml",
		Evidence: "OpenAI's specification, official", Spec: "openai", Only: likeOpenAI,
		Intent: compatibleIntent, Hello: compatibleHello,
		Want: func(x *Exchange) (*Want, string, error) {
			want, skip, err := compatibleWant(x)
			if want != nil && strings.Contains(string(x.Response.Body), "exceeded max context length") {
				want.Reason = "context_too_long" // its code says invalid_request_error
			}
			return want, skip, err
		},
	}
}
