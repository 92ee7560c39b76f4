package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// chat asks for a completion.
func (s *settings) chat(chat json.Value, stream bool) (adapter.Reply, error) {
	var w json.Writer
	w.Begin('{')
	if err := s.pick(&w, "chat.model", chat.Get("model").Text()); err != nil {
		return adapter.Reply{}, err
	}
	for name, v := range chat.Fields() {
		if err := s.parameter(&w, name, v); err != nil {
			return adapter.Reply{}, err
		}
	}
	accept, framing := "application/json", ""
	if stream {
		accept, framing = "text/event-stream", "sse"
		w.Key("stream")
		w.Bool(true)
		if !s.noUsage {
			w.Key("stream_options")
			w.Raw(json.Value(`{"include_usage":true}`))
		}
	}
	call, err := s.post("/chat/completions", &w, accept)
	if err != nil {
		return adapter.Reply{}, err
	}
	call.Framing = framing
	state := state{kind: kindChat, stream: stream, noDone: s.noDone}
	return adapter.Reply{State: state.bytes(), Actions: []adapter.Action{call}}, nil
}

// parameter writes one parameter of a chat. One that says nothing is left out; one that is not known is refused.
func (s *settings) parameter(w *json.Writer, name string, v json.Value) error {
	switch name {
	case "model":
	case "messages":
		return messages(w, v)
	case "temperature", "top_p", "seed": // 0 says something there
		if v.Exists() {
			w.Key(name)
			w.Raw(v)
		}
	case "max_tokens":
		if v.Exists() {
			w.Key(s.maxTokensField)
			w.Raw(v)
		}
	case "stop":
		if !v.Empty() {
			w.Key("stop")
			w.Raw(v)
		}
	case "tools":
		if !v.Empty() {
			return tools(w, v)
		}
	case "response_schema":
		if v.Exists() { // {} is a schema, too
			s.schema(w, v)
		}
	default:
		if !v.Empty() {
			return adapter.Unsupported("chat."+name, "the API has no such parameter")
		}
	}
	return nil
}

func (s *settings) schema(w *json.Writer, schema json.Value) {
	w.Key("response_format")
	w.Begin('{')
	w.Key("type")
	w.String("json_schema")
	w.Key("json_schema")
	w.Begin('{')
	w.Key("name")
	w.String("response")
	w.Key("schema")
	w.Raw(schema)
	w.Key("strict")
	w.Bool(!s.lax)
	w.End('}')
	w.End('}')
}

func tools(w *json.Writer, list json.Value) error {
	w.Key("tools")
	w.Begin('[')
	i := 0
	for tool := range list.Items() {
		w.Begin('{')
		w.Key("type")
		w.String("function")
		w.Key("function")
		w.Begin('{')
		for name, v := range tool.Fields() {
			switch name {
			case "name", "description", "parameters":
				if v.Exists() && (name != "description" || !v.Empty()) {
					w.Key(name)
					w.Raw(v)
				}
			default:
				if !v.Empty() {
					return adapter.Unsupported("chat.tools["+strconv.Itoa(i)+"]."+name, "the API has no such field")
				}
			}
		}
		w.End('}')
		w.End('}')
		i++
	}
	w.End(']')
	return nil
}

func messages(w *json.Writer, list json.Value) error {
	w.Key("messages")
	w.Begin('[')
	i := 0
	for m := range list.Items() {
		if err := message(w, "chat.messages["+strconv.Itoa(i)+"]", m); err != nil {
			return err
		}
		i++
	}
	w.End(']')
	return nil
}

func message(w *json.Writer, at string, m json.Value) error {
	var role, content, parts, calls, answers json.Value
	for name, v := range m.Fields() {
		switch name {
		case "role":
			role = v
		case "content":
			content = v
		case "parts":
			parts = v
		case "tool_calls":
			calls = v
		case "tool_call_id":
			answers = v
		default:
			if !v.Empty() {
				return adapter.Unsupported(at+"."+name, "the API has no such field")
			}
		}
	}
	kind := role.Text()
	w.Begin('{')
	w.Key("role")
	w.Raw(role)
	if err := contents(w, at, kind, content, parts, !calls.Empty()); err != nil {
		return err
	}
	switch {
	case !calls.Empty() && kind != "assistant":
		return adapter.Unsupported(at+".tool_calls", "only an assistant calls tools")
	case !calls.Empty():
		toolCalls(w, calls)
	}
	switch {
	case kind == "tool" && answers.Empty():
		return adapter.Unsupported(at+".tool_call_id", "a tool's message must name the call it answers")
	case kind == "tool":
		w.Key("tool_call_id")
		w.Raw(answers)
	case !answers.Empty():
		return adapter.Unsupported(at+".tool_call_id", "only a tool's message answers a call")
	}
	w.End('}')
	return nil
}

