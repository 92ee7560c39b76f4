package deepgram

import (
	"github.com/smarthausgroup/caio/plugins/internal/audio"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func head(w *audio.Work, headers []adapter.Header) {
	w.Answer.ID = normal.Header(headers, "Dg-Request-Id")
	if model := normal.Header(headers, "Dg-Model-Name"); model != "" {
		w.Answer.Model = model
	}
	if n, ok := json.Value(normal.Header(headers, "Dg-Char-Count")).Int(); ok && n > 0 {
		w.Answer.Usage = normal.Usage{Known: true, Characters: n}
	}
}

// transcript reads the first, which is the likeliest, alternative of each channel.
func transcript(w *audio.Work, body json.Value) (*normal.Transcript, error) {
	channels := body.Get("results").Get("channels")
	if channels.Kind() != json.Array {
		said, _ := normal.Complaint(body)
		return nil, normal.Nonsense("has no transcript: " + said)
	}
	metadata := body.Get("metadata")
	if id := metadata.Get("request_id").Text(); id != "" {
		w.Answer.ID = id
	}
	for _, info := range metadata.Get("model_info").Fields() {
		if name := info.Get("name").Text(); name != "" {
			w.Answer.Model = name
		}
		break
	}
	t := &normal.Transcript{}
	if seconds, ok := metadata.Get("duration").Float(); ok && seconds > 0 {
		t.Duration = seconds
		w.Answer.Usage = normal.Usage{Known: true, Seconds: seconds}
	}
	for channel := range channels.Items() {
		add(t, channel)
	}
	if confidence := channels.Pointer("/0/alternatives/0/confidence"); confidence.Kind() == json.Number {
		w.Answer.Note("confidence", confidence)
	}
	return t, nil
}

func add(t *normal.Transcript, channel json.Value) {
	best := channel.Pointer("/alternatives/0")
	if t.Text != "" {
		t.Text += "\n"
	}
	t.Text += best.Get("transcript").Text()
	for _, language := range []json.Value{channel.Get("detected_language"), best.Pointer("/languages/0")} {
		if t.Language == "" {
			t.Language = language.Text()
		}
	}
	for word := range best.Get("words").Items() {
		text := word.Get("punctuated_word").Text()
		if text == "" {
			text = word.Get("word").Text()
		}
		speaker := ""
		if v := word.Get("speaker"); v.Kind() == json.Number {
			speaker = string(v)
		}
		t.Words = append(t.Words, normal.Word{
			Text: text, Speaker: speaker, Start: word.Get("start"), End: word.Get("end"), Confidence: word.Get("confidence"),
		})
	}
}
