// Package bedrock is the adapter "bedrock": models of many makers by AWS Bedrock's runtime, by Converse and ConverseStream, or by
// InvokeModel. The host signs with SigV4 (auth scheme sigv4, service "bedrock"); this package forms URLs such as
// {base_url}/model/{model}/converse.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model              the model, inference profile or ARN, where the request names none
//	models             list of models; the first is used where neither the request nor model names one
//	api                "converse" (default) or "invoke": chats go to InvokeModel, in the maker's own form; for models of
//	                   Anthropic and Nova
//	family             whose model it is: "anthropic", "nova", "titan", "cohere", "openai" or "other"; default: as the model's
//	                   name says, which an ARN of an inference profile does not. It decides how thoughts and top_k are asked
//	                   for, and of what form embeddings are
//	max_tokens         the most tokens that are generated where the request does not say; default: the model's own most, but
//	                   4096 for InvokeModel with models of Anthropic, which must be told
//	thinking           models of Anthropic: "effort" (default) or "budget", as in the adapter "anthropic"
//	schema_as          how chat.response_schema is said: "output_config" (default) or "tool", as in the adapter "anthropic"
//	input_type         Cohere's word for what embeddings are for, where the request does not say; default "search_document"
//	max_calls          how many calls one execution may make, as the host's operator has it; default 16. More texts to be
//	                   embedded than that many calls take are refused, before the first
//	extra_body         an object whose fields are added to every request, such as {"guardrailConfig": {...}}; fields that this
//	                   adapter writes itself are refused
//	additional_fields  an object whose fields are added to additionalModelRequestFields, what only some models know; likewise
//
// # What is understood
//
// Of intents chat; embedding, with models of Titan (a call for each text) and Cohere (a call for each 96); rerank, which needs a
// contract whose base_url is https://bedrock-agent-runtime.REGION.amazonaws.com.
//
// Of parts text, pictures, documents, audio and video as data, or by a URL of s3://; what of it a model reads differs. No
// model is asked for a seed or penalties, nor told speakers' names; top_k and thoughts only models whose family has a way for
// it.
//
// Converse does not say which model answered: the result's model is the one that was asked. A stream must bring both messageStop
// and metadata, which holds the usage. What a guardrail did stands in metadata.trace, citations in metadata.citations.
package bedrock

import (
	"errors"

	"github.com/smarthausgroup/caio/plugins/internal/claude"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to AWS Bedrock; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "bedrock", Version: "1.0.0", Description: "Models by AWS Bedrock: Converse and InvokeModel with streams, embeddings, rerank"}
}

// The kinds of work, by which the state is read.
const (
	kindConverse uint32 = 1 + iota // also InvokeModel with Nova, whose form is nearly that
	kindClaude                     // InvokeModel with models of Anthropic
	kindEmbedding
	kindRerank
)

// Step asks at the start, and puts the answer together.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	kind, rest, err := unpack(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Kind == adapter.KindResponse && (ev.Status < 200 || ev.Status > 299) {
		return adapter.Reply{}, refusal(ev)
	}
	switch kind {
	case kindConverse:
		return conversed(state, rest, ev)
	case kindClaude:
		return invoked(state, rest, ev)
	}
	if ev.Kind != adapter.KindResponse {
		return adapter.Reply{}, errors.New("an answer was expected")
	}
	body, err := json.Parse(ev.Body)
	switch {
	case err != nil:
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	case kind == kindEmbedding:
		return embedded(rest, ev, body)
	case kind == kindRerank:
		return reranked(rest, body)
	}
	return adapter.Reply{}, errors.New("state: it is of no known kind")
}

// pack writes a state of a kind.
func pack(kind uint32, rest []byte) []byte {
	var e adapter.Encoder
	e.Number(1, kind)
	e.Data(2, rest)
	return e.Bytes()
}

func unpack(state []byte) (kind uint32, rest []byte, err error) {
	d := adapter.Decoder{Rest: state}
	for d.Next() {
		switch d.Tag {
		case 1:
			kind = d.Number()
		case 2:
			rest = d.Value
		}
	}
	return kind, rest, d.Err
}

// settings are a contract's, read.
type settings struct {
	claude.Options
	model      string
	family     string
	invoke     bool
	inputType  string
	maxCalls   int64
	additional json.Value
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "chat", "embedding", "rerank")
	if err != nil {
		return adapter.Reply{}, err
	}
	s, err := readSettings(c)
	if err != nil {
		return adapter.Reply{}, err
	}
	switch c.Kind {
	case "embedding":
		return s.embed(c)
	case "rerank":
		return s.rerank(c)
	}
	return s.chat(c)
}

func readSettings(c *normal.Call) (s settings, err error) {
	if s.model, err = c.Model(); err != nil {
		return s, err
	}
	if s.Options, err = claude.ReadOptions(&c.Settings, 0); err != nil {
		return s, err
	}
	s.family = c.Settings.Text("family", familyOf(s.model))
	s.inputType = c.Settings.Text("input_type", "search_document")
	s.maxCalls = c.Settings.Number("max_calls", 16)
	s.additional = c.Settings.Object("additional_fields")
	api := c.Settings.Text("api", "converse")
	if err := c.Settings.Err(); err != nil {
		return s, err
	}
	switch s.family {
	case anthropic, nova, titan, cohere, openAI, other:
	default:
		return s, normal.BadSetting("family", "must be anthropic, nova, titan, cohere, openai or other")
	}
	if s.invoke = api == "invoke"; !s.invoke && api != "converse" {
		return s, normal.BadSetting("api", "must be converse or invoke")
	}
	return s, nil
}

// url returns the address of a model's operation.
func (s *settings) url(c *normal.Call, operation string) string {
	return c.Base + "/model/" + normal.Escape(s.model) + "/" + operation
}
