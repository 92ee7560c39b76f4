package gemini_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/gemini"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// ask starts an execution.
func ask(a adapter.Adapter, settings, intent string, stream bool) adapter.Reply {
	contract := `{"service_id":"s","base_url":"https://google.example.com/","endpoints":[],"settings":` + settings + `}`
	return adapter.Run(a, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
}

func Example() {
	call := ask(gemini.Adapter{}, `{"models":["gemini-2.5-flash"]}`, `{"chat":{"messages":[{"role":"user","content":"Bonjour"}],"temperature":0}}`, true).Actions[0]
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://google.example.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
	// {"contents":[{"role":"user","parts":[{"text":"Bonjour"}]}],"generationConfig":{"temperature":0}}
}

func TestEveryParameterIsSaid(t *testing.T) {
	intent := `{"domain":"","type":"chat","unsupported":"","chat":{"model":"gemini-3-pro","messages":[
		{"role":"system","content":"be brief","parts":[{"text":"and kind"}]},
		{"role":"user","content":"see","parts":[{"media_type":"image/png","data":"aGk="},{"media_type":"","url":"https://x/a.jpg"},{"text":"and"},{"media_type":"audio/wav","data":"AA=="}],"name":""},
		{"role":"assistant","content":"","thoughts":[{"text":"hm","signature":""},{"signature":"c2ln"}],"tool_calls":[{"id":"gemini_r_0","name":"f","arguments":"{\"a\": 1}","signature":"Zg=="},{"id":"own","name":"g","arguments":""}]},
		{"role":"tool","content":"{\"b\":2}","tool_call_id":"gemini_r_0","parts":[{"media_type":"image/png","data":"aGk="}]},
		{"role":"tool","content":"four","tool_call_id":"own"},
		{"role":"assistant","content":"done","thoughts":[{"signature":"ZW5k"}]},
		{"role":"user","content":""}],
		"temperature":0.25,"top_p":1,"top_k":5,"max_tokens":9,"stop":["a","b"],"seed":0,"frequency_penalty":-1,"presence_penalty":0,
		"response_schema":{"type":"object"},"json_object":true,"tools":[{"name":"f","description":"","parameters":{"type":"object"}},{"name":"g","description":"d"}],
		"tool_choice":"f","parallel_tool_calls":true,"reasoning":{"effort":"low"}}}`
	call := ask(gemini.Adapter{}, `{"tools":[{"googleSearch":{}}],"generation_config":{"mediaResolution":"MEDIA_RESOLUTION_LOW"},"extra_body":{"cachedContent":"cachedContents/x"}}`, intent, false).Actions[0]
	want := `{"systemInstruction":{"parts":[{"text":"be brief"},{"text":"and kind"}]},"contents":[` +
		`{"role":"user","parts":[{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"aGk="}},{"fileData":{"fileUri":"https://x/a.jpg"}},{"text":"and"},{"inlineData":{"mimeType":"audio/wav","data":"AA=="}}]},` +
		`{"role":"model","parts":[{"text":"hm","thought":true},{"text":"","thoughtSignature":"c2ln"},{"functionCall":{"name":"f","args":{"a": 1}},"thoughtSignature":"Zg=="},{"functionCall":{"id":"own","name":"g","args":{}}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"b":2},"parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}}]}},{"functionResponse":{"id":"own","name":"g","response":{"output":"four"}}}]},` +
		`{"role":"model","parts":[{"text":"done","thoughtSignature":"ZW5k"}]},{"role":"user","parts":[{"text":""}]}],` +
		`"generationConfig":{"temperature":0.25,"topP":1,"topK":5,"maxOutputTokens":9,"stopSequences":["a","b"],"seed":0,"frequencyPenalty":-1,"presencePenalty":0,` +
		`"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true},"mediaResolution":"MEDIA_RESOLUTION_LOW"},` +
		`"tools":[{"functionDeclarations":[{"name":"f","description":"","parametersJsonSchema":{"type":"object"}},{"name":"g","description":"d"}]},{"googleSearch":{}}],` +
		`"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"cachedContent":"cachedContents/x"}`
	if string(call.Body) != want || call.URL != "https://google.example.com/v1beta/models/gemini-3-pro:generateContent" || call.Framing != "" {
		t.Errorf("%s %s\n%s\nwant\n%s", call.Message, call.URL, call.Body, want)
	}
}

func TestCallsWithoutIDsAreAnsweredByName(t *testing.T) {
	call := ask(gemini.Adapter{}, `{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"name":"f","arguments":"{}"}]},{"role":"tool","tool_call_id":"f","content":"{}"}]}}`, false).Actions[0]
	if want := `{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`; !strings.HasSuffix(string(call.Body), want) {
		t.Errorf("%s %s", call.Body, call.Message)
	}
}

func TestVertexKnowsNamesOfFiles(t *testing.T) {
	call := ask(gemini.Vertex{}, `{"project":"p","model":"m"}`, `{"chat":{"messages":[{"role":"user","parts":[{"media_type":"application/pdf","url":"gs://b/o","name":"o.pdf"}]}]}}`, false).Actions[0]
	if want := `{"contents":[{"role":"user","parts":[{"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/o","displayName":"o.pdf"}}]}]}`; string(call.Body) != want {
		t.Errorf("%s %s", call.Body, call.Message)
	}
}

func TestHowMuchToThinkIsSaidAsTheModelKnowsIt(t *testing.T) {
	for name, row := range map[string]struct{ model, settings, reasoning, want string }{
		"budget by name":      {"gemini-2.5-pro", `{}`, `{"effort":"medium"}`, `{"thinkingBudget":8192,"includeThoughts":true}`},
		"not at all":          {"gemini-2.5-flash", `{}`, `{"effort":"none"}`, `{"thinkingBudget":0}`},
		"tokens":              {"gemini-3-pro", `{}`, `{"max_tokens":100}`, `{"thinkingBudget":100,"includeThoughts":true}`},
		"no tokens":           {"gemini-2.5-flash", `{}`, `{"max_tokens":0}`, `{"thinkingBudget":0}`},
		"level":               {"gemini-3-pro", `{"thoughts":false}`, `{"effort":"high"}`, `{"thinkingLevel":"HIGH"}`},
		"level by setting":    {"gemini-2.5-pro", `{"thinking":"level"}`, `{"effort":"minimal"}`, `{"thinkingLevel":"MINIMAL","includeThoughts":true}`},
		"nothing":             {"gemini-3-pro", `{}`, `{"effort":""}`, ``},
		"it cannot but think": {"gemini-3-pro", `{}`, `{"effort":"none"}`, `chat.reasoning.effort: `},
		"both":                {"gemini-3-pro", `{}`, `{"effort":"low","max_tokens":3}`, `chat.reasoning: `},
	} {
		a := ask(gemini.Adapter{}, row.settings, `{"chat":{"model":"`+row.model+`","messages":[{"role":"user","content":"x"}],"reasoning":`+row.reasoning+`}}`, false).Actions[0]
		got := a.Message
		if a.Kind == adapter.ActionHTTP {
			_, got, _ = strings.Cut(string(a.Body), `"thinkingConfig":`)
			got = strings.TrimSuffix(got, "}}")
		}
		if row.want == "" && got != "" || !strings.HasPrefix(got, row.want) || len(got) > len(row.want) && !strings.HasSuffix(row.want, ": ") {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

func TestOldModelsGetOpenAPISchemas(t *testing.T) {
	schema := `{"$schema":"s","type":"object","additionalProperties":false,"required":["a"],"properties":{"a":{"type":["string","null"],"minLength":1,"enum":["x"]},"b":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"boolean"}]}}}}`
	call := ask(gemini.Adapter{}, `{"json_schema":false}`, `{"chat":{"model":"gemini-1.5-pro","messages":[{"role":"user","content":"x"}],"response_schema":`+schema+`,"tools":[{"name":"f","parameters":`+schema+`},{"name":"g","parameters":{"type":"object","properties":{}}}]}}`, false).Actions[0]
	open := `{"type":"OBJECT","required":["a"],"properties":{"a":{"nullable":true,"type":"STRING","minLength":"1","enum":["x"]},"b":{"type":"ARRAY","items":{"anyOf":[{"type":"INTEGER"},{"type":"BOOLEAN"}]}}}}`
	want := `"generationConfig":{"responseMimeType":"application/json","responseSchema":` + open + `},"tools":[{"functionDeclarations":[{"name":"f","description":"","parameters":` + open + `},{"name":"g","description":""}]}]}`
	if !strings.HasSuffix(string(call.Body), want) {
		t.Errorf("%s\n%s\nwant\n%s", call.Message, call.Body, want)
	}
	for schema, says := range map[string]string{
		`{"type":"object","properties":{"a":{"$ref":"#"}}}`:                   "chat.response_schema.properties.a.$ref: ",
		`{"type":["string","integer"]}`:                                       "chat.response_schema.type: ",
		`{"type":"object","additionalProperties":{"type":"string"}}`:          "chat.response_schema.additionalProperties: ",
		`{"anyOf":[{"type":"string"},{"type":"object","allOf":[]}]}`:          "chat.response_schema.anyOf[1].allOf: ",
		`{"type":"array","items":{"type":"object","patternProperties":{}}}`:   "chat.response_schema.items.patternProperties: ",
		`{"type":"object","properties":{"a":{"type":"number","const":null}}}`: "chat.response_schema.properties.a.const: ",
	} {
		a := ask(gemini.Adapter{}, `{"json_schema":false,"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x"}],"response_schema":`+schema+`}}`, false).Actions[0]
		if !strings.HasPrefix(a.Message, says) {
			t.Errorf("%s: %s %s", schema, a.Message, a.Body)
		}
	}
}

func TestWhereItIsAsked(t *testing.T) {
	hello := `{"chat":{"messages":[{"role":"user","content":"x"}]}}`
	vertex := `"project":"p-1","location":"us-central1","model":"gemini-2.5-pro"`
	for name, row := range map[string]struct {
		a                            adapter.Adapter
		base, settings, intent, want string
	}{
		"studio":             {gemini.Adapter{}, "https://g", `{"model":"models/gemini-2.5-pro"}`, hello, "https://g/v1beta/models/gemini-2.5-pro:generateContent"},
		"version in base":    {gemini.Adapter{}, "https://g/v1", `{"model":"m"}`, hello, "https://g/v1/models/m:generateContent"},
		"version by setting": {gemini.Adapter{}, "https://g", `{"model":"m","api_version":"v1alpha"}`, hello, "https://g/v1alpha/models/m:generateContent"},
		"tuned":              {gemini.Adapter{}, "https://g", `{"model":"tunedModels/my-1"}`, hello, "https://g/v1beta/tunedModels/my-1:generateContent"},
		"vertex":             {gemini.Vertex{}, "https://v", `{` + vertex + `}`, hello, "https://v/v1/projects/p-1/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent"},
		"vertex, global":     {gemini.Vertex{}, "https://v", `{"project":"p","model":"m","api_version":"v1beta1"}`, hello, "https://v/v1beta1/projects/p/locations/global/publishers/google/models/m:generateContent"},
		"studio, vectors":    {gemini.Adapter{}, "https://g", `{"model":"gemini-embedding-2"}`, `{"embedding":{"input":["x"]}}`, "https://g/v1beta/models/gemini-embedding-2:batchEmbedContents"},
		"vertex, vectors":    {gemini.Vertex{}, "https://v", `{"project":"p","model":"gemini-embedding-001"}`, `{"embedding":{"input":["x"]}}`, "https://v/v1/projects/p/locations/global/publishers/google/models/gemini-embedding-001:predict"},
		"vertex, one vector": {gemini.Vertex{}, "https://v", `{"project":"p","model":"gemini-embedding-2"}`, `{"embedding":{"input":["x"]}}`, "https://v/v1/projects/p/locations/global/publishers/google/models/gemini-embedding-2:embedContent"},
	} {
		a := adapter.Run(row.a, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(row.intent), Contract: []byte(`{"base_url":"` + row.base + `","settings":` + row.settings + `}`)}).Actions[0]
		if a.URL != row.want {
			t.Errorf("%s: %s %s", name, a.URL, a.Message)
		}
	}
}

func TestVectorsAreAskedFor(t *testing.T) {
	intent := `{"embedding":{"model":"m","input":["a","b"],"dimensions":8,"purpose":"similarity"}}`
	call := ask(gemini.Adapter{}, `{}`, intent, false).Actions[0]
	one := func(text string) string {
		return `{"model":"models/m","content":{"parts":[{"text":"` + text + `"}]},"taskType":"SEMANTIC_SIMILARITY","outputDimensionality":8}`
	}
	if want := `{"requests":[` + one("a") + `,` + one("b") + `]}`; string(call.Body) != want {
		t.Errorf("%s, want %s", call.Body, want)
	}
	call = ask(gemini.Vertex{}, `{"project":"p"}`, intent, false).Actions[0]
	if want := `{"instances":[{"content":"a","task_type":"SEMANTIC_SIMILARITY"},{"content":"b","task_type":"SEMANTIC_SIMILARITY"}],"parameters":{"outputDimensionality":8}}`; string(call.Body) != want {
		t.Errorf("%s, want %s", call.Body, want)
	}
}

func TestSpeechAndImagesAreAskedFor(t *testing.T) {
	call := ask(gemini.Adapter{}, `{"model":"m"}`, `{"speech":{"text":"hi","voice":"Kore","media_type":"audio/L16"}}`, true).Actions[0]
	want := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"responseModalities":["AUDIO"],"speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Kore"}}}}}`
	if string(call.Body) != want || call.Framing != "" {
		t.Errorf("%s %s", call.Message, call.Body)
	}
	call = ask(gemini.Adapter{}, `{"model":"m"}`, `{"image":{"prompt":"a cat","size":"1344x768","quality":"2K","count":1,"seed":7,"images":[{"media_type":"image/png","data":"aGk="}]}}`, false).Actions[0]
	want = `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}},{"text":"a cat"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"],"seed":7,"imageConfig":{"aspectRatio":"16:9","imageSize":"2K"}}}`
	if string(call.Body) != want {
		t.Errorf("%s %s", call.Message, call.Body)
	}
}

