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
			if x.Kind == "chat" && !strings.Contains(x.Response.Stream, "[DONE]") {
				return map[string]any{"stream_done": false}
			}
			return apiOf(x)
		},
		Intent: func(x *Exchange) (map[string]any, bool, string) {
			intent, stream, skip := compatibleIntent(x)
			if skip == "" && x.Kind == "responses" && saidInParts(intent) {
				skip = "request: two schemas of the specification's oneOf fit a content in parts, so that it allows none"
			}
			return intent, stream, skip
		}, Hello: compatibleHello, Want: compatibleWant,
	}
}

// saidInParts reports whether a user's message has parts.
func saidInParts(intent map[string]any) bool {
	for _, m := range listOf(intent["chat"].(object)["messages"]) {
		if m := m.(object); m["role"] == "user" && m["parts"] != nil {
			return true
		}
	}
	return false
}
