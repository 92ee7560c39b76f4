package conformance

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// completion is an answer to a chat, whole or a piece of a stream, and what stands in the answers to other work.
type completion struct {
	Model   string
	Choices []struct {
		Index        int
		Text         string
		Message      turn
		Delta        turn
		FinishReason string `json:"finish_reason"`
	}
	Usage *counts
	Groq  struct{ Usage *counts } `json:"x_groq"`
	Error any
	Data  []struct {
		Index     int
		Embedding any
		URL       string
		Base64    string `json:"b64_json"`
	}
	Words []struct {
		Word       string
		Start, End float64
	}
	Segments []struct {
		Text, Speaker string
		Start, End    float64
	}
}

type turn struct {
	Content   any
	Refusal   string
	Reasoning string
	Thought   string `json:"reasoning_content"`
	ToolCalls []struct {
		Index    *int
		ID       string
		Function struct {
			Name      string
			Arguments any
		}
	} `json:"tool_calls"`
}

type counts struct {
	Prompt, Completion, Total int64
	Cached, Reasoning         int64
}

func (c *counts) UnmarshalJSON(raw []byte) error {
	var v struct {
		Prompt     int64 `json:"prompt_tokens"`
		Input      int64 `json:"input_tokens"`
		Completion int64 `json:"completion_tokens"`
		Output     int64 `json:"output_tokens"`
		Total      int64 `json:"total_tokens"`
		NumCached  int64 `json:"num_cached_tokens"`
		Cached     int64 `json:"cached_tokens"`
		In         struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Out struct {
			Reasoning int64 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	*c = counts{v.Prompt + v.Input, v.Completion + v.Output, v.Total, max(v.In.Cached, v.NumCached, v.Cached), v.Out.Reasoning}
	return nil
}

// usage returns them in the normal form, where reasoning is among what was written.
func (c *counts) usage() *Usage {
	if c == nil {
		return nil
	}
	out := c.Completion
	if c.Total == c.Prompt+c.Completion+c.Reasoning {
		out += c.Reasoning
	}
	return &Usage{c.Prompt, out, c.Cached, c.Reasoning}
}

// compatibleWant reads what an answer says.
func compatibleWant(x *Exchange) (*Want, string, error) {
	switch {
	case x.Kind == "models", x.Kind == "moderation", x.Kind == "ocr":
		return nil, noWork(x.Kind), nil
	case x.Kind == "speech" && x.Response.Status < 300:
		return &Want{Audio: x.Response.Base64}, "", nil
	case x.Request != nil && x.Request.Method == "GET":
		return nil, "the normal form asks for nothing that is kept", nil
	case x.Response.Status > 299:
		return wantRefusal(x), "", nil
	case x.Kind == "responses":
		return responsesWant(x)
	case x.Response.Stream != "" && (x.Kind == "images" || x.Kind == "transcription"):
		return nil, "the normal form has no pictures or transcripts that come in pieces", nil
	case x.Response.Stream != "":
		return wantStream(x)
	}
	var c completion
	if err := json.Unmarshal(x.Response.Body, &c); err != nil {
		return nil, "", err
	}
	w := &Want{Model: c.Model, Usage: c.Usage.usage()}
	switch x.Kind {
	case "embeddings":
		w.Vectors = make([][]float64, len(c.Data))
		for i, item := range c.Data {
			w.Vectors[max(i, item.Index)] = vectorOf(item.Embedding)
		}
		return w, "", nil
	case "images":
		w.Pictures = len(c.Data)
		for _, picture := range c.Data {
			if strings.Contains(picture.Base64, "...") { // an example that leaves the picture out
				return &Want{Fail: true, Message: "no base64"}, "", nil
			}
		}
		return w, "", nil
	case "transcription":
		return wantTranscript(x, c)
	}
	if len(c.Choices) == 0 {
		return nil, "it is no answer to a chat", nil
	}
	choice := c.Choices[0]
	w.take(choice.Message, true)
	w.Text += choice.Text
	w.Finish = finishOf(choice.FinishReason)
	return w, "", nil
}

// wantRefusal is what an answer with that status must lead to.
func wantRefusal(x *Exchange) *Want {
	body := strings.ToLower(string(x.Response.Body))
	w := &Want{Fail: true}
	switch {
	case strings.Contains(body, "model_not_found"):
		w.Reason = "model_not_found"
	case strings.Contains(body, "context_length_exceeded"), strings.Contains(body, "too_many_prompt_tokens"):
		w.Reason = "context_too_long"
	case x.Response.Status == 401, strings.Contains(body, "incorrect api key"):
		w.Reason = "bad_key"
	case x.Response.Status == 429:
		w.Reason = "rate_limited"
	case x.Response.Status == 400:
		w.Reason = "bad_request"
	}
	return w
}

// take adds a message, or a piece of one.
func (w *Want) take(m turn, whole bool) {
	switch content := m.Content.(type) {
	case string:
		w.Text += content
	case []any:
		for _, p := range content {
			part := p.(object)
			if text, ok := part["text"].(string); ok {
				w.Text += text
			}
			for _, thought := range listOf(part["thinking"]) {
				w.Thought += thought.(object)["text"].(string)
			}
		}
	}
	w.Text += m.Refusal
	if w.Thought += m.Thought; m.Thought == "" {
		w.Thought += m.Reasoning
	}
	for i, c := range m.ToolCalls {
		arguments, ok := c.Function.Arguments.(string)
		if !ok && c.Function.Arguments != nil {
			raw, _ := json.Marshal(c.Function.Arguments) // it was read from JSON
			arguments = string(raw)
		}
		at := i
		switch {
		case whole:
			at = len(w.Calls)
		case c.Index != nil:
			at = *c.Index
		case c.ID != "":
			at = len(w.Calls)
		}
		for len(w.Calls) <= at {
			w.Calls = append(w.Calls, Call{ID: c.ID, Name: c.Function.Name})
		}
		w.Calls[at].Arguments += arguments
	}
}

// wantStream puts a stream together.
func wantStream(x *Exchange) (*Want, string, error) {
	w := &Want{}
	begun := false
	for line := range strings.Lines(x.Response.Stream) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data:")
		if data = strings.TrimSpace(data); !ok || data == "" || data == "[DONE]" {
			continue
		}
		var c completion
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			return nil, "", fmt.Errorf("%s: %w", data, err)
		}
		if c.Error != nil {
			return &Want{Fail: true}, "", nil
		}
		if c.Model != "" {
			w.Model = c.Model
		}
		for _, u := range []*counts{c.Usage, c.Groq.Usage} {
			if u != nil {
				w.Usage = u.usage()
			}
		}
		for _, choice := range c.Choices {
			if choice.Index != 0 {
				continue
			}
			begun = true
			w.take(choice.Delta, false)
			w.Text += choice.Text
			if choice.FinishReason != "" {
				w.Finish = finishOf(choice.FinishReason)
			}
		}
	}
	if !begun {
		return &Want{Fail: true}, "", nil // another API's stream: it must not be taken for a chat
	}
	return w, "", nil
}

