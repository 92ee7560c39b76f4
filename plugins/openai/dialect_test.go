package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// asked starts an execution of a dialect and returns its only action.
func asked(d openai.Dialect, base, settings, intent string, stream bool) adapter.Action {
	return adapter.Run(openai.New(d), nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Stream: stream,
		Contract: []byte(`{"base_url":"` + base + `","settings":` + settings + `}`)}).Actions[0]
}

// answered asks and answers, and returns what came of it.
func answered(t *testing.T, d openai.Dialect, settings, intent, body string, headers ...adapter.Header) adapter.Action {
	t.Helper()
	a := openai.New(d)
	start := adapter.Run(a, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(`{"base_url":"https://x","settings":` + settings + `}`)})
	if start.Actions[0].Kind != adapter.ActionHTTP {
		t.Fatalf("start: %+v", start.Actions[0])
	}
	return adapter.Run(a, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: 200, Headers: headers, Body: []byte(body)}).Actions[0]
}

func TestEachDialectSaysItInItsOwnWay(t *testing.T) {
	const user = `"messages":[{"role":"user","content":"x"}]`
	const tools = `"tools":[{"name":"f"}]`
	for name, row := range map[string]struct {
		d              openai.Dialect
		intent         string
		stream         bool
		path, fragment string
	}{
		"groq's limit":            {openai.Groq(), `{"chat":{` + user + `,"max_tokens":3}}`, false, "/openai/v1/chat/completions", `"max_completion_tokens":3`},
		"mistral's seed":          {openai.Mistral(), `{"chat":{` + user + `,"seed":0}}`, false, "/v1/chat/completions", `"random_seed":0`},
		"mistral's whole tools":   {openai.Mistral(), `{"chat":{` + user + `,` + tools + `}}`, false, "/v1/chat/completions", `{"name":"f","description":"","parameters":{"type":"object","properties":{}}}`},
		"mistral's thoughts":      {openai.Mistral(), `{"chat":{"messages":[{"role":"assistant","content":"4","thoughts":[{"text":"2+2"}]}]}}`, false, "/v1/chat/completions", `"content":[{"type":"thinking","thinking":[{"type":"text","text":"2+2"}]},{"type":"text","text":"4"}]`},
		"mistral's audio":         {openai.Mistral(), `{"chat":{"messages":[{"role":"user","parts":[{"media_type":"audio/wav","data":"AA=="}]}]}}`, false, "/v1/chat/completions", `{"type":"input_audio","input_audio":"AA=="}`},
		"mistral's documents":     {openai.Mistral(), `{"chat":{"messages":[{"role":"user","parts":[{"media_type":"application/pdf","url":"https://x/a.pdf"}]}]}}`, false, "/v1/chat/completions", `{"type":"document_url","document_url":"https://x/a.pdf"}`},
		"groq's thoughts":         {openai.Groq(), `{"chat":{"messages":[{"role":"assistant","content":"4","thoughts":[{"text":"2+2"}]}]}}`, false, "/openai/v1/chat/completions", `"reasoning":"2+2"`},
		"together thinks not":     {openai.Together(), `{"chat":{` + user + `,"reasoning":{"effort":"none"}}}`, false, "/v1/chat/completions", `"reasoning":{"enabled":false}`},
		"no tokens to think":      {openai.OpenAI(), `{"chat":{` + user + `,"reasoning":{"max_tokens":0}}}`, false, "/v1/chat/completions", `"reasoning_effort":"none"`},
		"together's text":         {openai.Together(), `{"chat":{"messages":[{"role":"system","content":"a","parts":[{"text":"b"}]}]}}`, false, "/v1/chat/completions", `{"role":"system","content":"ab"}`},
		"perplexity's content":    {openai.Perplexity(), `{"chat":{"messages":[{"role":"assistant","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]}]}}`, false, "/chat/completions", `"content":""`},
		"an object by schema":     {openai.Perplexity(), `{"chat":{` + user + `,"json_object":true}}`, false, "/chat/completions", `"schema":{"type":"object"},"strict":false`},
		"TGI's schema":            {openai.HuggingFace(), `{"chat":{` + user + `,"response_schema":{}}}`, false, "/v1/chat/completions", `"response_format":{"type":"json_schema","value":{"name":"response","schema":{}}}`},
		"a tool by name":          {openai.OpenAI(), `{"chat":{` + user + `,` + tools + `,"tool_choice":"f"}}`, false, "/v1/chat/completions", `"tool_choice":{"type":"function","function":{"name":"f"}}`},
		"several calls":           {openai.OpenAI(), `{"chat":{` + user + `,"parallel_tool_calls":false}}`, false, "/v1/chat/completions", `"parallel_tool_calls":false`},
		"names":                   {openai.OpenAI(), `{"chat":{"messages":[{"role":"user","content":"x","name":"ann"}]}}`, false, "/v1/chat/completions", `"name":"ann"`},
		"azure's deployment":      {openai.AzureOpenAI(), `{"chat":{` + user + `}}`, false, "/openai/deployments/m/chat/completions?api-version=2024-10-21", `{"messages":`},
		"meta says no stream":     {openai.MetaLlama(), `{"chat":{` + user + `}}`, false, "/v1/chat/completions", `"stream":false`},
		"groq's stream":           {openai.Groq(), `{"chat":{` + user + `}}`, true, "/openai/v1/chat/completions", `"stream":true}`},
		"mistral's dimensions":    {openai.Mistral(), `{"embedding":{"input":["a"],"dimensions":2}}`, false, "/v1/embeddings", `"output_dimension":2`},
		"mistral's gap":           {openai.Mistral(), `{"code":{"prompt":"a","suffix":"b","max_tokens":3}}`, false, "/v1/fim/completions", `"prompt":"a","suffix":"b","max_tokens":3`},
		"TGI's text and calls":    {openai.HuggingFace(), `{"chat":{"messages":[{"role":"assistant","content":"a","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]}]}}`, false, "/v1/chat/completions", `[{"role":"assistant","content":"a"},{"role":"assistant","tool_calls":[{"id":"c",`},
		"together's calls":        {openai.Together(), `{"chat":{"messages":[{"role":"assistant","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]}]}}`, false, "/v1/chat/completions", `{"id":"c","type":"function","index":0,`},
		"meta's calls":            {openai.MetaLlama(), `{"chat":{"messages":[{"role":"assistant","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]}]}}`, false, "/v1/chat/completions", `[{"id":"c","function":`},
		"TGI's prompt":            {openai.HuggingFace(), `{"code":{"prompt":"a"}}`, false, "/v1/completions", `"prompt":["a"]`},
		"openai's voice":          {openai.OpenAI(), `{"speech":{"text":"a","media_type":"audio/wav"}}`, false, "/v1/audio/speech", `"input":"a","voice":"alloy","response_format":"wav"`},
		"xai's voice":             {openai.XAI(), `{"speech":{"text":"a","media_type":"audio/wav"}}`, false, "/v1/tts", `{"text":"a","output_format":{"codec":"wav"},"language":"auto"}`},
		"a picture":               {openai.OpenAI(), `{"image":{"prompt":"cat","size":"1024x1024","count":2,"media_type":"image/png"}}`, false, "/v1/images/generations", `"prompt":"cat","size":"1024x1024","n":2,"output_format":"png"`},
		"a picture changed":       {openai.OpenAI(), `{"image":{"prompt":"cat","images":[{"media_type":"image/png","data":"AA=="}]}}`, false, "/v1/images/edits", `"images":[{"image_url":"data:image/png;base64,AA=="}]`},
		"together's sides":        {openai.Together(), `{"image":{"prompt":"cat","size":"640x480","negative_prompt":"dog"}}`, false, "/v1/images/generations", `"width":640,"height":480,"negative_prompt":"dog"`},
		"rerank":                  {openai.Together(), `{"rerank":{"query":"q","documents":["a"],"top_n":1}}`, false, "/v1/rerank", `"query":"q","documents":["a"],"top_n":1`},
		"search":                  {openai.Perplexity(), `{"search":{"query":"q","max_results":2,"include_domains":["a.com"],"exclude_domains":["b.com"]}}`, false, "/search", `{"query":"q","max_results":2,"search_domain_filter":["a.com","-b.com"]}`},
		"embedding at perplexity": {openai.Perplexity(), `{"embedding":{"input":["a"]}}`, false, "/v1/embeddings", `"input":["a"]`},
	} {
		call := asked(row.d, "https://x", `{"model":"m"}`, row.intent, row.stream)
		if call.URL != "https://x"+row.path || !strings.Contains(string(call.Body), row.fragment) {
			t.Errorf("%s: %s %s %s", name, call.URL, call.Body, call.Message)
		}
	}
}

