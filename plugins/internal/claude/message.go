package claude

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// messages writes the system's text and the conversation. Turns of one speaker that follow one another are made one: the answers
// of tools that were called side by side must stand in one turn.
func (r *Request) messages() error {
	list, err := r.Call.Conversation()
	if err != nil {
		return err
	}
	system, list, err := System(r.Call, list)
	if err != nil {
		return err
	}
	if err := r.system(system); err != nil {
		return err
	}
	w := &r.w
	w.Key("messages")
	w.Begin('[')
	for i := 0; i < len(list); {
		speaker := Speaker(&list[i])
		w.Begin('{')
		w.Key("role")
		w.String(speaker)
		w.Key("content")
		w.Begin('[')
		for ; i < len(list) && Speaker(&list[i]) == speaker; i++ {
			if err := r.message(&list[i]); err != nil {
				return err
			}
		}
		w.End(']')
		w.End('}')
	}
	w.End(']')
	return nil
}

func (r *Request) system(list []normal.Message) error {
	w := &r.w
	begun := false
	for i := range list {
		texts, err := Texts(r.Call, &list[i])
		if err != nil {
			return err
		}
		for _, text := range texts {
			if !begun {
				begun = true
				w.Key("system")
				w.Begin('[')
			}
			r.text(text)
		}
	}
	if begun {
		w.End(']')
	}
	return nil
}

func (r *Request) message(m *normal.Message) error {
	if err := NoName(r.Call, m); err != nil {
		return err
	}
	if m.Role == "tool" {
		return r.result(m)
	}
	for i := range m.Thoughts {
		if err := r.thought(m, i); err != nil {
			return err
		}
	}
	if err := r.contents(m, m.Role == "user"); err != nil {
		return err
	}
	for i := range m.Calls {
		if err := r.call(m, i); err != nil {
			return err
		}
	}
	return nil
}

// contents writes a message's text and parts; an empty text is no block that the API takes.
func (r *Request) contents(m *normal.Message, media bool) error {
	if m.Text != "" {
		r.text(m.Text)
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		switch {
		case p.IsText && p.Name == "":
			if p.Text != "" {
				r.text(p.Text)
			}
		case !media:
			if err := r.Call.Cannot(p.At, "only what the user or a tool says may hold more than text"); err != nil {
				return err
			}
		default:
			if err := r.part(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Request) text(text string) {
	w := &r.w
	w.Begin('{')
	w.Key("type")
	w.String("text")
	w.Key("text")
	w.String(text)
	w.End('}')
}

// part writes a picture or a document.
func (r *Request) part(p *normal.Part) error {
	Inline(p)
	media := strings.ToLower(p.Media)
	switch {
	case p.IsText:
		r.source("document", p.Name, "text", "text/plain", p.Text)
	case media == "image/jpeg" || media == "image/png" || media == "image/gif" || media == "image/webp" || p.URL != "" && (media == "" || media == "image/*"):
		if p.Name != "" {
			if err := r.Call.Cannot(p.At+".name", "the API has no names of pictures"); err != nil {
				return err
			}
		}
		if p.URL != "" {
			r.source("image", "", "url", "", p.URL)
		} else {
			r.source("image", "", "base64", media, p.Data)
		}
	case media == "application/pdf" && p.URL != "":
		r.source("document", p.Name, "url", "", p.URL)
	case media == "application/pdf":
		r.source("document", p.Name, "base64", media, p.Data)
	case strings.HasPrefix(media, "text/") && p.URL == "":
		text, ok := normal.Bytes(json.AppendString(nil, p.Data))
		if !ok {
			return normal.Invalid(p.At+".data", "it is no base64")
		}
		r.source("document", p.Name, "text", "text/plain", string(text))
	case p.URL != "":
		return r.Call.Cannot(p.At+".url", "the API fetches JPEG, PNG, GIF, WebP and PDF, not "+quoted(p.Media))
	default:
		return r.Call.Cannot(p.At+".media_type", "the API takes JPEG, PNG, GIF, WebP, PDF and text, not "+quoted(p.Media))
	}
	return nil
}

// source writes a block {"type": block, "source": {...}}.
func (r *Request) source(block, title, kind, media, content string) {
	w := &r.w
	w.Begin('{')
	w.Key("type")
	w.String(block)
	w.Key("source")
	w.Begin('{')
	w.Key("type")
	w.String(kind)
	if media != "" {
		w.Key("media_type")
		w.String(media)
	}
	if kind == "url" {
		w.Key("url")
	} else {
		w.Key("data")
	}
	w.String(content)
	w.End('}')
	if title != "" {
		w.Key("title")
		w.String(title)
	}
	w.End('}')
}

// thought hands a thought back, which the API takes only with its own proof.
func (r *Request) thought(m *normal.Message, i int) error {
	t, w := &m.Thoughts[i], &r.w
	switch {
	case t.Redacted != "":
		w.Begin('{')
		w.Key("type")
		w.String("redacted_thinking")
		w.Key("data")
		w.String(t.Redacted)
		w.End('}')
	case t.Signature == "":
		return r.Call.Cannot(place(m.At, "thoughts", i), "the API takes back only thoughts that it signed")
	default:
		w.Begin('{')
		w.Key("type")
		w.String("thinking")
		w.Key("thinking")
		w.String(t.Text)
		w.Key("signature")
		w.String(t.Signature)
		w.End('}')
	}
	return nil
}

func (r *Request) call(m *normal.Message, i int) error {
	if err := NoSignature(r.Call, m, i); err != nil {
		return err
	}
	call, w := &m.Calls[i], &r.w
	if err := Arguments(m, i); err != nil {
		return err
	}
	w.Begin('{')
	w.Key("type")
	w.String("tool_use")
	w.Key("id")
	w.String(CallID(call, ""))
	w.Key("name")
	w.String(call.Name)
	w.Key("input")
	w.Raw(call.Arguments)
	w.End('}')
	return nil
}

// Arguments checks that a call's arguments are an object: the API has them as JSON, not as text.
func Arguments(m *normal.Message, i int) error {
	if v, err := json.Parse(m.Calls[i].Arguments); err != nil || v.Kind() != json.Object {
		return adapter.Unsupported(place(m.At, "tool_calls", i)+".arguments", "the API takes only a JSON object")
	}
	return nil
}

// result writes what a tool answered.
func (r *Request) result(m *normal.Message) error {
	w := &r.w
	w.Begin('{')
	w.Key("type")
	w.String("tool_result")
	w.Key("tool_use_id")
	w.String(ID(m.Answers, ""))
	switch {
	case len(m.Parts) > 0:
		w.Key("content")
		w.Begin('[')
		if err := r.contents(m, true); err != nil {
			return err
		}
		w.End(']')
	case m.Text != "":
		w.Key("content")
		w.String(m.Text)
	}
	w.End('}')
	return nil
}
