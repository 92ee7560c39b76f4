package conformance

import (
	"net/url"
	"strings"

	"github.com/smarthausgroup/caio/plugins/openai"
)

// AzureOpenAI is Azure's. Its specification has deployments alone; requests that were made to the models of others are asked of a
// deployment.
func AzureOpenAI() Provider {
	return Provider{
		Name: "azure-openai", Adapter: openai.New(openai.AzureOpenAI()), Contract: "azure-openai.yaml",
		Evidence: "official specification",
		Settings: func(x *Exchange) map[string]any {
			if x.Request == nil || x.Kind == "responses" {
				return apiOf(x)
			}
			url, err := url.Parse(x.Request.URL)
			if err != nil {
				return nil
			}
			version := url.Query().Get("api-version")
			if version == "" {
				version = "2024-10-21"
			}
			settings := map[string]any{"api_version": version}
			if _, rest, ok := strings.Cut(url.Path, "/deployments/"); ok {
				settings["deployment"], _, _ = strings.Cut(rest, "/")
			}
			return settings
		},
		Intent: func(x *Exchange) (map[string]any, bool, string) {
			intent, stream, skip := compatibleIntent(x)
			if skip == "" && x.Kind == "responses" && strings.Contains(string(x.Request.Body), `"encrypted_content"`) {
				skip = "request: this version of the specification knows no hidden thoughts"
			}
			return intent, stream, skip
		}, Hello: compatibleHello, Want: compatibleWant,
	}
}
