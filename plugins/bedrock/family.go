package bedrock

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/claude"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// The families of models that differ in more than Converse makes alike.
const (
	anthropic = "anthropic"
	nova      = "nova"
	titan     = "titan"
	cohere    = "cohere"
	openAI    = "openai"
	other     = "other"
)

// familyOf reads whose a model is from its name, before which a region or all of an ARN may stand.
func familyOf(model string) string {
	for _, f := range [...]struct{ in, family string }{
		{"anthropic.", anthropic}, {"amazon.nova", nova}, {"amazon.titan", titan}, {"cohere.", cohere}, {"openai.", openAI},
	} {
		if strings.Contains(model, f.in) {
			return f.family
		}
	}
	return other
}

// fields writes additionalModelRequestFields: what the families name differently.
func (s *settings) fields(c *normal.Call, w *json.Writer, t *claude.Thinking) error {
	var f json.Writer
	f.Begin('{')
	if s.family == anthropic {
		t.Write(&f)
	} else if err := s.think(c, &f); err != nil {
		return err
	}
	if k := c.Body.Get("top_k"); k.Exists() {
		switch s.family {
		case anthropic:
			f.Key("top_k")
			f.Raw(k)
		case nova:
			f.Key("inferenceConfig")
			f.Begin('{')
			f.Key("topK")
			f.Raw(k)
			f.End('}')
		default:
			if err := c.Cannot("chat.top_k", "Converse has no parameter for it but with models of Anthropic and Nova"); err != nil {
				return err
			}
		}
	}
	f.End('}')
	fields, err := normal.Extend(f.Bytes(), "additional_fields", s.additional)
	if err != nil {
		return err
	}
	if !json.Value(fields).Empty() {
		w.Key("additionalModelRequestFields")
		w.Raw(fields)
	}
	return nil
}

// think says how much is thought to models that are not Anthropic's.
func (s *settings) think(c *normal.Call, f *json.Writer) error {
	effort := c.Body.Pointer("/reasoning/effort").Text()
	tokens, counted := c.Body.Pointer("/reasoning/max_tokens").Int()
	none := effort == "none" || counted && tokens == 0
	switch {
	case effort == "" && !counted:
	case s.family == nova && none:
		f.Key("reasoningConfig")
		f.Raw(json.Value(`{"type":"disabled"}`))
	case counted:
		return c.Cannot("chat.reasoning.max_tokens", "Bedrock has no parameter for it but with models of Anthropic")
	case s.family != nova && s.family != openAI:
		return c.Cannot("chat.reasoning.effort", "Converse has no parameter for it but with models of Anthropic, Nova and OpenAI")
	case none || effort == "minimal":
		return c.Cannot("chat.reasoning.effort", "the model knows low, medium and high")
	case s.family == nova:
		f.Key("reasoningConfig")
		f.Begin('{')
		f.Key("type")
		f.String("enabled")
		f.Key("maxReasoningEffort")
		f.String(effort)
		f.End('}')
	default:
		f.Key("reasoning_effort")
		f.String(effort)
	}
	return nil
}
