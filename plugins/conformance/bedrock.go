package conformance

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/smarthausgroup/caio/plugins/bedrock"
	"github.com/smarthausgroup/caio/plugins/openai"
)

// Bedrock is AWS Bedrock's runtime.
func Bedrock() Provider {
	return Provider{
		Name: "bedrock", Adapter: bedrock.Adapter{}, Contract: "bedrock.yaml",
		Evidence: "specification derived from the official service model",
		Only:     func(x *Exchange) bool { return x.Kind != "rerank" && x.Kind != "responses" },
		Settings: bedrockSettings, Intent: bedrockIntent, Hello: bedrockHello, Want: bedrockWant,
	}
}

// BedrockRerank is AWS Bedrock's rerank, which has an address of its own.
func BedrockRerank() Provider {
	return Provider{
		Name: "bedrock-rerank", Corpus: "bedrock", Adapter: bedrock.Adapter{}, Contract: "bedrock-rerank.yaml", Evidence: "recordings only",
		Only: func(x *Exchange) bool { return x.Kind == "rerank" },
		Hello: func(x *Exchange) map[string]any {
			return map[string]any{"rerank": map[string]any{"query": "q", "documents": []string{"a", "b", "c", "d", "e", "f"}}}
		},
		Want: func(x *Exchange) (*Want, string, error) {
			var body struct {
				Results []struct {
					Index int
					Score float64 `json:"relevanceScore"`
				}
			}
			err := json.Unmarshal(x.Response.Body, &body)
			w := &Want{}
			for _, r := range body.Results {
				w.Ranked = append(w.Ranked, Rank{Index: r.Index, Score: r.Score})
			}
			return w, "", err
		},
	}
}

// BedrockMantle is where AWS Bedrock speaks OpenAI's API.
func BedrockMantle() Provider {
	return Provider{
		Name: "bedrock-mantle", Corpus: "bedrock", Adapter: openai.New(openai.OpenAI()), Contract: "bedrock-mantle.yaml",
		Evidence: "OpenAI's official specification; AWS publishes none", Spec: "openai",
		Only:     func(x *Exchange) bool { return x.Kind == "responses" },
		Settings: apiOf, Intent: compatibleIntent, Hello: compatibleHello, Want: compatibleWant,
	}
}

// bedrockOperation reads the model and the operation from a recorded URL.
func bedrockOperation(x *Exchange) (model, operation string) {
	if x.Request == nil {
		return "", ""
	}
	_, rest, _ := strings.Cut(x.Request.URL, "/model/")
	at := strings.LastIndexByte(rest, '/')
	if at < 0 {
		return "", ""
	}
	model, _ = url.PathUnescape(rest[:at])
	return model, rest[at+1:]
}

func bedrockSettings(x *Exchange) map[string]any {
	settings := map[string]any{}
	model, _ := bedrockOperation(x)
	if model != "" {
		settings["model"] = model
	}
	if x.Request == nil {
		return settings
	}
	if x.Kind == "invoke_model" && (strings.Contains(model, "anthropic.") || strings.Contains(model, "nova")) {
		settings["api"] = "invoke"
	}
	var body struct {
		Guardrail json.RawMessage `json:"guardrailConfig"`
		More      map[string]any  `json:"additionalModelRequestFields"`
	}
	if json.Unmarshal(x.Request.Body, &body) != nil {
		return settings
	}
	if body.Guardrail != nil {
		settings["extra_body"] = map[string]any{"guardrailConfig": body.Guardrail}
	}
	if thinking, _ := body.More["thinking"].(map[string]any); thinking["type"] != "adaptive" {
		delete(body.More, "thinking") // the intent says it
	}
	if len(body.More) > 0 {
		settings["additional_fields"] = body.More
	}
	return settings
}

func bedrockHello(x *Exchange) map[string]any {
	if x.Kind == "embeddings" {
		return map[string]any{"embedding": map[string]any{"input": []string{"a"}}}
	}
	return map[string]any{"chat": map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Hello"}}}}
}

const (
	noCount     = "the normal form does not count tokens"
	noTitanText = "Titan's own form of text: the adapter asks by Converse"
)

func bedrockIntent(x *Exchange) (intent map[string]any, stream bool, skip string) {
	_, operation := bedrockOperation(x)
	switch {
	case x.Kind == "models":
		return nil, false, noCount
	case x.Kind == "embeddings":
		return bedrockEmbedding(x.Request.Body)
	case len(x.Request.Body) == 0 || string(x.Request.Body) == "null":
		return nil, false, "the recorded request has no body"
	case bytes.Contains(x.Request.Body, []byte(`"inputText"`)):
		return nil, false, noTitanText
	case bytes.Contains(x.Request.Body, []byte(`"anthropic_version"`)):
		intent, _, skip = claudeIntent(x.Kind, x.Request.Body)
	default:
		intent, skip = converseIntent(x.Request.Body)
	}
	return intent, strings.HasSuffix(operation, "stream"), skip
}

func bedrockEmbedding(raw json.RawMessage) (map[string]any, bool, string) {
	var b struct {
		Text       string `json:"inputText"`
		Texts      []string
		Kind       string `json:"input_type"`
		Dimensions int
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, false, "the recorded request is cut"
	}
	if b.Texts == nil {
		b.Texts = []string{b.Text}
	}
	e := map[string]any{"input": b.Texts}
	if b.Dimensions > 0 {
		e["dimensions"] = b.Dimensions
	}
	if kind, ok := strings.CutPrefix(b.Kind, "search_"); ok {
		e["purpose"] = kind
	}
	return map[string]any{"embedding": e}, false, ""
}
