package normal

import (
	"encoding/base64"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Speech writes the answer to a speech: the audio, and its media type such as "audio/mpeg".
func (a *Answer) Speech(audio []byte, mediaType string) []byte {
	return a.Result("speech", func(w *json.Writer) {
		w.Key("audio")
		writeData(w, audio)
		textField(w, "media_type", mediaType)
	})
}

// EmitAudio hands on a piece of audio.
func EmitAudio(piece []byte) adapter.Action {
	var w json.Writer
	w.Begin('{')
	w.Key("audio")
	writeData(&w, piece)
	w.End('}')
	return adapter.Emit(w.Bytes())
}

// writeData writes bytes as protobuf's JSON does. Base64 needs no escape, so it is written where it is to stand.
func writeData(w *json.Writer, data []byte) {
	text := make([]byte, base64.StdEncoding.EncodedLen(len(data))+2)
	base64.StdEncoding.Encode(text[1:], data)
	text[0], text[len(text)-1] = '"', '"'
	w.Raw(text)
}

// A Transcript is what was understood; see caio.v1.TranscriptionResult.
type Transcript struct {
	Text, Language string
	Duration       float64 // seconds; 0: not said
	Words          []Word
}

// A Word is a word that was spoken. Start, End and Confidence are the provider's own numbers, nil where it gave none.
type Word struct {
	Text, Speaker          string
	Start, End, Confidence json.Value
}

// Transcript writes the answer to a transcription.
func (a *Answer) Transcript(t *Transcript) []byte {
	return a.Result("transcription", func(w *json.Writer) {
		w.Key("text")
		w.String(t.Text)
		textField(w, "language", t.Language)
		if t.Duration > 0 {
			w.Key("duration_s")
			w.Float(t.Duration)
		}
		if len(t.Words) == 0 {
			return
		}
		w.Key("words")
		w.Begin('[')
		for i := range t.Words {
			word := &t.Words[i]
			w.Begin('{')
			w.Key("text")
			w.String(word.Text)
			numberField(w, "start_s", word.Start)
			numberField(w, "end_s", word.End)
			numberField(w, "confidence", word.Confidence)
			textField(w, "speaker", word.Speaker)
			w.End('}')
		}
		w.End(']')
	})
}

// A Picture is one that was made: URL, or Data in base64 as most providers send it; see caio.v1.Picture.
type Picture struct{ MediaType, URL, Data, Revised string }

// Pictures writes the answer to an image.
func (a *Answer) Pictures(pictures []Picture) []byte {
	return a.Result("image", func(w *json.Writer) {
		w.Key("pictures")
		w.Begin('[')
		for _, p := range pictures {
			w.Begin('{')
			textField(w, "media_type", p.MediaType)
			textField(w, "url", p.URL)
			textField(w, "data", p.Data)
			textField(w, "revised_prompt", p.Revised)
			w.End('}')
		}
		w.End(']')
	})
}

// A Hit is a page that was found. Score is the engine's number, nil where it gave none; see caio.v1.Hit.
type Hit struct {
	Title, URL, Text, Published string
	Score                       json.Value
}

// Found writes the answer to a search, best first: the pages, and the engine's own answer, if any.
func (a *Answer) Found(hits []Hit, answer string) []byte {
	return a.Result("search", func(w *json.Writer) {
		w.Key("hits")
		w.Begin('[')
		for _, h := range hits {
			w.Begin('{')
			w.Key("title")
			w.String(h.Title)
			w.Key("url")
			w.String(h.URL)
			textField(w, "text", h.Text)
			numberField(w, "score", h.Score)
			textField(w, "published", h.Published)
			w.End('}')
		}
		w.End(']')
		textField(w, "answer", answer)
	})
}

// Code writes the answer to a code.
func (a *Answer) Code(text string) []byte {
	return a.Result("code", func(w *json.Writer) {
		w.Key("text")
		w.String(text)
		textField(w, "finish_reason", a.Finish)
	})
}

// Output writes an answer that has no form of its own: an object as it is, anything else as {"value": ...}.
func (a *Answer) Output(v json.Value) []byte {
	return a.Result("output", func(w *json.Writer) {
		if v.Kind() != json.Object {
			w.Key("value")
			w.Raw(v)
			return
		}
		for name, field := range v.Fields() {
			w.Key(name)
			w.Raw(field)
		}
	})
}

// MediaType returns the media type that an answer's headers state, in lower case and without parameters; empty if none.
func MediaType(headers []adapter.Header) string {
	mediaType, _, _ := strings.Cut(Header(headers, "Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// Header returns the first header of that name, whatever its case; empty if there is none.
func Header(headers []adapter.Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Bytes reads bytes as protobuf's JSON writes them, such as an intent's audio.
func Bytes(v json.Value) ([]byte, bool) {
	data, err := base64.StdEncoding.DecodeString(v.Text())
	return data, err == nil
}

// IsBase64 tells whether s is what the normal form takes for bytes: base64 of either alphabet, padded or not. It only looks, because
// pictures are large.
func IsBase64(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_') {
			return false
		}
	}
	return len(s)%4 != 1
}

// AudioName returns a name for a file of that media type, such as "audio.wav": servers go by its ending.
func AudioName(mediaType string) string {
	_, kind, _ := strings.Cut(strings.ToLower(mediaType), "/")
	kind, _, _ = strings.Cut(kind, ";")
	switch kind = strings.TrimPrefix(kind, "x-"); kind {
	case "wav", "flac", "ogg", "opus", "webm", "mp3", "mp4", "m4a", "aac":
		return "audio." + kind
	case "wave", "vnd.wave":
		return "audio.wav"
	case "mpeg", "mpga":
		return "audio.mp3"
	}
	return "audio"
}

// numberField writes a number as it stands, unless it is none.
func numberField(w *json.Writer, name string, v json.Value) {
	if v.Kind() == json.Number {
		w.Key(name)
		w.Raw(v)
	}
}
