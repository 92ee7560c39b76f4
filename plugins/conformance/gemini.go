package conformance

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/smarthausgroup/caio/plugins/gemini"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// Gemini is Google AI Studio.
func Gemini() Provider {
	return Provider{
		Name: "gemini", Adapter: gemini.Adapter{}, Contract: "gemini.yaml",
		Evidence: "specification derived from Google's discovery document",
		Settings: geminiSettings, Intent: geminiIntent, Hello: geminiHello, Want: geminiWant,
	}
}

// GeminiVertex is Vertex AI.
func GeminiVertex() Provider {
	return Provider{
		Name: "gemini-vertex", Adapter: gemini.Vertex{}, Contract: "gemini-vertex.yaml",
		Evidence: "specification of Google AI Studio, derived from Google's discovery document, which has the same documents under other paths",
		Spec:     "gemini", Place: vertexPlace,
		Settings: geminiSettings, Intent: geminiIntent, Hello: geminiHello, Want: geminiWant,
	}
}

var geminiURL = regexp.MustCompile(`/(?:projects/[^/]+/locations/[^/]+/publishers/google/)?models/([^/:]+):([A-Za-z]+)`)

// vertexPlace puts a call to Vertex AI where Google AI Studio has its like. It has none for predictions.
func vertexPlace(call adapter.Action) (adapter.Action, bool) {
	found := geminiURL.FindStringSubmatch(call.URL)
	if found == nil || found[2] == "predict" {
		return call, false
	}
	call.URL = strings.Replace(call.URL, "/v1"+found[0], "/v1beta/models/"+found[1]+":"+found[2], 1)
	return call, true
}

// geminiSettings are what of a recorded request the normal form has no place for, or a contract says.
func geminiSettings(x *Exchange) map[string]any {
	settings := map[string]any{}
	if x.Request == nil {
		return settings
	}
	body, err := readTree(x.Request.Body)
	if err != nil {
		return settings
	}
	var own []any
	for _, tool := range body.get("tools").items() {
		if !tool.get("functionDeclarations").there() {
			own = append(own, tool.v)
		}
		for _, f := range tool.get("functionDeclarations").items() {
			if f.get("parameters").there() {
				settings["json_schema"] = false
			}
		}
	}
	if own != nil {
		settings["tools"] = own
	}
	config, extra := map[string]any{}, map[string]any{}
	if v := body.get("generationConfig").get("responseModalities"); v.there() {
		config["responseModalities"] = v.v
	}
	if body.get("generationConfig").get("responseSchema").there() {
		settings["json_schema"] = false
	}
	if v := body.get("cachedContent"); v.there() {
		extra["cachedContent"] = v.v
	}
	if v := body.get("toolConfig"); v.there() && !v.get("functionCallingConfig").there() {
		extra["toolConfig"] = v.v
	}
	settings["generation_config"], settings["extra_body"] = config, extra
	return settings
}

func geminiIntent(x *Exchange) (intent map[string]any, stream bool, skip string) {
	in := geminiURL.FindStringSubmatch(x.Request.URL)
	body, err := readTree(x.Request.Body)
	if in == nil || err != nil {
		return nil, false, "the recorded request cannot be read"
	}
	switch in[2] {
	case "batchGenerateContent":
		return nil, false, "the normal form has no batches"
	case "countTokens":
		return nil, false, "the normal form does not count tokens"
	case "batchEmbedContents", "embedContent", "predict":
		return geminiEmbedding(in[1], body), false, ""
	}
	chat := map[string]any{"model": in[1]}
	config := body.get("generationConfig")
	for from, to := range map[string]string{
		"temperature": "temperature", "topP": "top_p", "topK": "top_k", "maxOutputTokens": "max_tokens", "stopSequences": "stop", "seed": "seed",
		"presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty", "responseJsonSchema": "response_schema",
	} {
		if v := config.get(from); v.there() {
			chat[to] = v.v
		}
	}
	if v := config.get("responseSchema"); v.there() {
		chat["response_schema"] = lowerTypes(v.v)
	}
	if v := config.get("thinkingConfig"); v.get("thinkingLevel").there() {
		chat["reasoning"] = map[string]any{"effort": strings.ToLower(v.get("thinkingLevel").text())}
	} else if v.get("thinkingBudget").there() {
		chat["reasoning"] = map[string]any{"max_tokens": v.get("thinkingBudget").v}
	}
	messages := []any{}
	for _, part := range body.get("systemInstruction").get("parts").items() {
		messages = append(messages, map[string]any{"role": "system", "content": part.get("text").text()})
	}
	calls := &geminiCalls{}
	for _, content := range body.get("contents").items() {
		messages = append(messages, calls.messages(content)...)
	}
	chat["messages"] = messages
	var tools []any
	for _, tool := range body.get("tools").items() {
		for _, f := range tool.get("functionDeclarations").items() {
			t := map[string]any{"name": f.get("name").text(), "description": f.get("description").text()}
			if v := f.get("parameters_json_schema", "parametersJsonSchema"); v.there() {
				t["parameters"] = v.v
			} else if v := f.get("parameters"); v.there() {
				t["parameters"] = lowerTypes(v.v)
			}
			tools = append(tools, t)
		}
	}
	if tools != nil {
		chat["tools"] = tools
	}
	if v := body.get("toolConfig").get("functionCallingConfig"); v.there() {
		chat["tool_choice"] = map[string]string{"AUTO": "auto", "NONE": "none", "ANY": "required"}[v.get("mode").text()]
		if name := v.get("allowedFunctionNames").at(0).text(); name != "" {
			chat["tool_choice"] = name
		}
	}
	return map[string]any{"chat": chat}, strings.HasPrefix(in[2], "stream"), ""
}

