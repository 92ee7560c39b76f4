package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/smarthausgroup/caio/plugins/alephalpha"
)

// AlephAlpha is Aleph Alpha, which publishes no specification: recordings of its official client.
func AlephAlpha() Provider {
	return Provider{
		Name: "aleph-alpha", Adapter: alephalpha.Adapter{}, Contract: "aleph-alpha.yaml", Evidence: "recordings only",
		BaseURL: "https://b.inference.pharia.ai/v1",
		Settings: func(x *Exchange) map[string]any {
			return map[string]any{"task_path": pathBelow(x.Request.URL, "/v1")}
		},
		Intent: intentAlephAlpha,
		Hello: func(x *Exchange) map[string]any {
			if x.Kind == "completion" {
				return map[string]any{"code": map[string]any{"prompt": "Hello"}}
			}
			return map[string]any{"chat": map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Hello"}}}}
		},
		Want: wantAlephAlpha,
	}
}

// pathBelow returns what of a URL follows the first occurrence of prefix.
func pathBelow(url, prefix string) string {
	_, path, _ := strings.Cut(url, prefix)
	return path
}

func intentAlephAlpha(x *Exchange) (map[string]any, bool, string) {
	var body struct {
		Model     string
		Messages  []alephAlphaMessage
		Maximum   *int `json:"maximum_tokens"`
		Prompt    json.RawMessage
		Prompts   [][]struct{ Data string }
		Size      *int   `json:"compress_to_size"`
		Represent string `json:"representation"`
		Tools     []struct{ Function map[string]any }
		Format    *struct {
			Schema struct{ Schema map[string]any } `json:"json_schema"`
		} `json:"response_format"`
		Query, Documents any
		TopN             *int `json:"top_n"`
		Stream           bool
	}
	if err := json.Unmarshal(x.Request.Body, &body); err != nil {
		return nil, false, err.Error()
	}
	intent := map[string]any{}
	if body.Model != "" {
		intent["model"] = body.Model
	}
	switch path := pathBelow(x.Request.URL, "/v1"); path {
	case "/chat/completions":
		var messages, tools []any
		for _, m := range body.Messages {
			messages = append(messages, m.normal())
		}
		for _, t := range body.Tools {
			delete(t.Function, "strict") // the adapter's own to say
			tools = append(tools, t.Function)
		}
		intent["messages"], intent["tools"] = messages, tools
		if body.Maximum != nil {
			intent["max_tokens"] = *body.Maximum
		}
		if body.Format != nil {
			intent["response_schema"] = body.Format.Schema.Schema
		}
		return map[string]any{"chat": intent}, body.Stream, ""
	case "/complete":
		var items []struct {
			Type string
			Data json.RawMessage
		}
		var text string
		if json.Unmarshal(body.Prompt, &items) != nil || len(items) != 1 || json.Unmarshal(items[0].Data, &text) != nil || text == "" {
			return nil, false, "the normal form has no prompts of tokens, and none that are empty"
		}
		intent["prompt"] = text
		if body.Maximum != nil {
			intent["max_tokens"] = *body.Maximum
		}
		return map[string]any{"code": intent}, body.Stream, ""
	case "/semantic_embed", "/batch_semantic_embed":
		var one []struct{ Data string }
		if json.Unmarshal(body.Prompt, &one) == nil {
			body.Prompts = append(body.Prompts, one)
		}
		var texts []any
		for _, prompt := range body.Prompts {
			texts = append(texts, prompt[0].Data)
		}
		intent["input"] = texts
		if body.Size != nil {
			intent["dimensions"] = *body.Size
		}
		if body.Represent != "symmetric" {
			intent["purpose"] = body.Represent
		}
		if body.Model == "" {
			intent["model"] = "luminous-base" // the server's own choice then
		}
		return map[string]any{"embedding": intent}, false, ""
	case "/rerank":
		intent["query"], intent["documents"] = body.Query, body.Documents
		if body.TopN != nil {
			intent["top_n"] = *body.TopN
		}
		return map[string]any{"rerank": intent}, false, ""
	}
	var payload map[string]any
	err := json.Unmarshal(x.Request.Body, &payload)
	if err != nil {
		return nil, false, err.Error()
	}
	return map[string]any{"payload": payload}, false, ""
}

type alephAlphaMessage struct {
	Role, Content string
	Answers       string `json:"tool_call_id"`
	Calls         []struct {
		ID       string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

func (m *alephAlphaMessage) normal() map[string]any {
	message := map[string]any{"role": m.Role, "content": m.Content, "tool_call_id": m.Answers}
	var calls []any
	for _, c := range m.Calls {
		calls = append(calls, map[string]any{"id": c.ID, "name": c.Function.Name, "arguments": c.Function.Arguments})
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	return message
}

type alephAlphaAnswer struct {
	Type        string
	Model       string
	Completion  string // of a stream
	Finish      string `json:"finish_reason"`
	Completions []struct {
		Completion string
		Finish     string `json:"finish_reason"`
	}
	Choices []struct {
		Message, Delta struct {
			Content string
			Calls   []struct {
				Index    int
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		Finish string `json:"finish_reason"`
	}
	Usage *struct {
		In    int64 `json:"prompt_tokens"`
		Out   int64 `json:"completion_tokens"`
		Total int64 `json:"total_tokens"`
	}
	In         *int64 `json:"num_tokens_prompt_total"`
	Out        int64  `json:"num_tokens_generated"`
	Embeddings [][]float64
	Embedding  []float64
	Results    []struct {
		Index int
		Score float64 `json:"relevance_score"`
	}
}

func wantAlephAlpha(x *Exchange) (*Want, string, error) {
	if x.Response.Status >= 300 {
		var said struct{ Error string }
		err := json.Unmarshal(x.Response.Body, &said)
		return &Want{Fail: true, Message: said.Error}, "", err
	}
	want := &Want{}
	if x.Response.Stream != "" {
		for _, line := range strings.Split(x.Response.Stream, "\n") {
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok || data == "[DONE]" {
				continue
			}
			if err := want.alephAlpha([]byte(data)); err != nil {
				return nil, "", err
			}
		}
		return want, "", nil
	}
	if kind := pathBelow(x.Request.URL, "/v1"); kind == "/translate" || kind == "/tokenize" || kind == "/detokenize" {
		want.Other = func(result map[string]any) error {
			var body any
			if err := json.Unmarshal(x.Response.Body, &body); err != nil {
				return err
			}
			if got, said := fmt.Sprint(result["output"]), fmt.Sprint(body); got != said {
				return fmt.Errorf("output is %s, want %s", clipped(got), clipped(said))
			}
			return nil
		}
		if kind != "/translate" {
			return want, "", nil
		}
	}
	return want, "", want.alephAlpha(x.Response.Body)
}

func clipped(s string) string { return s[:min(len(s), 200)] }

// alephAlpha adds what a document says.
func (w *Want) alephAlpha(doc []byte) error {
	var a alephAlphaAnswer
	if err := json.Unmarshal(doc, &a); err != nil {
		return err
	}
	w.Text += a.Completion
	finish := a.Finish
	for _, c := range a.Completions {
		w.Text, finish = c.Completion, c.Finish
	}
	for _, c := range a.Choices {
		w.Text += c.Message.Content + c.Delta.Content
		finish = c.Finish
		for _, call := range append(c.Message.Calls, c.Delta.Calls...) {
			if call.Index >= len(w.Calls) {
				w.Calls = append(w.Calls, Call{})
			}
			to := &w.Calls[call.Index]
			to.ID, to.Name, to.Arguments = to.ID+call.ID, to.Name+call.Function.Name, to.Arguments+call.Function.Arguments
		}
	}
	if finish != "" {
		w.Finish = map[string]string{"maximum_tokens": "length", "end_of_text": "stop", "stop_sequence_reached": "stop"}[finish]
		if w.Finish == "" {
			w.Finish = finish
		}
	}
	if a.Model != "" {
		w.Model = a.Model
	}
	if a.Usage != nil {
		w.Usage = &Usage{Input: a.Usage.In, Output: a.Usage.Out}
		if a.Results != nil {
			w.Usage.Input = a.Usage.Total
		}
	}
	if a.In != nil {
		w.Usage = &Usage{Input: *a.In, Output: a.Out}
	}
	if a.Embedding != nil {
		a.Embeddings = [][]float64{a.Embedding}
	}
	w.Vectors = a.Embeddings
	for _, r := range a.Results {
		w.Ranked = append(w.Ranked, Rank{r.Index, r.Score})
	}
	return nil
}
