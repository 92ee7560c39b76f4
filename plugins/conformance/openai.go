package conformance

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/openai"
)

// OpenAI is OpenAI's own API. A stream in its specification's examples ends without the [DONE] that the text beside it promises.
func OpenAI() Provider {
	return Provider{
		Name: "openai", Adapter: openai.New(openai.OpenAI()), Contract: "openai.yaml",
		Evidence: "official specification",
		Settings: func(x *Exchange) map[string]any {
			settings := map[string]any{}
			if x.Response.Stream != "" && !strings.Contains(x.Response.Stream, "[DONE]") {
				settings["stream_done"] = false
			}
			return settings
		},
		Intent: compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}
