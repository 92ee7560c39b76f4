package openai

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/multipart"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// transcription asks for audio to be written down.
func (r *request) transcription() (adapter.Reply, error) {
	how, body := r.d.Transcription, r.Body
	model, err := r.Model()
	if err != nil {
		return adapter.Reply{}, err
	}
	r.model = model
	var form multipart.Writer
	if !r.set.modelInPath {
		form.Field("model", model)
	}
	if language := body.Get("language").Text(); language != "" {
		// The providers take ISO 639-1; what a tag says more, such as the region, makes no difference to what is heard.
		language, _, _ = strings.Cut(language, "-")
		form.Field("language", language)
	}
	fields := how.Neither
	for _, row := range [...]struct {
		name string
		form []field
	}{{"words", how.Words}, {"speakers", how.Speakers}} {
		switch {
		case !body.Get(row.name).True():
		case row.form == nil:
			if err := r.Cannot("transcription."+row.name, "the API has no such parameter"); err != nil {
				return adapter.Reply{}, err
			}
		default:
			fields = row.form
		}
	}
	for _, f := range fields {
		form.Field(f.name, f.value)
	}
	if err := r.extraFields(&form); err != nil {
		return adapter.Reply{}, err
	}
	if err := r.Takes("model", "audio", "url", "media_type", "language", "words", "speakers"); err != nil {
		return adapter.Reply{}, err
	}
	if err := r.audioFile(&form); err != nil {
		return adapter.Reply{}, err
	}
	content, contentType := form.Form()
	call := adapter.HTTP("POST", r.url(how.Path), content,
		adapter.Header{Name: "Content-Type", Value: contentType}, adapter.Header{Name: "Accept", Value: "application/json"})
	return r.send(call, state{words: body.Get("words").True()}), nil
}

// audioFile adds the audio, or where it lies.
func (r *request) audioFile(form *multipart.Writer) error {
	how := r.d.Transcription
	if url := r.Body.Get("url").Text(); url != "" {
		if how.URL == "" { // without it there is nothing to write down
			return adapter.Unsupported("transcription.url", "the API takes audio only as data")
		}
		form.Field(how.URL, url)
		return nil
	}
	audio, ok := normal.Bytes(r.Body.Get("audio"))
	if !ok || len(audio) == 0 {
		return normal.Invalid("transcription.audio", "there is neither audio nor url")
	}
	media := r.Body.Get("media_type").Text()
	form.File("file", "audio."+suffix(media), media, audio)
	return nil
}

// suffix returns the end of a file's name, by which the providers tell what it is.
func suffix(media string) string {
	switch media {
	case "audio/mpeg":
		return "mp3"
	case "audio/x-wav", "audio/wave", "audio/vnd.wave":
		return "wav"
	case "audio/mp4", "audio/x-m4a":
		return "m4a"
	}
	_, name, _ := strings.Cut(media, "/")
	if name, _, _ = strings.Cut(strings.TrimPrefix(name, "x-"), ";"); name != "" {
		return name
	}
	return "wav"
}

// extraFields adds extra_body: texts as they are, anything else as JSON.
func (r *request) extraFields(form *multipart.Writer) error {
	for name, v := range r.set.extra.Fields() {
		switch name {
		case "model", "file", "language":
			return normal.BadSetting("extra_body."+name, "is what the request itself says")
		}
		value := v.Text()
		if v.Kind() != json.String {
			value = string(v)
		}
		form.Field(name, value)
	}
	return nil
}

// written reads a transcript. Words stand in a list of their own or, with speakers, as segments.
func (s *state) written(body json.Value) (adapter.Reply, error) {
	t := normal.Transcript{Text: body.Text()}
	if body.Kind() == json.Object {
		if body.Get("text").Kind() != json.String {
			return adapter.Reply{}, normal.Nonsense("has no text")
		}
		t.Text, t.Language = body.Get("text").Text(), body.Get("language").Text()
		t.Duration, _ = body.Get("duration").Float()
	}
	for word := range body.Get("words").Items() {
		t.Words = append(t.Words, spokenWord(word, word.Get("word").Text()))
	}
	if len(t.Words) == 0 {
		for segment := range body.Get("segments").Items() {
			if s.words || spokenWord(segment, "").Speaker != "" {
				t.Words = append(t.Words, spokenWord(segment, segment.Get("text").Text()))
			}
		}
	}
	if seconds, ok := body.Pointer("/usage/seconds").Float(); ok {
		s.Usage.Known, s.Usage.Seconds = true, seconds
	} else if seconds, ok := body.Pointer("/usage/prompt_audio_seconds").Float(); ok {
		s.Usage.Known, s.Usage.Seconds = true, seconds
	}
	return adapter.Do(adapter.Done(s.Transcript(&t))), nil
}

func spokenWord(v json.Value, text string) normal.Word {
	speaker := v.Get("speaker").Text()
	if speaker == "" {
		speaker = v.Get("speaker_id").Text()
	}
	return normal.Word{Text: text, Speaker: speaker, Start: v.Get("start"), End: v.Get("end"), Confidence: v.Get("score")}
}