func TestAzureIsFoundInEachOfItsForms(t *testing.T) {
	for name, row := range map[string]struct{ base, settings, url string }{
		"a deployment":       {"https://r.openai.azure.com", `{"model":"m","deployment":"my gpt"}`, "https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"},
		"base with openai":   {"https://r.openai.azure.com/openai", `{"model":"m"}`, "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21"},
		"models of others":   {"https://r.services.ai.azure.com", `{"model":"m","path_prefix":"models","api_version":"2024-05-01-preview"}`, "https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview"},
		"v1":                 {"https://r.openai.azure.com/openai/v1", `{"model":"m","api_version":""}`, "https://r.openai.azure.com/openai/v1/chat/completions"},
		"responses":          {"https://r.openai.azure.com", `{"model":"m","api":"responses"}`, "https://r.openai.azure.com/openai/responses?api-version=2024-10-21"},
		"responses under v1": {"https://r.openai.azure.com/openai/v1", `{"model":"m","api":"responses","api_version":""}`, "https://r.openai.azure.com/openai/v1/responses"},
	} {
		if call := asked(openai.AzureOpenAI(), row.base, row.settings, hello, false); call.URL != row.url {
			t.Errorf("%s: %s %s", name, call.URL, call.Message)
		}
	}
}

func TestWhatADialectCannotSayIsLeftOutWithAWarning(t *testing.T) {
	body := `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}`
	for name, row := range map[string]struct {
		d                 openai.Dialect
		intent, parameter string
	}{
		"top_k":             {openai.OpenAI(), `"chat":{"messages":[{"role":"user","content":"x"}],"top_k":3}`, "chat.top_k"},
		"effort":            {openai.Mistral(), `"chat":{"messages":[{"role":"user","content":"x"}],"reasoning":{"effort":"low"}}`, "chat.reasoning.effort"},
		"tokens to think":   {openai.OpenAI(), `"chat":{"messages":[{"role":"user","content":"x"}],"reasoning":{"max_tokens":9}}`, "chat.reasoning.max_tokens"},
		"stop":              {openai.MetaLlama(), `"chat":{"messages":[{"role":"user","content":"x"}],"stop":["a"]}`, "chat.stop"},
		"a tool by name":    {openai.LMStudio(), `"chat":{"messages":[{"role":"user","content":"x"}],"tool_choice":"f"}`, "chat.tool_choice"},
		"thoughts":          {openai.OpenAI(), `"chat":{"messages":[{"role":"assistant","content":"x","thoughts":[{"text":"t"}]}]}`, "chat.messages[0].thoughts[0]"},
		"a thought's proof": {openai.Groq(), `"chat":{"messages":[{"role":"assistant","content":"x","thoughts":[{"text":"t","signature":"s"}]}]}`, "chat.messages[0].thoughts[0]"},
		"a name":            {openai.Mistral(), `"chat":{"messages":[{"role":"user","content":"x","name":"ann"}]}`, "chat.messages[0].name"},
		"audio":             {openai.Groq(), `"chat":{"messages":[{"role":"user","content":"x","parts":[{"media_type":"audio/wav","data":"AA=="}]}]}`, "chat.messages[0].parts[0].media_type"},
		"a JSON mode":       {openai.Dialect{Name: "plain", Paths: openai.Paths{Chat: "/c"}, Fields: map[string]string{"chat.max_tokens": "m"}}, `"chat":{"messages":[{"role":"user","content":"x"}],"json_object":true}`, "chat.json_object"},
		"a schema":          {openai.Dialect{Name: "plain", Paths: openai.Paths{Chat: "/c"}, Fields: map[string]string{"chat.max_tokens": "m"}}, `"chat":{"messages":[{"role":"user","content":"x"}],"response_schema":{}}`, "chat.response_schema"},
	} {
		settings := `{"model":"m"}`
		call := asked(row.d, "https://x", settings, `{`+row.intent+`}`, false)
		if call.Kind != adapter.ActionFail || !strings.HasPrefix(call.Message, row.parameter+": ") {
			t.Errorf("%s: %+v", name, call)
		}
		a := answered(t, row.d, settings, `{"unsupported":"warn",`+row.intent+`}`, body)
		var result struct{ Warnings []struct{ Parameter string } }
		if err := json.Unmarshal(a.Data, &result); err != nil || len(result.Warnings) != 1 || result.Warnings[0].Parameter != row.parameter {
			t.Errorf("%s: %s %s %v", name, a.Data, a.Message, err)
		}
	}
}

