package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/plugins/bedrock"
	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adaptertest"
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

// converseBlock is a block of Converse's, as far as the normal form has it.
type converseBlock struct {
	Text            *string
	JSON            json.RawMessage
	Image, Document *converseMedia
	Video, Audio    *converseMedia
	ToolUse         *struct {
		ID    string `json:"toolUseId"`
		Name  string
		Type  string
		Input json.RawMessage
	}
	ToolResult *struct {
		ID      string `json:"toolUseId"`
		Status  string
		Content []converseBlock
	}
	Thought *struct {
		Open *struct {
			Text, Signature string
		} `json:"reasoningText"`
		Hidden string `json:"redactedContent"`
	} `json:"reasoningContent"`
	Cited *struct{ Content []struct{ Text string } } `json:"citationsContent"`
	Point json.RawMessage                            `json:"cachePoint"`
}

type converseMedia struct {
	Format, Name string
	Source       struct {
		Bytes, Text string
		Content     []struct{ Text string }
		S3          struct{ URI string } `json:"s3Location"`
	}
}

func (m *converseMedia) part(kind string) map[string]any {
	media := map[string]string{
		"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "doc": "application/msword", "xls": "application/vnd.ms-excel",
		"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "csv": "text/csv", "html": "text/html",
	}[m.Format]
	if media == "" {
		media = kind + "/" + m.Format
	}
	p := map[string]any{"media_type": media, "name": m.Name}
	switch s := m.Source; {
	case s.Bytes != "":
		p["data"] = s.Bytes
	case s.S3.URI != "":
		p["url"] = s.S3.URI
	default:
		for _, c := range s.Content {
			s.Text += c.Text
		}
		p["text"] = s.Text
	}
	return p
}

