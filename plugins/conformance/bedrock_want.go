package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adaptertest"
)

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