// contents writes a message's text and parts.
func contents(w *json.Writer, at, role string, content, parts json.Value, called bool) error {
	if parts.Empty() {
		if content.Empty() && called {
			return nil // an assistant that called tools need not have said anything
		}
		w.Key("content")
		if content == nil {
			content = json.Value(`""`)
		}
		w.Raw(content)
		return nil
	}
	w.Key("content")
	w.Begin('[')
	if !content.Empty() {
		textPart(w, content)
	}
	i := 0
	for p := range parts.Items() {
		if err := part(w, at+".parts["+strconv.Itoa(i)+"]", role, p); err != nil {
			return err
		}
		i++
	}
	w.End(']')
	return nil
}

func textPart(w *json.Writer, text json.Value) {
	w.Begin('{')
	w.Key("type")
	w.String("text")
	w.Key("text")
	w.Raw(text)
	w.End('}')
}

func part(w *json.Writer, at, role string, p json.Value) error {
	var media string
	var url, data, text json.Value
	for name, v := range p.Fields() {
		switch name {
		case "media_type":
			media = v.Text()
		case "url":
			url = v
		case "data":
			data = v
		case "text":
			text = v
		default:
			if !v.Empty() {
				return adapter.Unsupported(at+"."+name, "the API has no such field")
			}
		}
	}
	if text.Exists() {
		textPart(w, text)
		return nil
	}
	if role != "user" {
		return adapter.Unsupported(at, "only a user's message may hold other parts than text")
	}
	if url == nil && data == nil {
		return adapter.Unsupported(at, "it has neither url nor data nor text")
	}
	switch {
	case strings.HasPrefix(media, "image/") || media == "" && url != nil:
		if url == nil {
			url = dataURL(media, data)
		}
		object(w, "image_url", "url", url)
	case data != nil && (media == "audio/wav" || media == "audio/x-wav" || media == "audio/wave"):
		object(w, "input_audio", "data", data, "format", json.Value(`"wav"`))
	case data != nil && (media == "audio/mpeg" || media == "audio/mp3"):
		object(w, "input_audio", "data", data, "format", json.Value(`"mp3"`))
	case data != nil && media == "application/pdf":
		object(w, "file", "filename", json.Value(`"file.pdf"`), "file_data", dataURL(media, data))
	case url != nil:
		return adapter.Unsupported(at+".url", "the API takes only images by URL, this is "+strconv.Quote(media))
	default:
		return adapter.Unsupported(at+".media_type", "the API takes images, WAV and MP3 audio and PDF files, not "+strconv.Quote(media))
	}
	return nil
}

// dataURL puts a part's data, which is base64 in JSON as it is in the URL, into a URL.
func dataURL(media string, data json.Value) json.Value {
	return json.AppendString(nil, "data:"+media+";base64,"+data.Text())
}

// object writes {"type": kind, kind: {fields}}.
func object(w *json.Writer, kind string, fields ...any) {
	w.Begin('{')
	w.Key("type")
	w.String(kind)
	w.Key(kind)
	w.Begin('{')
	for i := 0; i < len(fields); i += 2 {
		w.Key(fields[i].(string))
		w.Raw(fields[i+1].(json.Value))
	}
	w.End('}')
	w.End('}')
}

func toolCalls(w *json.Writer, calls json.Value) {
	w.Key("tool_calls")
	w.Begin('[')
	for c := range calls.Items() {
		w.Begin('{')
		w.Key("id")
		w.String(c.Get("id").Text())
		w.Key("type")
		w.String("function")
		w.Key("function")
		w.Begin('{')
		w.Key("name")
		w.String(c.Get("name").Text())
		w.Key("arguments")
		w.String(c.Get("arguments").Text())
		w.End('}')
		w.End('}')
	}
	w.End(']')
}
