package conformance

import (
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/sdk/adapter"
)

// TestRequestsThatNobodyRecorded holds requests of which the corpus has no recording against the specifications, and shows
// that these refuse what is broken.
func TestRequestsThatNobodyRecorded(t *testing.T) {
	dir := corpus(t)
	type object = map[string]any
	audio := object{"audio": "UklGRg==", "language": "de", "words": true, "speakers": true}
	for name, row := range map[string]struct {
		provider Provider
		settings object
		intent   object
		stream   bool
		broken   func(call *adapter.Action) // makes the request one that must be refused; nil: the body is replaced
	}{
		"anthropic":             {Anthropic(), object{"thinking": "effort", "extra_body": object{"service_tier": "auto"}}, allOf(object{"reasoning": object{"effort": "low"}, "temperature": 0.5}), true, nil},
		"anthropic by budget":   {Anthropic(), object{"schema_as": "tool"}, allOf(object{"reasoning": object{"effort": "high"}, "tool_choice": "f"}), false, nil},
		"anthropic, an object":  {Anthropic(), nil, allOf(object{"response_schema": nil, "json_object": true, "reasoning": object{"effort": "none"}}), false, nil},
		"bedrock, Claude":       {Bedrock(), object{"thinking": "effort"}, allOf(object{"reasoning": object{"effort": "low"}}), true, nil},
		"bedrock, Nova":         {Bedrock(), object{"model": "amazon.nova-2-lite-v1:0", "schema_as": "tool"}, allOf(object{"reasoning": object{"effort": "low"}}), false, nil},
		"bedrock, another":      {Bedrock(), object{"model": "meta.llama4"}, allOf(object{"top_k": nil, "tool_choice": "f"}), false, nil},
		"cohere":                {Cohere(), nil, warned(allOf(object{"reasoning": object{"max_tokens": 100}, "temperature": 0.5, "seed": 1, "tool_choice": "required"})), true, nil},
		"cohere, first version": {Cohere(), object{"api": "v1"}, warned(allOf(object{"frequency_penalty": 0.5})), true, nil},
		"cohere vectors":        {Cohere(), object{"api": "v1"}, object{"embedding": object{"input": []any{"x"}, "purpose": "clustering"}}, false, nil},
		"cohere order":          {Cohere(), object{"api": "v1"}, object{"rerank": object{"query": "x", "documents": []any{"y"}, "top_n": 1}}, false, nil},
		"cohere transcript":     {Cohere(), nil, warned(object{"transcription": audio}), false, func(c *adapter.Action) { c.Method = "PUT" }},
		"gemini":                {Gemini(), object{"model": "gemini-3-pro", "tools": []any{object{"googleSearch": object{}}}}, warned(allOf(object{"reasoning": object{"effort": "low"}, "seed": 1, "temperature": 2, "tool_choice": "f"})), true, nil},
		"gemini, old schemas":   {Gemini(), object{"json_schema": false}, warned(allOf(object{"reasoning": object{"effort": "low"}, "frequency_penalty": 0.5, "presence_penalty": 1})), false, nil},
		"gemini vectors":        {Gemini(), object{"model": "gemini-embedding-001"}, object{"embedding": object{"input": []any{"x", "y"}, "purpose": "similarity", "dimensions": 8}}, false, nil},
		"gemini speech":         {Gemini(), object{"model": "m"}, object{"speech": object{"text": "x", "voice": "Kore"}}, false, nil},
		"gemini image":          {Gemini(), object{"model": "m"}, object{"image": object{"prompt": "x", "size": "1344x768", "quality": "2K", "images": []any{object{"media_type": "image/png", "data": "aGk="}}}}, false, nil},
		"gemini at vertex":      {GeminiVertex(), object{"model": "gemini-3-pro"}, warned(allOf(object{"reasoning": object{"max_tokens": 100}, "tool_choice": "none"})), true, nil},
		"palm":                  {Palm(), nil, warned(allOf(object{"messages": []any{object{"role": "system", "content": "Be brief."}, object{"role": "user", "content": "Hi"}, object{"role": "assistant", "content": "Hi"}, object{"role": "user", "content": "So?"}}})), false, nil},
		"palm text":             {Palm(), object{"model": "text-bison-001"}, warned(allOf(object{"messages": []any{object{"role": "user", "content": "Hi"}}, "temperature": 0.5})), false, nil},
		"palm vector":           {Palm(), object{"model": "embedding-gecko-001"}, object{"embedding": object{"input": []any{"x"}}}, false, nil},
		"voyage":                {Voyage(), object{"encoding_format": ""}, object{"embedding": object{"input": []any{"x"}, "purpose": "query", "dimensions": 256}}, false, nil},
		"elevenlabs speech":     {ElevenLabs(), object{"voice": "v"}, object{"speech": object{"text": "Hi", "media_type": "audio/basic", "model": "eleven_v3"}}, false, nil},
		"elevenlabs stream":     {ElevenLabs(), object{"voice": "v", "output_format": "mp3_22050_32", "logging": false}, object{"speech": object{"text": "Hi"}}, true, func(c *adapter.Action) { c.URL += "&optimize_streaming_latency=much" }},
		"elevenlabs timestamps": {ElevenLabs(), object{"voice": "v", "timestamps": true}, object{"speech": object{"text": "Hi"}}, true, nil},
		"elevenlabs transcript": {ElevenLabs(), object{"model": "scribe_v1"}, object{"transcription": audio}, false, func(c *adapter.Action) { c.URL += "?enable_logging=perhaps" }},
		"elevenlabs by URL":     {ElevenLabs(), object{"model": "scribe_v1"}, object{"transcription": object{"url": "https://example.com/a.mp3"}}, false, func(c *adapter.Action) { c.Method = "PUT" }},
		"codex":                 {Codex(), object{"repository": "https://git.example.com/a/b", "extra_body": object{"reasoning": object{"effort": "high"}}}, object{"code": object{"prompt": "x", "language": "go", "max_tokens": 900}}, false, nil},
		"cursor":                {Cursor(), object{"ref": "main", "branch": "b", "model": "composer-2"}, object{"code": object{"prompt": "x"}}, false, nil},
		"copilot report":        {GitHubCopilot(), object{"org": "acme"}, object{"payload": object{"operation": "report", "report": "repos-1-day", "day": "2025-10-13"}}, false, func(c *adapter.Action) { c.URL = strings.TrimSuffix(c.URL, "?day=2025-10-13") }},
		"copilot seats":         {GitHubCopilot(), object{"org": "acme"}, object{"payload": object{"operation": "seats", "page": 2}}, false, func(c *adapter.Action) { c.URL += "&per_page=all" }},
		"copilot exclusions":    {GitHubCopilot(), object{"org": "acme", "write": true}, object{"payload": object{"operation": "set_content_exclusion", "exclusions": object{"repo": []any{"/secret"}}}}, false, nil},
		"copilot seat":          {GitHubCopilot(), object{"org": "acme"}, object{"payload": object{"operation": "seat", "username": "octocat"}}, false, func(c *adapter.Action) { c.Method = "PUT" }},
		"copilot removal":       {GitHubCopilot(), object{"org": "acme", "write": true}, object{"payload": object{"operation": "remove_users", "usernames": []any{"octocat"}}}, false, nil},
		"deepgram detection":    {Deepgram(), object{}, object{"transcription": object{"url": "https://example.com/a.mp3", "speakers": true}}, false, nil},
		"deepgram speech":       {Deepgram(), object{"model": "aura-2-thalia-en"}, object{"speech": object{"text": "Hi", "voice": "zeus", "media_type": "audio/ogg"}}, true, func(c *adapter.Action) { c.URL += "&speed=fast" }},
		"stability":             {Stability(), object{"model": "e"}, object{"image": object{"prompt": "x", "negative_prompt": "y", "size": "512x768", "count": 2, "seed": 7}}, false, nil},
		"replicate image": {Replicate(), object{"wait": 60}, object{"image": object{"prompt": "x", "count": 2, "media_type": "image/webp"}}, false, func(c *adapter.Action) {
			c.Headers = append(c.Headers[:2], adapter.Header{Name: "Prefer", Value: "wait=999"})
		}},
		"replicate chat":        {Replicate(), object{"model": "a/b:c", "fields": object{}}, object{"chat": object{"messages": []any{object{"role": "user", "content": "Hi"}}, "temperature": 0.5}}, false, nil},
		"replicate deployment":  {Replicate(), object{"deployment": "a/b"}, object{"payload": object{"prompt": "x"}}, false, nil},
		"serper with domains":   {Serper(), object{"extra_body": object{"gl": "de"}}, object{"search": object{"query": "x", "max_results": 7, "include_domains": []any{"a.org"}}}, false, nil},
		"serper news":           {Serper(), object{"endpoint": "news"}, object{"search": object{"query": "x"}}, false, nil},
		"tavily with an answer": {Tavily(), object{"answer": "advanced"}, object{"search": object{"query": "x", "max_results": 20, "exclude_domains": []any{"a.org"}}}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t, dir, row.provider)
			r.Settings = func(*Exchange) map[string]any { return row.settings }
			play := r.play(t, &Exchange{}, row.intent, row.stream)
			play.Answer = nil
			out, err := play.Run()
			if err != nil || len(out.Calls) == 0 {
				t.Fatalf("%v, %+v", err, out.Failure)
			}
			call := out.Calls[0]
			if r.Place != nil {
				call, _ = r.Place(call)
			}
			if err := r.spec.validate(call, r.base); err != nil {
				t.Errorf("%s %s %s\nis not what the specification allows: %s", call.Method, call.URL, clip(string(call.Body)), clip(err.Error()))
			}
			if row.broken == nil {
				row.broken = func(c *adapter.Action) { c.Body = []byte(`[]`) }
			}
			if row.broken(&call); r.spec.validate(call, r.base) == nil {
				t.Errorf("the specification allows a broken request, so it shows nothing: %s %s %s", call.Method, call.URL, clip(string(call.Body)))
			}
		})
	}
}

