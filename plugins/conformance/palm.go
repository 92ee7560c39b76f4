package conformance

import "github.com/smarthausgroup/caio/plugins/palm"

// Palm is Google's PaLM, which is no more.
func Palm() Provider {
	return Provider{
		Name: "palm", Adapter: palm.Adapter{}, Contract: "palm.yaml",
		Evidence: "specification derived from Google's protos; the service was shut down in 2024",
		Settings: func(x *Exchange) map[string]any {
			if x.Kind == "completion" {
				return map[string]any{"method": "text"}
			}
			return nil
		},
		Want: func(x *Exchange) (*Want, string, error) {
			body, err := readTree(x.Response.Body)
			candidate := body.get("candidates").at(0)
			return &Want{Text: candidate.get("content", "output").text(), Finish: "stop"}, "", err
		},
	}
}