// converseIntent reads a recorded body of Converse, or of InvokeModel with Nova, as the intent that asks for the same.
func converseIntent(raw json.RawMessage) (map[string]any, string) {
	var b struct {
		System   []converseBlock
		Messages []struct {
			Role    string
			Content []converseBlock
		}
		Inference struct {
			Max         *int `json:"maxTokens"`
			NovaMax     *int `json:"max_new_tokens"`
			Temperature *float64
			TopP        *float64
			Stop        []string `json:"stopSequences"`
		} `json:"inferenceConfig"`
		Tools struct {
			Tools []struct {
				Spec *struct {
					Name, Description string
					Schema            struct{ JSON any } `json:"inputSchema"`
				} `json:"toolSpec"`
			}
			Choice map[string]struct{ Name string } `json:"toolChoice"`
		} `json:"toolConfig"`
		Output struct {
			Format *struct {
				Structure struct {
					Schema struct{ Schema string } `json:"jsonSchema"`
				}
			} `json:"textFormat"`
		} `json:"outputConfig"`
		More struct {
			Thinking *struct {
				Type   string
				Budget *int `json:"budget_tokens"`
			}
		} `json:"additionalModelRequestFields"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, "the recorded request is cut: " + err.Error()
	}
	chat := map[string]any{}
	put := func(name string, v any, there bool) {
		if there {
			chat[name] = v
		}
	}
	i := b.Inference
	put("max_tokens", i.Max, i.Max != nil)
	put("max_tokens", i.NovaMax, i.NovaMax != nil)
	put("temperature", i.Temperature, i.Temperature != nil)
	put("top_p", i.TopP, i.TopP != nil)
	put("stop", i.Stop, len(i.Stop) > 0)
	var messages []any
	for _, s := range b.System {
		if s.Text != nil {
			messages = append(messages, map[string]any{"role": "system", "content": *s.Text})
		}
	}
	for _, m := range b.Messages {
		turn, skip := converseTurn(m.Role, m.Content)
		if skip != "" {
			return nil, skip
		}
		messages = append(messages, turn...)
	}
	chat["messages"] = messages
	var tools []any
	for _, t := range b.Tools.Tools {
		if t.Spec != nil {
			tools = append(tools, map[string]any{"name": t.Spec.Name, "description": t.Spec.Description, "parameters": t.Spec.Schema.JSON})
		}
	}
	put("tools", tools, tools != nil)
	for choice, tool := range b.Tools.Choice {
		chat["tool_choice"] = map[string]string{"auto": "auto", "any": "required", "tool": tool.Name}[choice]
	}
	if f := b.Output.Format; f != nil {
		chat["response_schema"] = json.RawMessage(f.Structure.Schema.Schema)
	}
	if t := b.More.Thinking; t != nil {
		put("reasoning", map[string]any{"max_tokens": t.Budget}, t.Budget != nil)
	}
	return map[string]any{"chat": chat}, ""
}

func converseTurn(role string, content []converseBlock) (messages []any, skip string) {
	m := map[string]any{"role": role}
	var parts, calls, thoughts []any
	for _, b := range content {
		switch {
		case b.ToolUse != nil:
			calls = append(calls, map[string]any{"id": b.ToolUse.ID, "name": b.ToolUse.Name, "arguments": string(b.ToolUse.Input)})
		case b.Thought != nil && b.Thought.Open != nil:
			thoughts = append(thoughts, map[string]any{"text": b.Thought.Open.Text, "signature": b.Thought.Open.Signature})
		case b.Thought != nil:
			thoughts = append(thoughts, map[string]any{"redacted": b.Thought.Hidden})
		case b.ToolResult != nil:
			if b.ToolResult.Status == "error" {
				return nil, "the normal form has no tools that failed"
			}
			answer, skip := converseParts(b.ToolResult.Content)
			if skip != "" {
				return nil, skip
			}
			messages = append(messages, map[string]any{"role": "tool", "tool_call_id": b.ToolResult.ID, "parts": answer})
		default:
			part, skip := converseParts([]converseBlock{b})
			if skip != "" {
				return nil, skip
			}
			parts = append(parts, part...)
		}
	}
	if parts == nil && calls == nil && thoughts == nil {
		return messages, ""
	}
	m["parts"], m["tool_calls"], m["thoughts"] = parts, calls, thoughts
	return append(messages, m), ""
}

func converseParts(content []converseBlock) (parts []any, skip string) {
	for _, b := range content {
		switch {
		case b.Text != nil:
			parts = append(parts, map[string]any{"text": *b.Text})
		case b.JSON != nil:
			parts = append(parts, map[string]any{"text": string(b.JSON)})
		case b.Image != nil:
			parts = append(parts, b.Image.part("image"))
		case b.Document != nil:
			parts = append(parts, b.Document.part("document"))
		case b.Video != nil:
			parts = append(parts, b.Video.part("video"))
		case b.Audio != nil:
			parts = append(parts, b.Audio.part("audio"))
		case b.Cited != nil:
			for _, c := range b.Cited.Content {
				parts = append(parts, map[string]any{"text": c.Text})
			}
		case b.Point != nil: // where a cache is to be kept says nothing of what is asked
		default:
			return nil, "the normal form has no such block"
		}
	}
	return parts, ""
}

func bedrockWant(x *Exchange) (*Want, string, error) {
	switch {
	case x.Response.Status > 299:
		return bedrockFailure(x)
	case x.Kind == "models":
		return nil, noCount, nil
	case x.Kind == "embeddings":
		return bedrockVectors(x)
	case len(x.Response.Base64) > 0:
		return bedrockStream(x)
	case bytes.Contains(x.Response.Body, []byte(`"stop_reason"`)):
		return claudeWhole(x.Response.Body)
	}
	var a converseAnswer
	if err := json.Unmarshal(x.Response.Body, &a); err != nil {
		return nil, "", err
	}
	w := a.want()
	w.Model, _ = bedrockOperation(x)
	return w, "", nil
}

func bedrockFailure(x *Exchange) (*Want, string, error) {
	var body struct{ Message string }
	err := json.Unmarshal(x.Response.Body, &body)
	w := &Want{Fail: true, Message: body.Message, Reason: "bad_request"}
	switch {
	case x.Response.Status == 403:
		w.Reason, w.Message = "bad_key", "credentials"
	case x.Response.Status == 429:
		w.Reason = "rate_limited"
	case strings.Contains(body.Message, "model identifier"):
		w.Reason = "model_not_found"
	case strings.Contains(body.Message, "Tokens Exceeded"), strings.Contains(body.Message, "too long"):
		w.Reason = "context_too_long"
	}
	return w, "", err
}

func bedrockVectors(x *Exchange) (*Want, string, error) {
	var body struct {
		Vector  []float64 `json:"embedding"`
		Vectors any       `json:"embeddings"`
		Tokens  int64     `json:"inputTextTokenCount"`
	}
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	w := &Want{Vectors: [][]float64{body.Vector}, Usage: &Usage{Input: body.Tokens}}
	w.Model, _ = bedrockOperation(x)
	if body.Vectors == nil {
		return w, "", nil
	}
	if byType, ok := body.Vectors.(map[string]any); ok {
		body.Vectors = byType["float"]
	}
	raw, err := json.Marshal(body.Vectors)
	if err == nil {
		err = json.Unmarshal(raw, &w.Vectors)
	}
	if err == nil {
		err = json.Unmarshal([]byte(x.Response.Headers["x-amzn-bedrock-input-token-count"]), &w.Usage.Input)
	}
	return w, "", err
}

// bedrockStream puts an event stream together.
func bedrockStream(x *Exchange) (*Want, string, error) {
	frames, err := adaptertest.Frames("eventstream", bytes.NewReader(x.Response.Base64))
	if err != nil {
		return nil, "", err
	}
	var a converseAnswer
	var own []json.RawMessage // events in the form of Anthropic
	for _, f := range frames {
		name, data := f.Name, json.RawMessage(f.Data)
		if name != "chunk" {
			if err := a.event(name, data); err != nil {
				return nil, "", err
			}
			continue
		}
		var chunk struct{ Bytes string }
		if err := json.Unmarshal(data, &chunk); err != nil {
			return nil, "", err
		}
		inner, err := base64.StdEncoding.DecodeString(chunk.Bytes)
		if err != nil {
			return nil, "", err
		}
		var events map[string]json.RawMessage
		if err := json.Unmarshal(inner, &events); err != nil {
			return nil, "", err
		}
		switch {
		case events["outputText"] != nil:
			return nil, noTitanText, nil
		case events["type"] != nil:
			own = append(own, inner)
			continue
		}
		for name, event := range events {
			if strings.HasPrefix(name, "amazon-") {
				continue
			}
			if err := a.event(name, event); err != nil {
				return nil, "", err
			}
		}
	}
	if own != nil {
		return claudeStream(own)
	}
	w := a.want()
	w.Model, _ = bedrockOperation(x)
	return w, "", nil
}

// converseAnswer is an answer of Converse, whole or put together of events.
type converseAnswer struct {
	Output struct {
		Message struct{ Content []converseBlock }
	}
	Stop  string `json:"stopReason"`
	Usage map[string]any
}

func (a *converseAnswer) event(name string, raw json.RawMessage) error {
	var e struct {
		Index int `json:"contentBlockIndex"`
		Start struct {
			Use *struct {
				ID   string `json:"toolUseId"`
				Name string
			} `json:"toolUse"`
		}
		Delta struct {
			Text *string
			Use  *struct{ Input json.RawMessage }  `json:"toolUse"`
			Hint *struct{ Text, Signature string } `json:"reasoningContent"`
		}
		Stop  string `json:"stopReason"`
		Usage map[string]any
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	content := &a.Output.Message.Content
	switch name {
	case "contentBlockStart", "contentBlockDelta":
		for len(*content) <= e.Index {
			*content = append(*content, converseBlock{})
		}
		b := &(*content)[e.Index]
		if e.Start.Use != nil {
			use := `{"toolUse":{"toolUseId":` + quote(e.Start.Use.ID) + `,"name":` + quote(e.Start.Use.Name) + `}}`
			if err := json.Unmarshal([]byte(use), b); err != nil {
				return err
			}
		}
		if e.Delta.Text != nil {
			text := *e.Delta.Text
			if b.Text != nil {
				text = *b.Text + text
			}
			b.Text = &text
		}
		if e.Delta.Hint != nil {
			thought := e.Delta.Hint.Text
			if b.Thought != nil && b.Thought.Open != nil {
				thought = b.Thought.Open.Text + thought
			}
			b.Thought = nil
			if err := json.Unmarshal([]byte(`{"reasoningContent":{"reasoningText":{"text":`+quote(thought)+`}}}`), b); err != nil {
				return err
			}
		}
		if e.Delta.Use != nil && b.ToolUse != nil {
			var piece string
			if json.Unmarshal(e.Delta.Use.Input, &piece) != nil {
				piece = string(e.Delta.Use.Input)
			}
			b.ToolUse.Input = slices.Concat(b.ToolUse.Input, []byte(piece))
		}
	case "messageStop":
		a.Stop = e.Stop
	case "metadata":
		a.Usage = e.Usage
	}
	return nil
}

func quote(s string) string {
	raw, _ := json.Marshal(s) // a string always can be
	return string(raw)
}

func (a *converseAnswer) want() *Want {
	w := &Want{Finish: a.Stop}
	if finish := map[string]string{"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
		"tool_use": "tool_calls", "guardrail_intervened": "content_filter", "content_filtered": "content_filter"}[a.Stop]; finish != "" {
		w.Finish = finish
	}
	for _, b := range a.Output.Message.Content {
		if b.Text != nil {
			w.Text += *b.Text
		}
		if b.Cited != nil {
			for _, c := range b.Cited.Content {
				w.Text += c.Text
			}
		}
		if b.Thought != nil && b.Thought.Open != nil {
			w.Thought += b.Thought.Open.Text
		}
		if u := b.ToolUse; u != nil {
			arguments := string(u.Input)
			if arguments == "" {
				arguments = "{}"
			}
			w.Calls = append(w.Calls, Call{ID: u.ID, Name: u.Name, Arguments: arguments})
		}
	}
	n := func(names ...string) int64 {
		for _, name := range names {
			if f, ok := a.Usage[name].(float64); ok {
				return int64(f)
			}
		}
		return 0
	}
	cached := n("cacheReadInputTokens", "cacheReadInputTokenCount")
	w.Usage = &Usage{Input: n("inputTokens") + cached + n("cacheWriteInputTokens", "cacheWriteInputTokenCount"), Output: n("outputTokens"), Cached: cached}
	return w
}
