package conformance

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"

	"github.com/smarthausgroup/caio/plugins/deepgram"
	"github.com/smarthausgroup/caio/plugins/elevenlabs"
	"github.com/smarthausgroup/caio/plugins/stability"
)

// Deepgram is Deepgram's.
func Deepgram() Provider {
	return Provider{
		Name: "deepgram", Adapter: deepgram.Adapter{}, Contract: "deepgram-transcription.yaml", Evidence: "official specification",
		Settings: deepgramSettings, Intent: deepgramIntent, Hello: mediaHello, Want: deepgramWant,
	}
}

// ElevenLabs is ElevenLabs'. No request of it is recorded: those that its adapter makes are held against the specification by
// TestRequestsThatNobodyRecorded.
func ElevenLabs() Provider {
	return Provider{
		Name: "elevenlabs", Adapter: elevenlabs.Adapter{}, Contract: "elevenlabs-speech.yaml", Evidence: "official specification",
		Settings: func(x *Exchange) map[string]any {
			return map[string]any{"timestamps": x.Request != nil && strings.HasSuffix(x.Request.URL, "/with-timestamps")}
		},
		Hello: mediaHello, Want: elevenlabsWant,
	}
}

// Stability is Stability AI's, of which there is a document for v1 alone.
func Stability() Provider {
	return Provider{
		Name: "stability", Adapter: stability.Adapter{}, Contract: "stability.yaml",
		Evidence: "official specification of v1, by way of a mirror; v2beta unchecked",
		Settings: stabilitySettings, Intent: stabilityIntent, Hello: mediaHello, Want: stabilityWant,
	}
}

func mediaHello(x *Exchange) map[string]any {
	switch x.Kind {
	case "speech":
		return map[string]any{"speech": map[string]any{"text": "Hello"}}
	case "transcription":
		return map[string]any{"transcription": map[string]any{"url": "https://example.com/hello.wav", "words": true}}
	}
	return map[string]any{"image": map[string]any{"model": "engine", "prompt": "a lighthouse"}}
}

// deepgramSettings are what stands in a recorded query beyond an intent.
func deepgramSettings(x *Exchange) map[string]any {
	extra := map[string]any{}
	if x.Request != nil {
		if u, err := url.Parse(x.Request.URL); err == nil {
			for name := range u.Query() {
				switch name {
				case "model", "language", "detect_language", "diarize", "encoding", "container":
				default:
					extra[name] = u.Query().Get(name)
				}
			}
		}
	}
	return map[string]any{"extra_query": extra}
}

func deepgramIntent(x *Exchange) (map[string]any, bool, string) {
	u, err := url.Parse(x.Request.URL)
	if err != nil {
		return nil, false, "the recorded request cannot be read"
	}
	q := u.Query()
	var body struct{ URL, Text string }
	_ = json.Unmarshal(x.Request.Body, &body) // audio is none
	if x.Kind == "speech" {
		speech := map[string]any{"text": body.Text, "model": q.Get("model")}
		media := map[string]string{
			"linear16 wav": "audio/wav", "mp3 ": "audio/mpeg", "flac ": "audio/flac", "opus ogg": "audio/ogg", "aac ": "audio/aac",
		}
		if encoding := q.Get("encoding"); encoding != "" {
			if speech["media_type"] = media[encoding+" "+q.Get("container")]; speech["media_type"] == "" {
				return nil, false, "no media type is that of encoding " + encoding
			}
		}
		return map[string]any{"speech": speech}, false, ""
	}
	t := map[string]any{"model": q.Get("model"), "language": q.Get("language"), "speakers": q.Get("diarize") == "true"}
	switch {
	case body.URL != "":
		t["url"] = body.URL
	case len(x.Request.Base64) > 0:
		t["audio"], t["media_type"] = base64.StdEncoding.EncodeToString(x.Request.Base64), x.Request.Headers["content-type"]
	default:
		return nil, false, "the audio was not recorded"
	}
	return map[string]any{"transcription": t}, false, ""
}

func deepgramWant(x *Exchange) (*Want, string, error) {
	if x.Response.Status > 299 {
		return &Want{Fail: true}, "", nil
	}
	if x.Kind == "speech" {
		return &Want{Audio: x.Response.Base64}, "", nil
	}
	var body struct {
		Metadata struct{ Duration float64 }
		Results  struct {
			Channels []struct {
				Alternatives []struct {
					Transcript string
					Words      []struct {
						Word       string
						Punctuated string `json:"punctuated_word"`
						Start, End float64
						Speaker    *int
					}
				}
			}
		}
	}
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	want := &Want{}
	speakers := map[int]string{}
	for _, channel := range body.Results.Channels {
		if want.Text != "" {
			want.Text += "\n"
		}
		want.Text += channel.Alternatives[0].Transcript
		for _, w := range channel.Alternatives[0].Words {
			if w.Speaker != nil {
				speakers[len(want.Words)] = fmt.Sprint(*w.Speaker)
			}
			if w.Punctuated != "" {
				w.Word = w.Punctuated
			}
			want.Words = append(want.Words, Word{w.Word, w.Start, w.End})
		}
	}
	want.Other = func(result map[string]any) error { return sameSpeakers(result, speakers, body.Metadata.Duration) }
	return want, "", nil
}

