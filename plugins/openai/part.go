package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
)

// part writes a piece of a content.
func (r *request) part(role string, p *normal.Part) error {
	switch {
	case p.IsText:
		r.textPart(p.Text)
		return nil
	case role != "user":
		return r.Cannot(p.At, "only a user's message may hold other parts than text")
	case strings.HasPrefix(p.Media, "image/") || p.Media == "" && p.URL != "":
		r.object("image_url", field{"url", address(p)})
		return nil
	case strings.HasPrefix(p.Media, "audio/") && r.d.Audio != "":
		return r.audio(p)
	case p.Media == "application/pdf" && r.d.PDF != "":
		return r.pdf(p)
	}
	return r.Cannot(p.At+".media_type", "the API takes "+r.d.partWords()+", not "+strconv.Quote(p.Media))
}

// partWords says which parts a provider takes.
func (d *Dialect) partWords() string {
	words := "text, images"
	if d.Audio != "" {
		words += ", WAV and MP3 audio"
	}
	if d.PDF != "" {
		words += ", PDF files"
	}
	return words
}

func (r *request) audio(p *normal.Part) error {
	format := map[string]string{"audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}[p.Media]
	switch {
	case r.d.Audio == asString:
		r.member("input_audio", p.URL+p.Data) // one of them is empty
	case p.URL != "":
		return r.Cannot(p.At+".url", "the API takes audio only as data")
	case format == "":
		return r.Cannot(p.At+".media_type", "the API takes WAV and MP3 audio, not "+strconv.Quote(p.Media))
	default:
		r.object("input_audio", field{"data", p.Data}, field{"format", format})
	}
	return nil
}

func (r *request) pdf(p *normal.Part) error {
	name := p.Name
	if name == "" {
		name = "file.pdf"
	}
	switch {
	case r.d.PDF == asString:
		r.member("document_url", address(p))
	case r.d.PDF == asURL:
		r.object("file_url", field{"url", p.URL + p.Data}) // one of them is empty
	case p.URL != "":
		return r.Cannot(p.At+".url", "the API takes only images by URL, files as data")
	default:
		r.object("file", field{"filename", name}, field{"file_data", address(p)})
	}
	return nil
}

// address returns where a part lies, or its data as a URL.
func address(p *normal.Part) string {
	if p.URL != "" {
		return p.URL
	}
	return "data:" + p.Media + ";base64," + p.Data
}

// member writes {"type": kind, kind: text}.
func (r *request) member(kind, text string) {
	r.w.Begin('{')
	r.text("type", kind)
	r.text(kind, text)
	r.w.End('}')
}

type field struct{ name, value string }

// object writes {"type": kind, kind: {fields}}.
func (r *request) object(kind string, fields ...field) {
	r.w.Begin('{')
	r.text("type", kind)
	r.w.Key(kind)
	r.w.Begin('{')
	for _, f := range fields {
		r.text(f.name, f.value)
	}
	r.w.End('}')
	r.w.End('}')
}
