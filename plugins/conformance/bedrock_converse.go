package conformance

import (
	"encoding/json"
)

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
