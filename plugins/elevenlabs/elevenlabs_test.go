package elevenlabs_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/elevenlabs"
	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string, stream bool) *play.Play {
	return play.Begin(elevenlabs.Adapter{}, "https://api.elevenlabs.io", settings, intent, stream)
}

const hi = `{"speech":{"text":"Hi","model":"","voice":"","media_type":""}}`

func Example() {
	call := begin(`{"voice":"rachel"}`, hi, false).Last()
	fmt.Println(call.Method, call.URL, string(call.Body))
	// Output:
	// POST https://api.elevenlabs.io/v1/text-to-speech/rachel {"text":"Hi"}
}

func TestWhatIsAskedOfASpeech(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, url, body string }{
		"all": {`{"logging":false,"output_format":"mp3_22050_32","extra_body":{"seed":4}}`,
			`{"speech":{"text":"Hi \"you\"","voice":"a b/c","model":"eleven_flash_v2_5","media_type":"audio/mpeg"}}`,
			"/v1/text-to-speech/a%20b%2Fc?output_format=mp3_22050_32&enable_logging=false", `{"text":"Hi \"you\"","model_id":"eleven_flash_v2_5","seed":4}`},
		"another codec than the setting's": {`{"output_format":"mp3_22050_32","voice":"v"}`, `{"speech":{"text":"Hi","media_type":"audio/basic"}}`,
			"/v1/text-to-speech/v?output_format=ulaw_8000", `{"text":"Hi"}`},
		"model of the contract": {`{"voice":"v","models":["eleven_v3","x"]}`, hi, "/v1/text-to-speech/v", `{"text":"Hi","model_id":"eleven_v3"}`},
		"timestamps":            {`{"voice":"v","timestamps":true}`, hi, "/v1/text-to-speech/v/with-timestamps", `{"text":"Hi"}`},
	} {
		call := begin(row.settings, row.intent, false).Last()
		if call.URL != "https://api.elevenlabs.io"+row.url || string(call.Body) != row.body || call.Framing != "" {
			t.Errorf("%s: %s %s %s", name, call.URL, call.Body, call.Message)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, code, says string }{
		"no voice":        {`{}`, hi, adapter.TransformationFailed, "speech.voice: neither"},
		"media type":      {`{"voice":"v"}`, `{"speech":{"text":"x","media_type":"audio/flac"}}`, adapter.TransformationFailed, "speech.media_type: the provider writes"},
		"later field":     {`{"voice":"v"}`, `{"speech":{"text":"x","speed":0}}`, adapter.TransformationFailed, "speech.speed: "},
		"clash":           {`{"voice":"v","extra_body":{"text":"y"}}`, hi, adapter.TransformationFailed, "extra_body.text is what the request itself says"},
		"unknown setting": {`{"voices":"v"}`, hi, adapter.TransformationFailed, "adapter.settings.voices is not known"},
		"other work":      {`{}`, `{"chat":{}}`, adapter.TransformationFailed, "intent.chat: this adapter does speech, transcription"},
		"nothing to hear": {`{}`, `{"transcription":{"model":"","language":""}}`, adapter.InvalidRequest, "neither audio nor url"},
		"region":          {`{}`, `{"transcription":{"url":"https://x/a.mp3","language":"en-GB"}}`, adapter.TransformationFailed, "transcription.language: "},
		"form clash":      {`{"extra_form":{"diarize":"true"}}`, `{"transcription":{"url":"https://x/a.mp3"}}`, adapter.TransformationFailed, "extra_form.diarize"},
		"webhook":         {`{"extra_form":{"webhook":"true"}}`, `{"transcription":{"url":"https://x/a.mp3"}}`, adapter.TransformationFailed, "elsewhere"},
	} {
		if a := begin(row.settings, row.intent, false).Last(); a.Kind != adapter.ActionFail || a.Code != row.code || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	p := begin(`{"voice":"v"}`, `{"unsupported":"warn","speech":{"text":"x","media_type":"audio/flac"}}`, false)
	p.Respond(200, "audio/mpeg", "ID3", adapter.Header{Name: "character-cost", Value: "12"}, adapter.Header{Name: "request-id", Value: "r1"})
	want := `{"speech":{"audio":"SUQz","media_type":"audio/mpeg"},"usage":{"input_tokens":0,"output_tokens":0,"characters":12},"id":"r1",` +
		`"warnings":[{"parameter":"speech.media_type","message":"the provider writes audio/mpeg, audio/pcm, audio/opus, audio/basic, audio/x-alaw"}]}`
	if got := string(p.Last().Data); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestASpeechIsStreamed(t *testing.T) {
	p := begin(`{"voice":"v"}`, hi, true)
	if call := p.Last(); call.URL != "https://api.elevenlabs.io/v1/text-to-speech/v/stream" || call.Framing != "bytes" {
		t.Fatalf("%+v", call)
	}
	audio := "\xff\xf3\x00 a piece that is longer than one frame \x00\xff"
	p.Respond(200, "audio/mpeg", audio)
	var pieces []byte
	for _, a := range p.Emitted {
		var delta struct{ Audio []byte }
		if err := json.Unmarshal(a.Data, &delta); err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, delta.Audio...)
	}
	speech, _ := p.Result()["speech"].(map[string]any)
	if string(pieces) != audio || speech["audio"] != base64.StdEncoding.EncodeToString([]byte(audio)) || len(p.Emitted) < 2 {
		t.Errorf("%d pieces %q, whole %v", len(p.Emitted), pieces, speech)
	}
}

func TestAnswersToASpeechThatAreErrors(t *testing.T) {
	bad := `{"detail":{"status":"quota_exceeded","message":"You have 3 credits left"}}`
	for name, row := range map[string]struct {
		stream             bool
		status             int
		media, body        string
		reason, says, hide string
	}{
		"out of credit":     {false, 401, "application/json", bad, adapter.OutOfCredit, "out of credit", ""},
		"in a stream":       {true, 401, "application/json", bad, adapter.OutOfCredit, "out of credit", ""},
		"bad key":           {false, 401, "application/json", `{"detail":{"status":"invalid_api_key","message":"Invalid sk_12"}}`, adapter.BadKey, "credentials", "sk_12"},
		"validation":        {false, 422, "application/json", `{"detail":[{"loc":["body","text"],"msg":"field required"}]}`, adapter.BadRequest, "field required", ""},
		"busy":              {false, 429, "application/json", `{"detail":{"status":"too_many_concurrent_requests","message":"slow"}}`, adapter.RateLimited, "slow", ""},
		"no audio":          {false, 200, "audio/mpeg", "", "", "no audio", ""},
		"no audio streamed": {true, 200, "audio/mpeg", "", "", "no audio", ""},
		"error in a 200":    {false, 200, "application/json", `{"detail":{"message":"it broke"}}`, "", "it broke", ""},
		"error in a stream": {true, 200, "application/json; charset=utf-8", `{"detail":{"message":"it broke"}}`, "", "it broke", ""},
		"no JSON":           {false, 200, "application/json", `<`, "", "JSON", ""},
	} {
		p := begin(`{"voice":"v"}`, hi, row.stream)
		a := p.Respond(row.status, row.media, row.body)
		if a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) || row.hide != "" && strings.Contains(a.Message, row.hide) || len(p.Emitted) > 0 {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnAnswerWithTimestamps(t *testing.T) {
	p := begin(`{"voice":"v","timestamps":true}`, hi, true)
	a := p.Respond(200, "application/json", `{"audio_base64":"SUQz","alignment":{"characters":["H"]},"normalized_alignment":null}`)
	if want := `{"speech":{"audio":"SUQz","media_type":"audio/mpeg"},"metadata":{"alignment":{"characters":["H"]}}}`; string(a.Data) != want {
		t.Errorf("%s %s", a.Data, a.Message)
	}
}

func TestATranscriptionIsAForm(t *testing.T) {
	audio := "RIFF\x00\xff\r\n"
	call := begin(`{"extra_form":{"tag_audio_events":"false"}}`, `{"transcription":{"audio":"`+base64.StdEncoding.EncodeToString([]byte(audio))+
		`","media_type":"audio/x-wav","language":"de","words":true,"speakers":true}}`, false).Last()
	_, params, err := mime.ParseMediaType(call.Headers[0].Value)
	if err != nil || call.URL != "https://api.elevenlabs.io/v1/speech-to-text" {
		t.Fatalf("%v, %+v", err, call)
	}
	form, err := multipart.NewReader(strings.NewReader(string(call.Body)), params["boundary"]).ReadForm(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	file, err := form.File["file"][0].Open()
	if err != nil {
		t.Fatal(err)
	}
	var got [20]byte
	n, _ := file.Read(got[:])
	if string(got[:n]) != audio || form.File["file"][0].Filename != "audio.wav" {
		t.Errorf("%q as %q", got[:n], form.File["file"][0].Filename)
	}
	if got, want := fmt.Sprint(form.Value), "map[diarize:[true] language_code:[de] model_id:[scribe_v1] tag_audio_events:[false] timestamps_granularity:[word]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWhatIsMadeOfATranscript(t *testing.T) {
	for name, row := range map[string]struct{ body, want string }{
		"one": {`{"language_code":"en","language_probability":0.98,"text":"Hello world!","transcription_id":"t1","audio_duration_secs":1.5,"words":[` +
			`{"text":"Hello","start":0,"end":0.5,"type":"word","speaker_id":"speaker_1","logprob":-0.124},{"text":" ","type":"spacing","start":0.5,"end":0.6},{"text":"world!","start":null,"end":0.9,"logprob":0}]}`,
			`{"transcription":{"text":"Hello world!","language":"en","duration_s":1.5,"words":[{"text":"Hello","start_s":0,"end_s":0.5,"confidence":0.883380,"speaker":"speaker_1"},` +
				`{"text":"world!","end_s":0.9,"confidence":1.000000}]},"metadata":{"language_probability":0.98},"usage":{"input_tokens":0,"output_tokens":0,"seconds":1.5},"model":"scribe_v1","id":"t1"}`},
		"channels": {`{"transcripts":[{"language_code":"en","text":"One.","words":null},{"language_code":"en","text":"Two."}]}`,
			`{"transcription":{"text":"One.\nTwo.","language":"en"},"model":"scribe_v1"}`},
		"silence": {`{"text":""}`, `{"transcription":{"text":""},"model":"scribe_v1"}`},
	} {
		p := begin(`{}`, `{"transcription":{"url":"https://x/a.mp3"}}`, true)
		if a := p.Respond(200, "application/json", row.body); string(a.Data) != row.want {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
	p := begin(`{}`, `{"transcription":{"url":"https://x/a.mp3"}}`, false)
	if a := p.Respond(202, "application/json", `{"message":"Request accepted. Transcription result will be sent to the webhook.","request_id":"abc123"}`); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "webhook") {
		t.Errorf("a promise: %+v", a)
	}
}