func TestUsageIsReadWhereverItStands(t *testing.T) {
	for name, row := range map[string]struct {
		d           openai.Dialect
		usage, want string
	}{
		"cached and reasoning": {openai.OpenAI(), `"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}`, `{"input_tokens":9,"output_tokens":5,"cached_input_tokens":4,"reasoning_tokens":3}`},
		"reasoning beside":     {openai.XAI(), `"usage":{"prompt_tokens":12,"completion_tokens":2,"total_tokens":334,"completion_tokens_details":{"reasoning_tokens":320},"cost_in_usd_ticks":1641500}`, `{"input_tokens":12,"output_tokens":322,"reasoning_tokens":320,"cost":0.00016415}`},
		"groq's":               {openai.Groq(), `"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}`, `{"input_tokens":1,"output_tokens":2}`},
		"mistral's cache":      {openai.Mistral(), `"usage":{"prompt_tokens":9,"completion_tokens":5,"num_cached_tokens":4}`, `{"input_tokens":9,"output_tokens":5,"cached_input_tokens":4}`},
		"perplexity's cost":    {openai.Perplexity(), `"usage":{"prompt_tokens":8,"completion_tokens":5,"cost":{"total_cost":0.25}}`, `{"input_tokens":8,"output_tokens":5,"cost":0.25}`},
	} {
		a := answered(t, row.d, `{"model":"m"}`, hello, `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],`+row.usage+`}`)
		if !strings.Contains(string(a.Data), `"usage":`+row.want) {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
}
