package cohere

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/multipart"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// transcribe makes the call for audio to be written down: a form, of the second version only.
func transcribe(c *normal.Call, base, model string, first bool, extra json.Value) (call adapter.Action, err error) {
	if first {
		return call, adapter.Unsupported("intent.transcription", "the API's first version writes no audio down")
	}
	for name, v := range c.Body.Fields() {
		switch name {
		case "model", "audio", "media_type", "language":
		case "url":
			if !v.Empty() {
				return call, adapter.Unsupported("transcription.url", "the API takes audio only as data")
			}
		default:
			if v.Empty() {
				continue
			}
			if err := c.Cannot("transcription."+name, "the API has no such parameter"); err != nil {
				return call, err
			}
		}
	}
	language, _, _ := strings.Cut(c.Body.Get("language").Text(), "-") // of BCP 47 the API takes what is ISO 639
	if language == "" {
		return call, adapter.Unsupported("transcription.language", "the API must be told the language")
	}
	sound, ok := normal.Bytes(c.Body.Get("audio"))
	if !ok || len(sound) == 0 {
		return call, normal.Invalid("transcription.audio", "there is none")
	}
	var form multipart.Writer
	form.Field("model", model)
	form.Field("language", language)
	for name, v := range extra.Fields() {
		switch name {
		case "model", "language", "file":
			return call, normal.BadSetting("extra_body."+name, "is what the request itself says")
		}
		text := v.Text()
		if v.Kind() != json.String {
			text = string(v)
		}
		form.Field(name, text)
	}
	media := c.Body.Get("media_type").Text()
	form.File("file", "audio."+ending(media), media, sound)
	content, contentType := form.Form()
	return adapter.HTTP("POST", base+"/v2/audio/transcriptions", content,
		adapter.Header{Name: "Content-Type", Value: contentType}, adapter.Header{Name: "Accept", Value: "application/json"}), nil
}

// ending returns the end of a file's name, by which the API tells what it holds: flac, mp3, mpeg, mpga, ogg, wav.
func ending(media string) string {
	media, _, _ = strings.Cut(media, ";")
	switch _, name, _ := strings.Cut(media, "/"); name {
	case "flac", "x-flac":
		return "flac"
	case "ogg", "opus":
		return "ogg"
	case "mpeg", "mp3":
		return "mp3"
	}
	return "wav"
}

// transcript reads what was written down.
func (s *state) transcript(body json.Value) (adapter.Reply, error) {
	text := body.Get("text")
	if text.Kind() != json.String {
		return adapter.Reply{}, normal.Nonsense("has no text")
	}
	return adapter.Do(adapter.Done(s.answer.Result("transcription", func(w *json.Writer) {
		w.Key("text")
		w.Raw(text)
	}))), nil
}
