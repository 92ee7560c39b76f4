package bedrock

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/claude"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
)

func (r *request) system(list []normal.Message) error {
	w := &r.w
	begun := false
	for i := range list {
		texts, err := claude.Texts(r.c, &list[i])
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

// messages writes the conversation. Turns of one speaker that follow one another are made one, since the API wants them to
// take turns.
func (r *request) messages(list []normal.Message) error {
	w := &r.w
	w.Key("messages")
	w.Begin('[')
	for i := 0; i < len(list); {
		speaker := claude.Speaker(&list[i])
		w.Begin('{')
		w.Key("role")
		w.String(speaker)
		w.Key("content")
		w.Begin('[')
		for ; i < len(list) && claude.Speaker(&list[i]) == speaker; i++ {
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

func (r *request) message(m *normal.Message) error {
	if err := claude.NoName(r.c, m); err != nil {
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
	if err := r.contents(m); err != nil {
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
func (r *request) contents(m *normal.Message) error {
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
		case m.Role == "assistant":
			if err := r.c.Cannot(p.At, "only what the user or a tool says may hold more than text"); err != nil {
				return err
			}
		default:
			if err := r.part(p, m.Role == "tool"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *request) text(text string) {
	w := &r.w
	w.Begin('{')
	w.Key("text")
	w.String(text)
	w.End('}')
}

// formats are the API's words for media types, behind the block that holds them.
var formats = map[string]string{
	"image/png": "image png", "image/jpeg": "image jpeg", "image/gif": "image gif", "image/webp": "image webp",
	"application/pdf": "document pdf", "text/csv": "document csv", "text/html": "document html", "text/plain": "document txt",
	"text/markdown": "document md", "application/msword": "document doc", "application/vnd.ms-excel": "document xls",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "document docx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":       "document xlsx",
	"video/mp4": "video mp4", "video/quicktime": "video mov", "video/webm": "video webm", "video/x-matroska": "video mkv", "video/x-flv": "video flv",
	"video/mpeg": "video mpeg", "video/x-ms-wmv": "video wmv", "video/3gpp": "video three_gp",
	"audio/mpeg": "audio mp3", "audio/mp3": "audio mp3", "audio/wav": "audio wav", "audio/x-wav": "audio wav", "audio/aac": "audio aac", "audio/flac": "audio flac",
	"audio/mp4": "audio m4a", "audio/ogg": "audio ogg", "audio/opus": "audio opus", "audio/webm": "audio webm",
}

// part writes a picture, a document, audio or video.
func (r *request) part(p *normal.Part, inTool bool) error {
	claude.Inline(p)
	w := &r.w
	media := strings.ToLower(p.Media)
	if p.IsText && formats[media] == "" {
		media = "text/plain"
	}
	block, format, ok := strings.Cut(formats[media], " ")
	switch {
	case !ok || inTool && block == "audio":
		return r.c.Cannot(p.At+".media_type", "the API takes no "+strconv.Quote(normal.Clip(p.Media))+" there")
	case p.URL != "" && !strings.HasPrefix(p.URL, "s3://"):
		return r.c.Cannot(p.At+".url", "the API takes data, and URLs of s3:// only")
	case p.Name != "" && block != "document":
		if err := r.c.Cannot(p.At+".name", "the API has names of documents only"); err != nil {
			return err
		}
	}
	w.Begin('{')
	w.Key(block)
	w.Begin('{')
	w.Key("format")
	w.String(format)
	if block == "document" {
		w.Key("name")
		w.String(r.name(p))
	}
	w.Key("source")
	w.Begin('{')
	switch {
	case p.IsText:
		w.Key("bytes")
		w.String(base64.StdEncoding.EncodeToString([]byte(p.Text)))
	case p.URL != "":
		w.Key("s3Location")
		w.Begin('{')
		w.Key("uri")
		w.String(p.URL)
		w.End('}')
	default:
		w.Key("bytes")
		w.String(p.Data)
	}
	w.End('}')
	w.End('}')
	w.End('}')
	return nil
}

// name returns a document's name as the API takes it: letters, digits, single spaces, hyphens, brackets; no two documents may
// have the same, so that one without a name is named by its place.
func (r *request) name(p *normal.Part) string {
	if p.Name == "" {
		return "document " + strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return c
			}
			return '-'
		}, strings.Trim(strings.NewReplacer("chat.messages[", "", "].parts[", "-", "]", "").Replace(p.At), "-"))
	}
	var name []byte
	for _, c := range p.Name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("-()[]", c):
			name = append(name, byte(c))
		case c == ' ' && len(name) > 0 && name[len(name)-1] != ' ':
			name = append(name, ' ')
		case c != ' ':
			name = append(name, '-')
		}
	}
	return strings.TrimSpace(string(name[:min(len(name), 200)]))
}

// thought hands a thought back. Models of Anthropic take only what they signed.
func (r *request) thought(m *normal.Message, i int) error {
	t, w := &m.Thoughts[i], &r.w
	if t.Redacted == "" && t.Signature == "" && r.family == anthropic {
		return r.c.Cannot(m.At+".thoughts["+strconv.Itoa(i)+"]", "the model takes back only thoughts that it signed")
	}
	w.Begin('{')
	w.Key("reasoningContent")
	w.Begin('{')
	if t.Redacted != "" {
		w.Key("redactedContent")
		w.String(t.Redacted)
	} else {
		w.Key("reasoningText")
		w.Begin('{')
		w.Key("text")
		w.String(t.Text)
		if t.Signature != "" {
			w.Key("signature")
			w.String(t.Signature)
		}
		w.End('}')
	}
	w.End('}')
	w.End('}')
	return nil
}

// ids is what a call's id may hold beside letters, digits, "_" and "-".
const ids = ".:"

func (r *request) call(m *normal.Message, i int) error {
	if err := claude.NoSignature(r.c, m, i); err != nil {
		return err
	}
	if err := claude.Arguments(m, i); err != nil {
		return err
	}
	call, w := &m.Calls[i], &r.w
	w.Begin('{')
	w.Key("toolUse")
	w.Begin('{')
	w.Key("toolUseId")
	w.String(claude.CallID(call, ids))
	w.Key("name")
	w.String(call.Name)
	w.Key("input")
	w.Raw(call.Arguments)
	w.End('}')
	w.End('}')
	return nil
}

// result writes what a tool answered.
func (r *request) result(m *normal.Message) error {
	w := &r.w
	w.Begin('{')
	w.Key("toolResult")
	w.Begin('{')
	w.Key("toolUseId")
	w.String(claude.ID(m.Answers, ids))
	w.Key("content")
	w.Begin('[')
	if err := r.contents(m); err != nil {
		return err
	}
	w.End(']')
	w.End('}')
	w.End('}')
	return nil
}
