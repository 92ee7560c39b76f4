package conformance

import (
	"encoding/json"
	"testing"

	"github.com/smarthausgroup/caio/sdk/adapter"
)

// everything are intents that say all there is to say, to be sent as far as a provider takes it.
var everything = map[string]string{
	"chat": `{"chat":{"model":"m","messages":[{"role":"system","content":"be brief","parts":[{"media_type":"text/plain","text":"please"}]},
		{"role":"user","content":"see","name":"ann","parts":[{"media_type":"image/png","data":"aGk="},{"media_type":"image/png","url":"https://example.com/a.png"},{"media_type":"audio/wav","data":"AA=="},{"media_type":"application/pdf","data":"JVBERg==","name":"a.pdf"}]},
		{"role":"assistant","content":"","thoughts":[{"text":"hm"}],"tool_calls":[{"id":"call_123","name":"f","arguments":"{}"}]},
		{"role":"tool","content":"4","tool_call_id":"call_123"},{"role":"assistant","content":"done"},{"role":"user","content":"and?"}],
		"temperature":0.5,"top_p":0.9,"max_tokens":9,"stop":["a","b"],"seed":1,"top_k":3,"frequency_penalty":0.5,"presence_penalty":-0.5,
		"tools":[{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}},{"name":"g"}],
		"tool_choice":"f","parallel_tool_calls":false,"response_schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false},
		"reasoning":{"effort":"high"}}}`,
	"object": `{"chat":{"model":"m","messages":[{"role":"user","content":"JSON, please"}],"json_object":true,"tool_choice":"required","reasoning":{"effort":"none"}}}`,
	"plain":  `{"chat":{"model":"m","messages":[{"role":"user","content":"Hi"}],"reasoning":{"max_tokens":0}}}`,
	"responses": `{"chat":{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"see"},
		{"role":"assistant","content":"hm","tool_calls":[{"id":"call_123","name":"f","arguments":"{}"}]},
		{"role":"tool","content":"4","tool_call_id":"call_123"},{"role":"user","content":"and?"}],
		"temperature":0.5,"top_p":0.9,"max_tokens":99,"stop":["a"],"tools":[{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}}}},{"name":"g"}],
		"tool_choice":"f","parallel_tool_calls":false,"response_schema":{"type":"object"},"reasoning":{"effort":"high"}}}`,
	"embedding": `{"embedding":{"model":"m","input":["a","b"],"dimensions":128,"purpose":"query"}}`,
	"code":      `{"code":{"model":"m","prompt":"a","suffix":"b","language":"go","max_tokens":9}}`,
	"rerank":    `{"rerank":{"model":"m","query":"q","documents":["a","b"],"top_n":1}}`,
	"search":    `{"search":{"query":"q","max_results":2,"include_domains":["a.com"],"exclude_domains":["b.com"]}}`,
	"speech":    `{"speech":{"model":"m","text":"a","voice":"alloy","media_type":"audio/wav"}}`,
	"image":     `{"image":{"model":"m","prompt":"cat","size":"1024x1024","count":1,"negative_prompt":"dog","seed":1,"media_type":"image/png","quality":"hd"}}`,
	"edit":      `{"image":{"model":"m","prompt":"cat","images":[{"media_type":"image/png","data":"aGk="}]}}`,
}

// unlike says why a specification does not allow what the provider does.
var unlike = map[string]string{
	"azure-openai responses": "it is of a version in which calls had to be handed back with an id of their own",
	"azure-openai speech":    "it wants a form with no file in it, the provider's own examples are JSON",
	"huggingface embedding":  "it is that of text generation alone",
	"xai responses":          "it is older than /responses",
}

// TestEverythingThatCanBeSaidIsAllowed holds what the adapters of the providers that speak OpenAI's API would send, for all that an
// intent can say, against the providers' specifications.
func TestEverythingThatCanBeSaidIsAllowed(t *testing.T) {
	dir := corpus(t)
	for _, p := range []Provider{AzureOpenAI(), Groq(), HuggingFace(), LMStudio(), MetaLlama(), Mistral(), OpenAI(), Perplexity(), Together(), XAI()} {
		r := newRun(t, dir, p)
		tried := 0
		for name, text := range everything {
			for _, stream := range []bool{false, true} {
				var intent map[string]any
				if err := json.Unmarshal([]byte(text), &intent); err != nil {
					t.Fatal(err)
				}
				intent["unsupported"] = "warn"
				if name == "embedding" && p.Name == "perplexity" {
					intent["embedding"].(object)["model"] = "pplx-embed-v1-0.6b" // it names them all
				}
				x := &Exchange{Kind: name, Response: &Response{Status: 200}}
				play := r.play(t, x, intent, stream)
				play.Answer = nil
				out, err := play.Run()
				if err != nil {
					t.Fatal(err)
				}
				if len(out.Calls) == 0 {
					if out.Failure.Code != adapter.TransformationFailed {
						t.Errorf("%s %s: %+v", p.Name, name, out.Failure)
					}
					continue
				}
				tried++
				err = r.spec.validate(out.Calls[0], r.base)
				why := unlike[p.Name+" "+name]
				switch {
				case (err != nil) == (why != ""):
				case err == nil:
					t.Errorf("%s %s is allowed after all", p.Name, name)
				default:
					t.Errorf("%s %s: %s\n%s", p.Name, name, out.Calls[0].Body, clip(err.Error()))
				}
			}
		}
		t.Logf("%s: %d requests", p.Name, tried)
	}
}
