package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func (r *request) textPart(text json.Value) {
	r.w.Begin('{')
	r.raw(`"type":"text"`)
	r.w.Key("text")
	r.w.Raw(text)
	r.w.End('}')
}

// part writes a piece of a content; at is its path in the intent. One that the provider does not take is left out, where the
// request says so.
func (r *request) part(at, role string, p json.Value) error {
	media, name := p.Get("media_type").Text(), p.Get("name")
	url, data, text := p.Get("url"), p.Get("data"), p.Get("text")
	for field, v := range p.Fields() {
		switch field {
		case "media_type", "url", "data", "text", "name":
		default:
			if !v.Empty() {
				if err := r.Cannot(at+"."+field, "the API has no such field"); err != nil {
					return err
				}
			}
		}
	}
	if text.Exists() {
		r.textPart(text)
		return nil
	}
	switch {
	case role != "user":
		return r.Cannot(at, "only a user's message may hold other parts than text")
	case url == nil && data == nil:
		return r.Cannot(at, "it has neither url nor data nor text")
	case strings.HasPrefix(media, "image/") || media == "" && url != nil:
		r.object("image_url", field{"url", address(media, url, data)})
		return nil
	case strings.HasPrefix(media, "audio/") && r.d.Audio != "":
		return r.audio(at, media, url, data)
	case media == "application/pdf" && r.d.PDF != "":
		return r.pdf(at, name, url, data)
	}
	return r.Cannot(at+".media_type", "the API takes "+r.d.partWords()+", not "+strconv.Quote(media))
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

func (r *request) audio(at, media string, url, data json.Value) error {
	format := map[string]string{"audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}[media]
	switch {
	case r.d.Audio == asString && url.Exists():
		r.member("input_audio", url)
	case url.Exists():
		return r.Cannot(at+".url", "the API takes audio only as data")
	case format == "":
		return r.Cannot(at+".media_type", "the API takes WAV and MP3 audio, not "+strconv.Quote(media))
	case r.d.Audio == asString:
		r.member("input_audio", data)
	default:
		r.object("input_audio", field{"data", data}, field{"format", json.AppendString(nil, format)})
	}
	return nil
}

func (r *request) pdf(at string, name, url, data json.Value) error {
	if name.Empty() {
		name = json.Value(`"file.pdf"`)
	}
	switch {
	case r.d.PDF == asString:
		r.member("document_url", address("application/pdf", url, data))
	case r.d.PDF == asURL && url.Exists():
		r.object("file_url", field{"url", url})
	case r.d.PDF == asURL:
		r.object("file_url", field{"url", data})
	case url.Exists():
		return r.Cannot(at+".url", "the API takes only images by URL, files as data")
	default:
		r.object("file", field{"filename", name}, field{"file_data", address("application/pdf", nil, data)})
	}
	return nil
}

// address returns url, or data, which is base64 in JSON, as a URL.
func address(media string, url, data json.Value) json.Value {
	if url.Exists() {
		return url
	}
	return json.AppendString(nil, "data:"+media+";base64,"+data.Text())
}

// member writes {"type": kind, kind: v}.
func (r *request) member(kind string, v json.Value) {
	r.w.Begin('{')
	r.w.Key("type")
	r.w.String(kind)
	r.w.Key(kind)
	r.w.Raw(v)
	r.w.End('}')
}

// object writes {"type": kind, kind: {fields}}.
func (r *request) object(kind string, fields ...field) {
	var inner json.Writer
	inner.Begin('{')
	for _, f := range fields {
		inner.Key(f.name)
		inner.Raw(f.value)
	}
	inner.End('}')
	r.member(kind, inner.Bytes())
}

type field struct {
	name  string
	value json.Value
}