// warned is an intent of which is left out what the provider cannot do.
func warned(intent map[string]any) map[string]any {
	intent["unsupported"] = "warn"
	return intent
}

// allOf is a chat that says all that models of Anthropic and on Bedrock can be told, with more put over it; nil takes out.
func allOf(more map[string]any) map[string]any {
	type object = map[string]any
	schema := object{"type": "object", "properties": object{"a": object{"type": "string"}}, "required": []any{"a"}, "additionalProperties": false}
	chat := object{
		"messages": []any{
			object{"role": "system", "content": "Be brief.", "parts": []any{object{"text": "Be kind."}}},
			object{"role": "user", "content": "Look", "parts": []any{
				object{"media_type": "image/png", "data": "aGk="}, object{"media_type": "application/pdf", "data": "JVBERg==", "name": "a.pdf"}, object{"text": "long", "name": "b.txt"}}},
			object{"role": "assistant", "content": "I look", "thoughts": []any{object{"text": "hm", "signature": "c2ln"}, object{"redacted": "eHl6"}}, "tool_calls": []any{
				object{"id": "call.f:0", "name": "f", "arguments": `{"a":"b"}`}, object{"id": "c2", "name": "g", "arguments": ""}}},
			object{"role": "tool", "tool_call_id": "call.f:0", "content": "sun"},
			object{"role": "tool", "tool_call_id": "c2", "parts": []any{object{"text": "see"}, object{"media_type": "image/jpeg", "data": "AA=="}}},
			object{"role": "user", "content": "So?"},
		},
		"tools": []any{object{"name": "f", "description": "d", "parameters": schema}, object{"name": "g"}}, "tool_choice": "auto", "parallel_tool_calls": true,
		"response_schema": schema, "top_p": 0.9, "top_k": 5, "stop": []any{"."}, "max_tokens": 9000,
	}
	for name, v := range more {
		if chat[name] = v; v == nil {
			delete(chat, name)
		}
	}
	return object{"chat": chat}
}

// TestASpecificationIsThere: a provider whose evidence is a specification must have one.
func TestASpecificationIsThere(t *testing.T) {
	dir := corpus(t)
	for _, p := range []Provider{Anthropic(), Bedrock(), Codex(), Cohere(), Cursor(), Deepgram(), ElevenLabs(), Gemini(), GeminiVertex(), GitHubCopilot(), Palm(), Replicate(), Serper(), Stability(), Tavily(), Voyage()} {
		if newRun(t, dir, p).spec == nil {
			t.Errorf("%s has no specification, but %q", p.Name, p.Evidence)
		}
	}
}
