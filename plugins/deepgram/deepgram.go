// Package deepgram is the adapter "deepgram": speech written down (POST /v1/listen) and text spoken (POST /v1/speak) by Deepgram.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model, models  the model, such as nova-3 or aura-2-thalia-en; without one the provider takes its own
//	language       the language of audio whose request names none; without it the provider is asked to detect it
//	extra_query    fields of text that are added to the query, such as {"smart_format": "true", "bit_rate": "48000"}
//
// A voice is part of Deepgram's names of models: a speech's voice is such a name ("aura-2-zeus-en"), or only what stands for it
// there ("zeus"). A transcription brings its audio as the body, or names its URL. Words are written as they stand in the text,
// with capitals and punctuation, where the provider was asked for those.
package deepgram

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/audio"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Deepgram; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "deepgram", Version: "1.0.0", Description: "Deepgram: transcription and speech"}
}

// Step asks at the start, and reads what comes.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	return audio.Reader{Head: head, Transcript: transcript}.Step(state, ev)
}

// StepFrames takes pieces of a speech that came together.
func (Adapter) StepFrames(state []byte, frames []adapter.Frame) (adapter.Reply, error) {
	return audio.Frames(state, frames)
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "transcription", "speech")
	if err != nil {
		return adapter.Reply{}, err
	}
	set := settings{language: c.Settings.Text("language", ""), query: c.Settings.Object("extra_query"), model: c.ModelOr("")}
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if c.Kind == "speech" {
		return set.speech(c)
	}
	return set.transcription(c)
}

type settings struct {
	model, language string
	query           json.Value
}

func (set *settings) transcription(c *normal.Call) (adapter.Reply, error) {
	if err := c.Takes("model", "audio", "url", "media_type", "language", "words", "speakers"); err != nil {
		return adapter.Reply{}, err
	}
	var q normal.Query
	q.Add("model", set.model)
	if language := c.Body.Get("language").Text(); language != "" {
		set.language = language
	}
	if q.Add("language", set.language); set.language == "" {
		q.Add("detect_language", "true")
	}
	if c.Body.Get("speakers").True() {
		q.Add("diarize", "true")
	}
	if err := set.extra(&q, "model", "language", "detect_language", "diarize", "callback"); err != nil {
		return adapter.Reply{}, err
	}
	work := audio.Work{Answer: normal.Answer{Model: set.model, Warnings: c.Warnings}}
	address := c.Base + "/v1/listen" + q.String()
	if url := c.Body.Get("url").Text(); url != "" {
		return work.Begin(normal.Post(address, object("url", url)))
	}
	sound, ok := normal.Bytes(c.Body.Get("audio"))
	if !ok || len(sound) == 0 {
		return adapter.Reply{}, normal.Invalid("transcription", "it has neither audio nor url")
	}
	media := c.Body.Get("media_type").Text()
	if media == "" {
		media = "application/octet-stream" // the provider looks into it
	}
	return work.Begin(adapter.HTTP("POST", address, sound,
		adapter.Header{Name: "Content-Type", Value: media}, adapter.Header{Name: "Accept", Value: "application/json"}))
}

func (set *settings) speech(c *normal.Call) (adapter.Reply, error) {
	if err := c.Takes("model", "text", "voice", "media_type"); err != nil {
		return adapter.Reply{}, err
	}
	if err := set.speak(c); err != nil {
		return adapter.Reply{}, err
	}
	var q normal.Query
	q.Add("model", set.model)
	media, err := encoding(c, &q)
	if err != nil {
		return adapter.Reply{}, err
	}
	if err := set.extra(&q, "model", "callback"); err != nil {
		return adapter.Reply{}, err
	}
	work := audio.Work{Speech: true, Media: media, Stream: c.Stream, Answer: normal.Answer{Model: set.model, Warnings: c.Warnings}}
	return work.Begin(normal.PostStream("", c.Base+"/v1/speak"+q.String(), object("text", c.Body.Get("text").Text())))
}

// speak puts the voice into the name of the model: family, version, voice, language.
func (set *settings) speak(c *normal.Call) error {
	voice := c.Body.Get("voice").Text()
	if voice == "" {
		return nil
	}
	if strings.HasPrefix(voice, "aura-") {
		set.model = voice
		return nil
	}
	parts := strings.Split(set.model, "-")
	if n := len(parts); parts[0] == "aura" && n >= 3 {
		parts[n-2] = strings.ToLower(voice)
		set.model = strings.Join(parts, "-")
		return nil
	}
	return c.Cannot("speech.voice", "a voice is part of the model's name, such as aura-2-zeus-en, and this model's has none")
}

// encoding asks for the media type that is wanted, and returns it; without one the provider writes MP3.
func encoding(c *normal.Call, q *normal.Query) (string, error) {
	wanted := strings.ToLower(c.Body.Get("media_type").Text())
	codec, container := "", ""
	switch wanted {
	case "":
		return "audio/mpeg", nil
	case "audio/mpeg", "audio/mp3":
		codec, wanted = "mp3", "audio/mpeg"
	case "audio/wav", "audio/x-wav", "audio/wave":
		codec, container, wanted = "linear16", "wav", "audio/wav"
	case "audio/pcm", "audio/l16":
		codec, container = "linear16", "none"
	case "audio/basic", "audio/mulaw", "audio/x-mulaw":
		codec, container, wanted = "mulaw", "none", "audio/basic"
	case "audio/alaw", "audio/x-alaw":
		codec, container = "alaw", "none"
	case "audio/opus", "audio/ogg":
		codec, container, wanted = "opus", "ogg", "audio/ogg"
	case "audio/flac", "audio/aac":
		codec = wanted[len("audio/"):]
	default:
		return "audio/mpeg", c.Cannot("speech.media_type",
			"the provider writes audio/mpeg, audio/wav, audio/pcm, audio/basic, audio/x-alaw, audio/ogg, audio/flac, audio/aac")
	}
	q.Add("encoding", codec)
	q.Add("container", container)
	return wanted, nil
}

// extra adds the contract's own parameters, but none that the request has already, or that would send the answer elsewhere.
func (set *settings) extra(q *normal.Query, taken ...string) error {
	for name, v := range set.query.Fields() {
		for _, t := range taken {
			if name == t {
				return normal.BadSetting("extra_query."+name, "is for the request to say")
			}
		}
		if v.Kind() != json.String {
			return normal.BadSetting("extra_query."+name, "must be a string, as a query's fields are")
		}
		q.Add(name, v.Text())
	}
	return nil
}

func object(name, text string) []byte {
	var w json.Writer
	w.Begin('{')
	w.Key(name)
	w.String(text)
	w.End('}')
	return w.Bytes()
}
