package play_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/codex"
	"github.com/smarthausgroup/caio/plugins/cursor"
	"github.com/smarthausgroup/caio/plugins/deepgram"
	"github.com/smarthausgroup/caio/plugins/elevenlabs"
	"github.com/smarthausgroup/caio/plugins/githubcopilot"
	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/m365"
	"github.com/smarthausgroup/caio/plugins/midjourney"
	"github.com/smarthausgroup/caio/plugins/replicate"
	"github.com/smarthausgroup/caio/plugins/serper"
	"github.com/smarthausgroup/caio/plugins/stability"
	"github.com/smarthausgroup/caio/plugins/tavily"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// works are executions, one for each way in which these adapters read answers.
var works = []struct {
	adapter          adapter.Adapter
	settings, intent string
}{
	{codex.Adapter{}, `{}`, `{"code":{"prompt":"x"}}`},
	{cursor.Adapter{}, `{"repository":"https://g/o/r"}`, `{"code":{"prompt":"x"}}`},
	{deepgram.Adapter{}, `{}`, `{"transcription":{"url":"https://x"}}`},
	{deepgram.Adapter{}, `{}`, `{"speech":{"text":"x"}}`},
	{elevenlabs.Adapter{}, `{}`, `{"transcription":{"url":"https://x"}}`},
	{elevenlabs.Adapter{}, `{"voice":"v","timestamps":true}`, `{"speech":{"text":"x"}}`},
	{githubcopilot.Adapter{}, `{"org":"o"}`, `{"payload":{"operation":"billing"}}`},
	{m365.Adapter{}, `{}`, `{"domain":"M365","search":{"query":"x"}}`},
	{m365.Adapter{}, `{}`, `{"domain":"M365","chat":{"messages":[{"role":"user","content":"x"}]}}`},
	{midjourney.Adapter{}, `{}`, `{"image":{"prompt":"x"}}`},
	{replicate.Adapter{}, `{"model":"a/b"}`, `{"image":{"prompt":"x"}}`},
	{replicate.Adapter{}, `{"model":"a/b","stream":true}`, `{"chat":{"messages":[{"role":"user","content":"x"}]}}`},
	{serper.Adapter{}, `{}`, `{"search":{"query":"x"}}`},
	{stability.Adapter{}, `{"model":"e"}`, `{"image":{"prompt":"x"}}`},
	{tavily.Adapter{}, `{}`, `{"search":{"query":"x"}}`},
}

// FuzzAnswer reads answers that no provider should give, one after the other until the execution ends: none makes an adapter
// panic, every result and delta is JSON, and what is asked for next has a URL.
func FuzzAnswer(f *testing.F) {
	for i := range works {
		f.Add(uint8(i), true, 200, "application/json", []byte(`{"id":"1","status":"succeeded","output":["x"],"results":[{"title":1}],"text":"x","words":[{"start":"x"}],"value":[{}],"messages":[null],"code":1,"result":"1"}`))
		f.Add(uint8(i), false, 200, "audio/mpeg", []byte("ID3"))
		f.Add(uint8(i), true, 201, "", []byte(`[{"base64":"A","finishReason":"SUCCESS","seed":1e99},null]`))
		f.Add(uint8(i), false, 422, "application/json", []byte(`{"detail":[{"msg":{}}],"error":[]}`))
		f.Add(uint8(i), true, 200, "", []byte(`{"run":{"id":"r","status":"FINISHED"},"agent":{"id":"a"},"urls":{"stream":"s","get":"g"},"results":{"channels":[{"alternatives":{}},3]}}`))
	}
	f.Fuzz(func(t *testing.T, which uint8, stream bool, status int, media string, body []byte) {
		w := works[int(which)%len(works)]
		p := play.Begin(w.adapter, "https://p.example.com", w.settings, w.intent, stream)
		for range 4 {
			switch a := p.Last(); {
			case a.Kind == adapter.ActionHTTP && a.URL == "":
				t.Fatal("it asks nobody")
			case a.Kind == adapter.ActionWait:
				p.Wake()
			case !p.Over():
				p.Respond(status, media, string(body))
			}
		}
		for _, a := range append(p.Emitted, p.Last()) {
			if strings.Contains(a.Message, "panicked") {
				t.Fatal(a.Message)
			}
			if (a.Kind == adapter.ActionDone || a.Kind == adapter.ActionEmit) && !json.Valid(a.Data) {
				t.Fatalf("%q is no JSON", a.Data)
			}
		}
	})
}