func TestWhatIsRefusedIsNamed(t *testing.T) {
	user := func(rest string) string {
		return `{"chat":{"messages":[{"role":"user","content":"x"}` + rest + `]}}`
	}
	for name, row := range map[string]struct{ settings, intent, code, says string }{
		"no model":         {`{}`, user(""), adapter.TransformationFailed, "chat.model: neither"},
		"model's name":     {`{"model":"../x"}`, user(""), adapter.TransformationFailed, "chat.model: "},
		"unknown setting":  {`{"modell":"m"}`, user(""), adapter.TransformationFailed, "adapter.settings.modell is not known"},
		"thinking":         {`{"thinking":"much"}`, user(""), adapter.TransformationFailed, "adapter.settings.thinking is neither"},
		"clash":            {`{"model":"m","extra_body":{"contents":[]}}`, user(""), adapter.TransformationFailed, "adapter.settings.extra_body.contents is what"},
		"clash in config":  {`{"model":"m","generation_config":{"topK":1}}`, `{"chat":{"messages":[{"role":"user","content":"x"}],"top_k":2}}`, adapter.TransformationFailed, "adapter.settings.generation_config.topK is what"},
		"other intent":     {`{"model":"m"}`, `{"search":{"query":"q"}}`, adapter.TransformationFailed, "intent.search: this adapter does chat, embedding, speech, image"},
		"later parameter":  {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x"}],"mood":5}}`, adapter.TransformationFailed, "chat.mood: "},
		"one at a time":    {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x"}],"parallel_tool_calls":false}}`, adapter.TransformationFailed, "chat.parallel_tool_calls: "},
		"name":             {`{"model":"m"}`, user(`,{"role":"user","content":"x","name":"n"}`), adapter.TransformationFailed, "chat.messages[1].name: "},
		"file's name":      {`{"model":"m"}`, user(`,{"role":"user","parts":[{"media_type":"a/b","data":"AA==","name":"n"}]}`), adapter.TransformationFailed, "chat.messages[1].parts[0].name: "},
		"no media type":    {`{"model":"m"}`, user(`,{"role":"user","parts":[{"data":"AA=="}]}`), adapter.InvalidRequest, "chat.messages[1].parts[0].media_type: "},
		"late system":      {`{"model":"m"}`, user(`,{"role":"system","content":"x"}`), adapter.TransformationFailed, "chat.messages[1]: "},
		"hidden thought":   {`{"model":"m"}`, user(`,{"role":"assistant","thoughts":[{"redacted":"x"}]}`), adapter.TransformationFailed, "chat.messages[1].thoughts[0].redacted: "},
		"nobody's call":    {`{"model":"m"}`, user(`,{"role":"tool","content":"x","tool_call_id":"1"}`), adapter.InvalidRequest, "chat.messages[1].tool_call_id: "},
		"list arguments":   {`{"model":"m"}`, user(`,{"role":"assistant","tool_calls":[{"id":"1","name":"f","arguments":"[]"}]}`), adapter.InvalidRequest, "chat.messages[1].tool_calls[0].arguments: "},
		"result by URL":    {`{"model":"gemini-3-pro"}`, user(`,{"role":"tool","content":"x","name":"f","tool_call_id":"1","parts":[{"media_type":"image/png","url":"https://x"}]}`), adapter.TransformationFailed, "chat.messages[1].parts[0].url: "},
		"only the system":  {`{"model":"m"}`, `{"chat":{"messages":[{"role":"system","content":"x"}]}}`, adapter.InvalidRequest, "chat.messages: "},
		"system's picture": {`{"model":"m"}`, `{"chat":{"messages":[{"role":"system","parts":[{"media_type":"a/b","data":"AA=="}]},{"role":"user","content":"x"}]}}`, adapter.TransformationFailed, "chat.messages[0].parts[0]: "},
		"no text":          {`{"model":"m"}`, `{"embedding":{"input":[]}}`, adapter.InvalidRequest, "embedding.input: "},
		"embedding":        {`{"model":"m"}`, `{"embedding":{"input":["x"],"task":"t"}}`, adapter.TransformationFailed, "embedding.task: "},
		"voice's form":     {`{"model":"m"}`, `{"speech":{"text":"x","media_type":"audio/mpeg"}}`, adapter.TransformationFailed, "speech.media_type: "},
		"size":             {`{"model":"m"}`, `{"image":{"prompt":"x","size":"10x10"}}`, adapter.TransformationFailed, "image.size: "},
		"two pictures":     {`{"model":"m"}`, `{"image":{"prompt":"x","count":2}}`, adapter.TransformationFailed, "image.count: "},
		"not this":         {`{"model":"m"}`, `{"image":{"prompt":"x","negative_prompt":"y"}}`, adapter.TransformationFailed, "image.negative_prompt: "},
	} {
		a := ask(gemini.Adapter{}, row.settings, row.intent, false).Actions[0]
		if a.Kind != adapter.ActionFail || a.Code != row.code || !strings.HasPrefix(a.Message, row.says) {
			t.Errorf("%s: %+v %s", name, a, a.Body)
		}
	}
	for settings, says := range map[string]string{
		`{"model":"m"}`:                                                 "adapter.settings.project must",
		`{"project":"a/b","model":"m"}`:                                 "adapter.settings.project must",
		`{"project":"p","location":"?","model":"m"}`:                    "adapter.settings.location must",
		`{"project":"p","embedding_method":"x","model":"m"}`:            "adapter.settings.embedding_method is",
		`{"project":"p","model":"gemini-embedding-2"}`:                  "embedding.input: ",
		`{"project":"p","embedding_method":"embedContent","model":"m"}`: "embedding.input: ",
	} {
		if a := ask(gemini.Vertex{}, settings, `{"embedding":{"input":["a","b"]}}`, false).Actions[0]; !strings.HasPrefix(a.Message, says) {
			t.Errorf("%s: %+v", settings, a)
		}
	}
}

func TestWhatIsLeftOutIsWarnedOf(t *testing.T) {
	intent := `{"unsupported":"warn","chat":{"messages":[{"role":"user","content":"x","name":"n"},{"role":"system","content":"late"}],"parallel_tool_calls":false,"mood":1}}`
	reply := ask(gemini.Adapter{}, `{"model":"m"}`, intent, false)
	if want := `{"systemInstruction":{"parts":[{"text":"late"}]},"contents":[{"role":"user","parts":[{"text":"x"}]}]}`; string(reply.Actions[0].Body) != want {
		t.Errorf("%s %s", reply.Actions[0].Body, reply.Actions[0].Message)
	}
	end := respond(reply.State, 200, `{"candidates":[{"content":{"parts":[{"text":"y"}]},"finishReason":"STOP"}]}`)
	_, warnings, _ := strings.Cut(string(end.Data), `"warnings":`)
	for _, parameter := range []string{"chat.messages[1]", "chat.messages[0].name", "chat.parallel_tool_calls", "chat.mood"} {
		if !strings.Contains(warnings, `"parameter":"`+parameter+`"`) {
			t.Errorf("no warning of %s in %s", parameter, end.Data)
		}
	}
}