// sameSpeakers holds who speaks, by word, and the length of the audio against a result.
func sameSpeakers(result map[string]any, speakers map[int]string, seconds float64) error {
	t, _ := result["transcription"].(map[string]any)
	if got, _ := t["duration_s"].(float64); got != seconds {
		return fmt.Errorf("duration_s is %v, want %v", got, seconds)
	}
	words, _ := t["words"].([]any)
	for i, w := range words {
		got, _ := w.(map[string]any)["speaker"].(string)
		if got != speakers[i] {
			return fmt.Errorf("word %d is said by %q, want %q", i, got, speakers[i])
		}
	}
	return nil
}

func elevenlabsWant(x *Exchange) (*Want, string, error) {
	if x.Response.Status > 299 {
		return &Want{Fail: true}, "", nil
	}
	type transcript struct {
		Text  string
		Words []struct {
			Text, Type string
			Start, End float64
			Speaker    string `json:"speaker_id"`
			Logprob    *float64
		}
	}
	var body struct {
		transcript
		Transcripts []transcript
		Audio       string `json:"audio_base64"`
		Message     string
	}
	if len(x.Response.Base64) > 0 {
		return &Want{Audio: x.Response.Base64}, "", nil
	}
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	switch {
	case body.Audio != "":
		if !strings.HasSuffix(x.Request.URL, "/v1/text-to-speech/{voice_id}/with-timestamps") {
			return nil, "pieces with timestamps are not asked for", nil
		}
		audio, err := base64.RawURLEncoding.DecodeString(body.Audio) // the example is a word, which only this alphabet holds
		return &Want{Audio: audio}, "", err
	case body.Message != "": // the transcript goes to a webhook
		return &Want{Fail: true, Message: body.Message}, "", nil
	}
	want, speakers := &Want{}, map[int]string{}
	if body.Transcripts == nil {
		body.Transcripts = []transcript{body.transcript}
	}
	for i, t := range body.Transcripts {
		if i > 0 {
			want.Text += "\n"
		}
		want.Text += t.Text
		for _, w := range t.Words {
			if w.Type == "spacing" {
				continue
			}
			if w.Speaker != "" {
				speakers[len(want.Words)] = w.Speaker
			}
			want.Words = append(want.Words, Word{w.Text, w.Start, w.End})
		}
	}
	want.Other = func(result map[string]any) error { return sameSpeakers(result, speakers, 0) }
	return want, "", nil
}

func stabilitySettings(x *Exchange) map[string]any {
	settings := map[string]any{"model": "stable-diffusion-v1-6"}
	if x.Request == nil {
		return settings
	}
	if _, rest, ok := strings.Cut(x.Request.URL, "/v1/generation/"); ok {
		settings["model"], _, _ = strings.Cut(rest, "/")
	}
	var body, extra = map[string]any{}, map[string]any{}
	if json.Unmarshal(x.Request.Body, &body) != nil {
		return settings
	}
	for name, v := range body {
		switch name {
		case "text_prompts", "height", "width", "samples", "seed":
		default:
			extra[name] = v
		}
	}
	settings["extra_body"] = extra
	return settings
}

func stabilityIntent(x *Exchange) (map[string]any, bool, string) {
	var body struct {
		Prompts []struct {
			Text   string
			Weight float64
		} `json:"text_prompts"`
		Height, Width int
		Samples, Seed *int
	}
	if err := json.Unmarshal(x.Request.Body, &body); err != nil || len(body.Prompts) == 0 {
		return nil, false, "no pictures are asked for"
	}
	image := map[string]any{"prompt": body.Prompts[0].Text}
	for _, p := range body.Prompts[1:] {
		if p.Weight >= 0 || image["negative_prompt"] != nil || math.Abs(p.Weight) != 1 {
			return nil, false, "an image has one prompt, and what is not to be seen"
		}
		image["negative_prompt"] = p.Text
	}
	if body.Width > 0 {
		image["size"] = fmt.Sprintf("%dx%d", body.Width, body.Height)
	}
	if body.Samples != nil {
		image["count"] = *body.Samples
	}
	if body.Seed != nil {
		image["seed"] = *body.Seed
	}
	return map[string]any{"image": image}, false, ""
}

func stabilityWant(x *Exchange) (*Want, string, error) {
	if x.Kind != "images" {
		return nil, "a list of models is no work", nil
	}
	if x.Response.Status > 299 {
		var body struct{ Message string }
		return &Want{Fail: true, Message: body.Message}, "", json.Unmarshal(x.Response.Body, &body)
	}
	var body []struct{ FinishReason string }
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	for _, picture := range body {
		if picture.FinishReason == "CONTENT_FILTERED" {
			return &Want{Fail: true, Reason: "content_filtered"}, "", nil
		}
	}
	return &Want{Pictures: len(body)}, "", nil
}
