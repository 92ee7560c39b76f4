package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/smarthausgroup/caio/plugins/ollama"
)

// Ollama is what is asked in Ollama's own API.
func Ollama() Provider {
	return Provider{
		Name: "ollama", Adapter: ollama.Adapter{}, Contract: "ollama.yaml", Evidence: "official specification",
		Only: func(x *Exchange) bool { return !likeOpenAI(x) },
		Intent: func(x *Exchange) (map[string]any, bool, string) {
			var body ollamaRequest
			if x.Request.Body == nil {
				return nil, false, "lists of models are no work"
			}
			if err := json.Unmarshal(x.Request.Body, &body); err != nil {
				return nil, false, err.Error()
			}
			if strings.HasSuffix(x.Request.URL, "/api/embeddings") { // which /api/embed replaced
				body.Input = body.Prompt
			}
			return body.intent(), x.Response.Stream != "", ""
		},
		Hello: func(x *Exchange) map[string]any {
			switch x.Kind {
			case "embeddings":
				return map[string]any{"embedding": map[string]any{"input": []string{"Hello"}}}
			case "completion":
				return map[string]any{"code": map[string]any{"prompt": "Hello"}}
			}
			return map[string]any{"chat": map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Hello"}}}}
		},
		Want: wantOllama,
	}
}

// likeOpenAI tells whether an exchange speaks OpenAI's form, by its path or, where that was not recorded, by its answer.
func likeOpenAI(x *Exchange) bool {
	return x.Request != nil && strings.Contains(x.Request.URL, "/v1/") || strings.Contains(string(x.Response.Body), `"choices"`) ||
		strings.HasPrefix(x.Response.Stream, "data:")
}

type ollamaRequest struct {
	Model    string
	Messages []struct {
		Role, Content, Thinking string
		Images                  []string
		ToolName                string `json:"tool_name"`
		ToolCalls               []struct {
			Function struct {
				Name      string
				Arguments json.RawMessage
			}
		} `json:"tool_calls"`
	}
	Tools []struct {
		Function map[string]any
	}
	Prompt, Suffix string
	Input          any
	Options        map[string]any
	Format         any
	Think          any
}

// intent asks for the same in the normal form.
func (b *ollamaRequest) intent() map[string]any {
	switch {
	case b.Input != nil:
		texts, ok := b.Input.([]any)
		if !ok {
			texts = []any{b.Input}
		}
		return map[string]any{"embedding": map[string]any{"model": b.Model, "input": texts}}
	case b.Prompt != "" && b.Messages == nil:
		return map[string]any{"code": map[string]any{"model": b.Model, "prompt": b.Prompt, "suffix": b.Suffix}} // which knows no temperature
	}
	chat := map[string]any{"model": b.Model, "messages": b.messages()}
	for name, v := range b.Options {
		if name == "num_predict" {
			name = "max_tokens"
		}
		chat[name] = v
	}
	var tools []any
	for _, t := range b.Tools {
		tools = append(tools, t.Function)
	}
	if tools != nil {
		chat["tools"] = tools
	}
	switch format := b.Format.(type) {
	case map[string]any:
		chat["response_schema"] = format
	case string:
		chat["json_object"] = format == "json"
	}
	switch think := b.Think.(type) {
	case string:
		chat["reasoning"] = map[string]any{"effort": think}
	case bool:
		if !think {
			chat["reasoning"] = map[string]any{"effort": "none"}
		}
	}
	return map[string]any{"chat": chat}
}

func (b *ollamaRequest) messages() []any {
	var messages []any
	calls := 0 // the server numbered none
	answered := 0
	for _, m := range b.Messages {
		message := map[string]any{"role": m.Role, "content": m.Content}
		for _, image := range m.Images {
			parts, _ := message["parts"].([]any)
			message["parts"] = append(parts, map[string]any{"media_type": "image/png", "data": image})
		}
		if m.Thinking != "" {
			message["thoughts"] = []any{map[string]any{"text": m.Thinking}}
		}
		for _, c := range m.ToolCalls {
			list, _ := message["tool_calls"].([]any)
			message["tool_calls"] = append(list, map[string]any{"id": fmt.Sprint("c", calls), "name": c.Function.Name, "arguments": string(c.Function.Arguments)})
			calls++
		}
		if m.Role == "tool" {
			message["tool_call_id"], message["name"] = fmt.Sprint("c", answered), m.ToolName
			answered++
		}
		messages = append(messages, message)
	}
	return messages
}

type ollamaAnswer struct {
	Model, Response, Thinking string
	Message                   struct {
		Content, Thinking string
		ToolCalls         []struct {
			ID       string
			Function struct {
				Name      string
				Arguments json.RawMessage
			}
		} `json:"tool_calls"`
	}
	Done       bool
	DoneReason string `json:"done_reason"`
	In         *int64 `json:"prompt_eval_count"`
	Out        *int64 `json:"eval_count"`
	Embeddings [][]float64
	Embedding  []float64
	Models     []any
	Error      string
}

// wantOllama reads an answer: one document, or one a line.
func wantOllama(x *Exchange) (*Want, string, error) {
	if x.Response.Status >= 300 {
		return &Want{Fail: true}, "", nil
	}
	text := x.Response.Stream
	if text == "" {
		text = string(x.Response.Body)
	}
	want := &Want{}
	for dec := json.NewDecoder(strings.NewReader(text)); dec.More(); {
		var a ollamaAnswer
		if err := dec.Decode(&a); err != nil {
			return nil, "", err
		}
		if a.Models != nil {
			return nil, "lists of models are no work", nil
		}
		if a.Error != "" {
			return &Want{Fail: true, Message: a.Error}, "", nil
		}
		want.Model, want.Text = a.Model, want.Text+a.Message.Content+a.Response
		want.Thought += a.Message.Thinking + a.Thinking
		if a.DoneReason != "" {
			want.Finish = a.DoneReason
		}
		for _, c := range a.Message.ToolCalls {
			if c.ID == "" {
				c.ID = fmt.Sprint("call_", len(want.Calls)) // the adapter's own, since the normal form answers calls by id
			}
			want.Calls = append(want.Calls, Call{ID: c.ID, Name: c.Function.Name, Arguments: string(c.Function.Arguments)})
		}
		if a.In != nil || a.Out != nil {
			want.Usage = &Usage{}
			if a.In != nil {
				want.Usage.Input = *a.In
			}
			if a.Out != nil {
				want.Usage.Output = *a.Out
			}
		}
		want.Vectors = a.Embeddings
		if a.Embedding != nil {
			want.Vectors = [][]float64{a.Embedding}
		}
	}
	if len(want.Calls) > 0 && want.Finish == "stop" {
		want.Finish = "tool_calls"
	}
	return want, "", nil
}
