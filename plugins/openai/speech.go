package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// speech asks for text to be spoken.
func (r *request) speech() (adapter.Reply, error) {
	how := r.d.Speech
	if err := r.beginSpeech(); err != nil {
		return adapter.Reply{}, err
	}
	r.text(how.Text, r.Body.Get("text").Text())
	voice := r.Body.Get("voice").Text()
	if voice == "" {
		voice = r.set.voice
	}
	if voice != "" {
		r.text(how.Voice, voice)
	}
	media := r.Body.Get("media_type").Text()
	if media != "" {
		if how.Formats[media] == "" {
			if err := r.Cannot("speech.media_type", "the API has no "+strconv.Quote(media)); err != nil {
				return adapter.Reply{}, err
			}
		} else if object, name, inside := strings.Cut(how.Format, "."); inside {
			r.w.Key(object)
			r.w.Begin('{')
			r.text(name, how.Formats[media])
			r.w.End('}')
		} else {
			r.text(how.Format, how.Formats[media])
		}
	}
	r.raw(how.Always)
	if err := r.Takes("model", "text", "voice", "media_type"); err != nil {
		return adapter.Reply{}, err
	}
	return r.post(how.Path, state{media: media})
}

func (r *request) beginSpeech() error {
	if !r.d.Speech.Modelless {
		return r.begin()
	}
	r.w.Begin('{')
	if !r.Body.Get("model").Empty() {
		return r.Cannot("speech.model", "the API has one model, without a name")
	}
	return nil
}

// spoken reads an answer that is the audio.
func (s *state) spoken(ev *adapter.Event) (adapter.Reply, error) {
	media := normal.MediaType(ev.Headers)
	switch {
	case media == "application/json":
		body, err := json.Parse(ev.Body)
		if err == nil && failed(body.Members(nil)) {
			return adapter.Reply{}, normal.ErrorInside(body)
		}
		return adapter.Reply{}, normal.Nonsense("is JSON, no audio")
	case len(ev.Body) == 0:
		return adapter.Reply{}, normal.Nonsense("is empty")
	case media == "" || media == "application/octet-stream":
		media = s.media
	}
	return adapter.Do(adapter.Done(s.Speech(ev.Body, media))), nil
}

// spokenJSON reads an answer that holds the audio.
func (s *state) spokenJSON(d *Dialect, body json.Value) (adapter.Reply, error) {
	audio, ok := normal.Bytes(body.Pointer(d.Speech.Audio))
	if !ok || len(audio) == 0 {
		return adapter.Reply{}, normal.Nonsense("has no audio")
	}
	return adapter.Do(adapter.Done(s.Speech(audio, s.media))), nil
}
