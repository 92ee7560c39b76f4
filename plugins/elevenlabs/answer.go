package elevenlabs

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/audio"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func head(w *audio.Work, headers []adapter.Header) {
	w.Answer.ID = normal.Header(headers, "Request-Id")
	if n, ok := json.Value(normal.Header(headers, "Character-Cost")).Int(); ok && n > 0 {
		w.Answer.Usage = normal.Usage{Known: true, Characters: n}
	}
}

// sound finds the audio in an answer with timestamps.
func sound(w *audio.Work, body json.Value) ([]byte, error) {
	text := strings.TrimRight(body.Get("audio_base64").Text(), "=")
	if text == "" {
		return nil, nil
	}
	alphabet := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		alphabet = base64.RawURLEncoding
	}
	sound, err := alphabet.DecodeString(text)
	if err != nil {
		return nil, normal.Nonsense("has audio that is no base64")
	}
	if alignment := body.Get("alignment"); alignment.Exists() {
		w.Answer.Note("alignment", alignment)
	}
	return sound, nil
}

// transcript reads an answer: one transcript, or one for each channel.
func transcript(w *audio.Work, body json.Value) (*normal.Transcript, error) {
	t := &normal.Transcript{}
	switch channels := body.Get("transcripts"); {
	case channels.Kind() == json.Array && !channels.Empty():
		for channel := range channels.Items() {
			add(t, channel)
		}
	case body.Get("text").Kind() == json.String:
		add(t, body)
	default: // such as the promise to call a webhook
		said, _ := normal.Complaint(body)
		return nil, normal.Nonsense("has no transcript: " + said)
	}
	if seconds, ok := body.Get("audio_duration_secs").Float(); ok && seconds > 0 {
		t.Duration = seconds
		w.Answer.Usage = normal.Usage{Known: true, Seconds: seconds}
	}
	if id := body.Get("transcription_id").Text(); id != "" {
		w.Answer.ID = id
	}
	if p := body.Get("language_probability"); p.Kind() == json.Number {
		w.Answer.Note("language_probability", p)
	}
	return t, nil
}

// add puts a channel's transcript behind what is there; its words keep their order, which is that of the channel.
func add(t *normal.Transcript, v json.Value) {
	if t.Text != "" {
		t.Text += "\n"
	}
	t.Text += v.Get("text").Text()
	if t.Language == "" {
		t.Language = v.Get("language_code").Text()
	}
	for word := range v.Get("words").Items() {
		if word.Get("type").Text() == "spacing" {
			continue
		}
		t.Words = append(t.Words, normal.Word{
			Text: word.Get("text").Text(), Speaker: word.Get("speaker_id").Text(),
			Start: word.Get("start"), End: word.Get("end"), Confidence: confidence(word.Get("logprob")),
		})
	}
}

// confidence makes a probability of its logarithm; nil where there is none.
func confidence(logprob json.Value) json.Value {
	f, ok := logprob.Float()
	if !ok || f > 0 {
		return nil
	}
	return strconv.AppendFloat(nil, math.Exp(f), 'f', 6, 64)
}