// geminiCalls gives ids to calls that have none.
type geminiCalls struct {
	n    int
	open []tree // not answered yet
	ids  []string
}

func (g *geminiCalls) messages(content tree) (messages []any) {
	role := "user"
	if content.get("role").text() == "model" {
		role = "assistant"
	}
	m := map[string]any{"role": role}
	var parts, thoughts, toolCalls []any
	for _, p := range content.get("parts").items() {
		signature := p.get("thoughtSignature", "thought_signature").text()
		switch {
		case p.get("functionCall", "function_call").there():
			call := p.get("functionCall", "function_call")
			g.n++
			id := call.get("id").text()
			if id == "" {
				id = fmt.Sprint("call_", g.n)
			}
			g.open, g.ids = append(g.open, call), append(g.ids, id)
			c := map[string]any{"id": id, "name": call.get("name").text(), "arguments": call.get("args").json()}
			if signature != "" {
				c["signature"] = signature
			}
			toolCalls = append(toolCalls, c)
		case p.get("functionResponse", "function_response").there():
			answer := p.get("functionResponse", "function_response")
			tool := map[string]any{"role": "tool", "tool_call_id": g.answer(answer), "content": answer.get("response").json()}
			var media []any
			for _, p := range answer.get("parts").items() {
				media = append(media, geminiPart(p))
			}
			if media != nil {
				tool["parts"] = media
			}
			messages = append(messages, tool)
		case p.get("thought").v == true:
			thoughts = append(thoughts, map[string]any{"text": p.get("text").text(), "signature": signature})
		default:
			parts = append(parts, geminiPart(p))
		}
	}
	if parts == nil && toolCalls == nil && thoughts == nil {
		return messages
	}
	for name, list := range map[string][]any{"parts": parts, "thoughts": thoughts, "tool_calls": toolCalls} {
		if list != nil {
			m[name] = list
		}
	}
	return append(messages, m)
}

// answer returns the id of the call that a functionResponse answers.
func (g *geminiCalls) answer(answer tree) string {
	for i, call := range g.open {
		if id := answer.get("id").text(); id == g.ids[i] || id == "" && call.get("name").text() == answer.get("name").text() {
			found := g.ids[i]
			g.open, g.ids = append(g.open[:i:i], g.open[i+1:]...), append(g.ids[:i:i], g.ids[i+1:]...)
			return found
		}
	}
	return answer.get("id").text()
}

func geminiPart(p tree) map[string]any {
	if data := p.get("inlineData", "inline_data"); data.there() {
		raw := strings.NewReplacer("-", "+", "_", "/").Replace(data.get("data").text())
		return map[string]any{"media_type": data.get("mimeType", "mime_type").text(), "data": raw}
	}
	if file := p.get("fileData", "file_data"); file.there() {
		return map[string]any{"media_type": file.get("mimeType", "mime_type").text(), "url": file.get("fileUri", "file_uri").text()}
	}
	return map[string]any{"text": p.get("text").text()}
}

// lowerTypes turns an OpenAPI schema of Google's into JSON Schema. Clients that ask so write types as numbers.
func lowerTypes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, field := range v {
			switch kind := field.(type) {
			case string:
				if name == "type" {
					field = strings.ToLower(kind)
				}
			case float64:
				if name == "type" {
					field = []string{"", "string", "number", "integer", "boolean", "array", "object"}[int(kind)]
				}
			}
			if name != "propertyOrdering" {
				out[name] = lowerTypes(field)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, field := range v {
			out = append(out, lowerTypes(field))
		}
		return out
	}
	return v
}

func geminiEmbedding(model string, body tree) map[string]any {
	e := map[string]any{"model": model}
	var input []any
	ask := func(one tree) {
		input = append(input, one.get("content").get("parts").at(0).get("text").text())
		if v := one.get("outputDimensionality"); v.there() {
			e["dimensions"] = v.v
		}
		if purpose := map[string]string{
			"RETRIEVAL_QUERY": "query", "RETRIEVAL_DOCUMENT": "document", "SEMANTIC_SIMILARITY": "similarity", "CLUSTERING": "clustering", "CLASSIFICATION": "classification",
		}[one.get("taskType").text()]; purpose != "" {
			e["purpose"] = purpose
		}
	}
	for _, one := range body.get("requests").items() {
		ask(one)
	}
	if body.get("content").there() {
		ask(body)
	}
	for _, one := range body.get("instances").items() {
		input = append(input, one.get("content").text())
	}
	e["input"] = input
	return map[string]any{"embedding": e}
}

