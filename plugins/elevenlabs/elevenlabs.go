// Package elevenlabs is the adapter "elevenlabs": text spoken and speech written down by ElevenLabs.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model, models   the model; without one a speech gets the provider's own, a transcription scribe_v1
//	voice           id of the voice of a request that names none
//	output_format   the provider's word for codec, rate and bit rate, such as mp3_44100_128; used where the request wants that
//	                codec or none
//	logging         false: nothing is kept of the request (the provider allows it to enterprises)
//	timestamps      true: the answer says when each character is spoken; it is the metadata's "alignment"
//	extra_body      fields that are added to a speech, such as {"voice_settings": {"stability": 0.5}}
//	extra_form      fields of text that are added to a transcription, such as {"tag_audio_events": "false"}
//
// A speech is streamed in the pieces in which the provider sends it, unless timestamps are wanted. A streamed result holds the
// audio as a whole, too, so that what was spoken can be told from the trace: it goes through the state at each piece, which
// for more than some megabytes is slow. A transcription is sent as a form with the audio in it, or names its URL.
// Spaces between words, which the provider lists among them, are left out.
package elevenlabs

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/audio"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to ElevenLabs; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "elevenlabs", Version: "1.0.0", Description: "ElevenLabs: speech and transcription"}
}

// Step asks at the start, and reads what comes.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	return audio.Reader{Head: head, Audio: sound, Transcript: transcript}.Step(state, ev)
}

// StepFrames takes pieces of a speech that came together.
func (Adapter) StepFrames(state []byte, frames []adapter.Frame) (adapter.Reply, error) {
	return audio.Frames(state, frames)
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "speech", "transcription")
	if err != nil {
		return adapter.Reply{}, err
	}
	set := settings{
		voice: c.Settings.Text("voice", ""), format: c.Settings.Text("output_format", ""), logging: c.Settings.Flag("logging", true),
		timestamps: c.Settings.Flag("timestamps", false), body: c.Settings.Object("extra_body"), form: c.Settings.Object("extra_form"),
	}
	set.model = c.ModelOr("")
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if c.Kind == "speech" {
		return set.speech(c)
	}
	return set.transcription(c)
}

type settings struct {
	model, voice, format string
	logging, timestamps  bool
	body, form           json.Value
}

func (set *settings) speech(c *normal.Call) (adapter.Reply, error) {
	if err := c.Takes("model", "text", "voice", "media_type"); err != nil {
		return adapter.Reply{}, err
	}
	if voice := c.Body.Get("voice").Text(); voice != "" {
		set.voice = voice
	}
	if set.voice == "" {
		return adapter.Reply{}, adapter.Unsupported("speech.voice", "neither the request nor adapter.settings names a voice")
	}
	format, err := set.outputFormat(c)
	if err != nil {
		return adapter.Reply{}, err
	}
	var w json.Writer
	w.Begin('{')
	w.Key("text")
	w.String(c.Body.Get("text").Text())
	if set.model != "" {
		w.Key("model_id")
		w.String(set.model)
	}
	w.End('}')
	body, err := normal.Extend(w.Bytes(), "extra_body", set.body)
	if err != nil {
		return adapter.Reply{}, err
	}
	var q normal.Query
	q.Add("output_format", format)
	set.privacy(&q)
	work := audio.Work{Speech: true, Media: codecOf(format).media, Answer: normal.Answer{Model: set.model, Warnings: c.Warnings}}
	url := c.Base + "/v1/text-to-speech/" + normal.Escape(set.voice)
	switch {
	case set.timestamps:
		url += "/with-timestamps"
	case c.Stream:
		url, work.Stream = url+"/stream", true
	}
	return work.Begin(normal.PostStream("", url+q.String(), body))
}

func (set *settings) privacy(q *normal.Query) {
	if !set.logging {
		q.Add("enable_logging", "false")
	}
}

// A codec is a family of the provider's formats.
type codec struct{ prefix, format, media string }

var codecs = [...]codec{
	{"mp3_", "mp3_44100_128", "audio/mpeg"}, {"pcm_", "pcm_24000", "audio/pcm"}, {"opus_", "opus_48000_128", "audio/opus"},
	{"ulaw_", "ulaw_8000", "audio/basic"}, {"alaw_", "alaw_8000", "audio/x-alaw"},
}

// codecOf returns the family of a format; without one the provider writes MP3.
func codecOf(format string) codec {
	for _, c := range codecs {
		if strings.HasPrefix(format, c.prefix) {
			return c
		}
	}
	if format == "" {
		return codecs[0]
	}
	return codec{}
}

// outputFormat returns the format that the request's media type asks for; the setting says which of its family.
func (set *settings) outputFormat(c *normal.Call) (string, error) {
	wanted := strings.ToLower(c.Body.Get("media_type").Text())
	switch wanted {
	case "":
		return set.format, nil
	case "audio/mp3":
		wanted = "audio/mpeg"
	case "audio/l16":
		wanted = "audio/pcm"
	case "audio/mulaw", "audio/x-mulaw":
		wanted = "audio/basic"
	case "audio/alaw":
		wanted = "audio/x-alaw"
	}
	for _, codec := range codecs {
		if codec.media != wanted {
			continue
		}
		if strings.HasPrefix(set.format, codec.prefix) {
			return set.format, nil
		}
		return codec.format, nil
	}
	return set.format, c.Cannot("speech.media_type", "the provider writes audio/mpeg, audio/pcm, audio/opus, audio/basic, audio/x-alaw")
}
