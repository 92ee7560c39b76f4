package deepgram_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/deepgram"
	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string, stream bool) *play.Play {
	return play.Begin(deepgram.Adapter{}, "https://api.deepgram.com", settings, intent, stream)
}

func Example() {
	call := begin(`{"model":"nova-3"}`, `{"transcription":{"url":"https://x/a.wav","speakers":true}}`, false).Last()
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://api.deepgram.com/v1/listen?model=nova-3&detect_language=true&diarize=true
	// {"url":"https://x/a.wav"}
}

func TestWhatIsAsked(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, url, media, body string }{
		"audio":                 {`{"extra_query":{"smart_format":"true"}}`, `{"transcription":{"audio":"UklGRg==","media_type":"audio/wav","language":"en-US"}}`, "/v1/listen?language=en-US&smart_format=true", "audio/wav", "RIFF"},
		"audio of unknown kind": {`{"language":"de"}`, `{"transcription":{"audio":"UklGRg=="}}`, "/v1/listen?language=de", "application/octet-stream", "RIFF"},
		"speech":                {`{}`, `{"speech":{"text":"Hi"}}`, "/v1/speak", "application/json", `{"text":"Hi"}`},
		"voice in the model":    {`{"model":"aura-2-thalia-en"}`, `{"speech":{"text":"Hi","voice":"Zeus","media_type":"audio/wav"}}`, "/v1/speak?model=aura-2-zeus-en&encoding=linear16&container=wav", "application/json", `{"text":"Hi"}`},
		"voice is a model":      {`{}`, `{"speech":{"text":"Hi","voice":"aura-luna-en","media_type":"audio/flac"}}`, "/v1/speak?model=aura-luna-en&encoding=flac", "application/json", `{"text":"Hi"}`},
	} {
		call := begin(row.settings, row.intent, false).Last()
		if call.URL != "https://api.deepgram.com"+row.url || len(call.Headers) == 0 || call.Headers[0].Value != row.media || string(call.Body) != row.body {
			t.Errorf("%s: %s %v %s %s", name, call.URL, call.Headers, call.Body, call.Message)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, code, says string }{
		"voice":           {`{"model":"other"}`, `{"speech":{"text":"Hi","voice":"zeus"}}`, adapter.TransformationFailed, "speech.voice: a voice is part"},
		"media type":      {`{}`, `{"speech":{"text":"Hi","media_type":"audio/amr"}}`, adapter.TransformationFailed, "speech.media_type: the provider writes"},
		"later field":     {`{}`, `{"transcription":{"url":"https://x","translate":true}}`, adapter.TransformationFailed, "transcription.translate: "},
		"nothing to hear": {`{}`, `{"transcription":{}}`, adapter.InvalidRequest, "neither audio nor url"},
		"callback":        {`{"extra_query":{"callback":"https://elsewhere"}}`, `{"transcription":{"url":"https://x"}}`, adapter.TransformationFailed, "extra_query.callback"},
		"no text":         {`{"extra_query":{"tag":3}}`, `{"speech":{"text":"x"}}`, adapter.TransformationFailed, "extra_query.tag must be a string"},
	} {
		if a := begin(row.settings, row.intent, false).Last(); a.Kind != adapter.ActionFail || a.Code != row.code || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsMadeOfATranscript(t *testing.T) {
	p := begin(`{}`, `{"transcription":{"url":"https://x/a.wav"}}`, false)
	a := p.Respond(200, "application/json", `{"metadata":{"request_id":"r","duration":2.5,"channels":2,"model_info":{"u":{"name":"general-nova-3"}}},"results":{"channels":[
		{"detected_language":"en","alternatives":[{"transcript":"Yeah.","confidence":0.99,"words":[{"word":"yeah","start":0.0,"end":0.48,"confidence":0.9,"punctuated_word":"Yeah.","speaker":0}]},{"transcript":"Year."}]},
		{"alternatives":[{"transcript":"no","words":[{"word":"no","start":1,"end":1.2,"confidence":null}]}]}]}}`)
	want := `{"transcription":{"text":"Yeah.\nno","language":"en","duration_s":2.5,"words":[{"text":"Yeah.","start_s":0.0,"end_s":0.48,"confidence":0.9,"speaker":"0"},{"text":"no","start_s":1,"end_s":1.2}]},` +
		`"metadata":{"confidence":0.99},"usage":{"input_tokens":0,"output_tokens":0,"seconds":2.5},"model":"general-nova-3","id":"r"}`
	if string(a.Data) != want {
		t.Errorf("%s %s\nwant\n%s", a.Data, a.Message, want)
	}
}

func TestASpeechIsHeardWholeAndInPieces(t *testing.T) {
	audio := "RIFF and so on, longer than a frame"
	for _, stream := range []bool{false, true} {
		p := begin(`{"model":"aura-2-thalia-en"}`, `{"speech":{"text":"Hi"}}`, stream)
		if framing := p.Last().Framing; (framing == "bytes") != stream {
			t.Errorf("framing %q", framing)
		}
		p.Respond(200, "audio/wav", audio, adapter.Header{Name: "dg-request-id", Value: "r"}, adapter.Header{Name: "dg-char-count", Value: "2"})
		want := `map[id:r model:aura-2-thalia-en speech:map[audio:UklGRiBhbmQgc28gb24sIGxvbmdlciB0aGFuIGEgZnJhbWU= media_type:audio/wav] usage:map[characters:2 input_tokens:0 output_tokens:0]]`
		if got := fmt.Sprint(p.Result()); got != want {
			t.Errorf("%s", got)
		}
		if (len(p.Emitted) == 5) != stream {
			t.Errorf("%d pieces", len(p.Emitted))
		}
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for name, row := range map[string]struct {
		status             int
		body, reason, says string
	}{
		"bad key":       {401, `{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials.","request_id":"r"}`, adapter.BadKey, "credentials"},
		"bad request":   {400, `{"err_code":"Bad Request","err_msg":"failed to process audio: corrupt or unsupported data","request_id":"r"}`, adapter.BadRequest, "corrupt"},
		"other form":    {400, `{"category":"INVALID_JSON","message":"Invalid JSON submitted.","details":"x","request_id":"r"}`, adapter.BadRequest, "Invalid JSON"},
		"only a text":   {400, `"no such model"`, adapter.ModelNotFound, "no such model"},
		"credit":        {402, `{"err_code":"ASR_PAYMENT_REQUIRED","err_msg":"Project does not have enough credits"}`, adapter.OutOfCredit, "status 402"},
		"limit":         {429, `{"err_code":"TOO_MANY_REQUESTS","err_msg":"Too many requests. Please try again later"}`, adapter.RateLimited, "later"},
		"only a ticket": {200, `{"request_id":"r"}`, "", "no transcript"},
		"no JSON":       {200, `<html>`, "", "JSON"},
	} {
		a := begin(`{}`, `{"transcription":{"url":"https://x/a.wav"}}`, false).Respond(row.status, "application/json", row.body)
		if a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
