package conformance

import (
	"encoding/json"
	"strings"

	"github.com/smarthausgroup/caio/plugins/replicate"
)

// Replicate is Replicate's. Its recorded predictions are all under way; what comes of them is made up here, in the form of
// the specification.
func Replicate() Provider {
	return Provider{
		Name: "replicate", Adapter: replicate.Adapter{}, Contract: "replicate-image.yaml",
		Evidence: "official specification, by way of a mirror",
		Settings: replicateSettings, Intent: replicateIntent, Want: replicateWant, Poll: replicatePoll,
		Hello: func(*Exchange) map[string]any { return map[string]any{"payload": map[string]any{"prompt": "robots"}} },
	}
}

// replicateSettings are the model or the version, which a payload has no place for.
func replicateSettings(x *Exchange) map[string]any {
	settings := map[string]any{"model": "owner/name", "input": map[string]any{}}
	if x.Request == nil {
		return settings
	}
	var body struct{ Version string }
	if json.Unmarshal(x.Request.Body, &body) == nil && body.Version != "" {
		settings["model"] = body.Version
	} else if _, rest, ok := strings.Cut(x.Request.URL, "/v1/models/"); ok {
		settings["model"] = strings.TrimSuffix(rest, "/predictions")
	}
	if strings.Count(settings["model"].(string), "/") > 1 {
		settings["model"] = "owner/name"
	}
	return settings
}

func replicateIntent(x *Exchange) (map[string]any, bool, string) {
	if x.Request.Method != "POST" || !strings.HasSuffix(x.Request.URL, "/predictions") {
		return nil, false, "no prediction is created"
	}
	var body struct{ Input map[string]any }
	if err := json.Unmarshal(x.Request.Body, &body); err != nil {
		return nil, false, "the recorded request cannot be read"
	}
	return map[string]any{"payload": body.Input}, false, ""
}

func replicateWant(x *Exchange) (*Want, string, error) {
	if x.Kind != "predictions" && x.Response.Status < 300 {
		return nil, "what is known of a model is no work", nil
	}
	if x.Response.Status > 299 {
		var body struct{ Detail string }
		return &Want{Fail: true, Message: body.Detail}, "", json.Unmarshal(x.Response.Body, &body)
	}
	var body struct {
		Status, Model string
		Output        any
	}
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	switch body.Status {
	case "failed", "canceled", "aborted":
		return &Want{Fail: true}, "", nil
	case "succeeded":
		return &Want{Model: body.Model}, "", nil
	}
	return &Want{Model: body.Model}, "", nil
}

// replicatePoll is the recorded prediction, once more under way, and then done.
func replicatePoll(x *Exchange, i int) *Response {
	var body map[string]any
	if json.Unmarshal(x.Response.Body, &body) != nil {
		return nil
	}
	body["status"] = "processing"
	if i > 1 {
		body["status"], body["output"] = "succeeded", []any{"https://replicate.delivery/out.png"}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	return &Response{Status: 200, Headers: x.Response.Headers, Body: raw}
}