func finishOf(word string) string {
	switch word {
	case "eos", "eos_token", "stop_sequence":
		return "stop"
	case "function_call":
		return "tool_calls"
	case "model_length":
		return "length"
	}
	return word
}

// vectorOf reads numbers, or float32 in base64; Perplexity's bytes are read by its own file.
func vectorOf(v any) (vector []float64) {
	if list, ok := v.([]any); ok {
		for _, n := range list {
			vector = append(vector, n.(float64))
		}
		return vector
	}
	var raw []byte
	quoted, _ := json.Marshal(v)
	if json.Unmarshal(quoted, &raw) != nil {
		return nil
	}
	for ; len(raw) >= 4; raw = raw[4:] {
		vector = append(vector, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
	}
	return vector
}

func wantTranscript(x *Exchange, c completion) (*Want, string, error) {
	var said struct{ Text *string }
	if err := json.Unmarshal(x.Response.Body, &said); err != nil {
		return nil, "", err
	}
	if said.Text == nil {
		return nil, "it is no transcript", nil
	}
	w := &Want{Text: *said.Text, Model: c.Model, Usage: c.Usage.usage()}
	for _, word := range c.Words {
		w.Words = append(w.Words, Word{word.Word, word.Start, word.End})
	}
	if len(w.Words) == 0 {
		for _, s := range c.Segments {
			w.Words = append(w.Words, Word{s.Text, s.Start, s.End})
		}
	}
	return w, "", nil
}