// geminiHello asks for what an answer without a request answers.
func geminiHello(x *Exchange) map[string]any {
	switch x.Kind {
	case "speech":
		return map[string]any{"speech": map[string]any{"text": "Hello"}}
	case "embeddings":
		input := []any{}
		body, _ := readTree(x.Response.Body)
		for range max(1, len(body.get("embeddings", "predictions").items())) {
			input = append(input, "Hello")
		}
		return map[string]any{"embedding": map[string]any{"input": input}}
	}
	return map[string]any{"chat": map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Hello"}}}}
}

func geminiWant(x *Exchange) (*Want, string, error) {
	if x.Kind == "count_tokens" {
		return nil, "the normal form does not count tokens", nil
	}
	if x.Response.Status >= 300 {
		return &Want{Fail: true, Reason: geminiReason(x)}, "", nil
	}
	w := &Want{}
	if x.Response.Stream != "" {
		for _, piece := range frames(x.Response.Stream) {
			if err := w.geminiAdd(piece); err != nil {
				return nil, "", err
			}
		}
		return w, "", nil
	}
	body, err := readTree(x.Response.Body)
	switch {
	case err != nil:
		return nil, "", err
	case strings.HasPrefix(body.get("name").text(), "batches/"):
		return nil, "the normal form has no batches", nil
	case x.Kind == "embeddings":
		return geminiVectors(body), "", nil
	}
	if err := w.geminiAdd(x.Response.Body); err != nil {
		return nil, "", err
	}
	if x.Kind == "speech" {
		w.Audio, err = base64.StdEncoding.DecodeString(body.get("candidates").at(0).get("content").get("parts").at(0).get("inlineData").get("data").text())
		return w, "", err
	}
	return w, "", nil
}

// geminiReason reads what an error means off its status and Google's words.
func geminiReason(x *Exchange) string {
	body, _ := readTree(x.Response.Body)
	said := body.get("error").get("message").text()
	switch {
	case strings.Contains(said, "API key not valid"):
		return "bad_key"
	case strings.Contains(said, "exceeds the maximum number of tokens"):
		return "context_too_long"
	case x.Response.Status == 404:
		return "model_not_found"
	case x.Response.Status == 429:
		return "rate_limited"
	case x.Response.Status == 400:
		return "bad_request"
	}
	return ""
}

// geminiAdd adds an answer, or a piece of one.
func (w *Want) geminiAdd(raw []byte) error {
	var calls struct { // whose arguments keep their very characters
		Candidates []struct {
			Content struct {
				Parts []struct {
					FunctionCall *struct {
						ID, Name string
						Args     json.RawMessage
					}
				}
			}
		}
	}
	body, err := readTree(raw)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &calls); err != nil {
		return err
	}
	for _, c := range calls.Candidates[:min(1, len(calls.Candidates))] {
		for _, p := range c.Content.Parts {
			if f := p.FunctionCall; f != nil {
				if f.ID == "" { // then it gets one of the adapter's
					f.ID = fmt.Sprintf("gemini_%s_%d", body.get("responseId").text(), len(w.Calls))
				}
				w.Calls = append(w.Calls, Call{ID: f.ID, Name: f.Name, Arguments: string(f.Args)})
			}
		}
	}
	w.Model = body.get("modelVersion").text()
	if u := body.get("usageMetadata"); u.get("promptTokenCount").there() {
		thought := u.get("thoughtsTokenCount").int()
		w.Usage = &Usage{u.get("promptTokenCount").int(), u.get("candidatesTokenCount").int() + thought, u.get("cachedContentTokenCount").int(), thought}
	}
	candidate := body.get("candidates").at(0)
	for _, p := range candidate.get("content").get("parts").items() {
		if p.get("thought").v == true {
			w.Thought += p.get("text").text()
		} else {
			w.Text += p.get("text").text()
		}
	}
	reason := candidate.get("finishReason")
	switch fmt.Sprint(reason.v) {
	case "STOP", "1":
		w.Finish = "stop"
		if len(w.Calls) > 0 {
			w.Finish = "tool_calls"
		}
	case "MAX_TOKENS", "2":
		w.Finish = "length"
	case "SAFETY":
		w.Finish = "content_filter"
	default:
		w.Finish = reason.text()
	}
	return nil
}

func geminiVectors(body tree) *Want {
	w := &Want{}
	for _, v := range body.get("embeddings").items() {
		w.Vectors = append(w.Vectors, v.get("values").floats())
	}
	if v := body.get("embedding"); v.there() {
		w.Vectors = append(w.Vectors, v.get("values").floats())
	}
	for _, v := range body.get("predictions").items() {
		w.Vectors = append(w.Vectors, v.get("embeddings").get("values").floats())
		if w.Usage == nil {
			w.Usage = &Usage{}
		}
		w.Usage.Input += v.get("embeddings").get("statistics").get("token_count").int()
	}
	if n := body.get("usageMetadata").get("promptTokenCount"); n.there() {
		w.Usage = &Usage{Input: n.int()}
	}
	return w
}
