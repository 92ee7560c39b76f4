package openai

import (
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// completed reads an answer of Meta's own Llama API, whose requests are OpenAI's and whose answers are not: one message, and
// counts in a list.
func (s *state) completed(body json.Value) (adapter.Reply, error) {
	m := body.Get("completion_message")
	s.take(m.Members(nil))
	s.Say(m.Pointer("/content/text").Text())
	s.measure(body.Get("metrics"))
	return s.finished(m.Get("stop_reason"))
}

// event reads a piece of its stream.
func (s *state) event(v json.Value) {
	s.begun = true
	delta := v.Get("delta")
	s.Say(delta.Get("text").Text())
	if delta.Get("type").Text() == "tool_call" {
		s.Call(normal.ToolCall{
			Index: s.place(delta), ID: delta.Get("id").Text(), Name: delta.Pointer("/function/name").Text(),
			Arguments: arguments(delta.Pointer("/function/arguments")),
		})
	}
	if reason := v.Get("stop_reason").Text(); reason != "" {
		s.Finish = finish(reason)
	}
	s.measure(v.Get("metrics"))
}

func (s *state) measure(metrics json.Value) {
	for metric := range metrics.Items() {
		n, ok := metric.Get("value").Int()
		if !ok {
			continue
		}
		switch metric.Get("metric").Text() {
		case "num_prompt_tokens":
			s.Usage.Known, s.Usage.In = true, n
		case "num_completion_tokens":
			s.Usage.Known, s.Usage.Out = true, n
		}
	}
}
