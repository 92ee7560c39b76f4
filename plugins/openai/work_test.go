package openai_test

import (
	"bytes"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func TestOtherWorkIsAnswered(t *testing.T) {
	for name, row := range map[string]struct {
		d                  openai.Dialect
		intent, body, want string
	}{
		"code":             {openai.OpenAI(), `{"code":{"prompt":"a"}}`, `{"choices":[{"text":"b","finish_reason":"length"}]}`, `{"code":{"text":"b","finish_reason":"length"}}`},
		"code in a gap":    {openai.Mistral(), `{"code":{"prompt":"a"}}`, `{"choices":[{"message":{"content":"b"},"finish_reason":"stop"}]}`, `{"code":{"text":"b","finish_reason":"stop"}}`},
		"rerank":           {openai.Together(), `{"rerank":{"query":"q","documents":["a","b"]}}`, `{"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":1e-3}],"model":"r"}`, `{"rerank":{"ranked":[{"index":1,"score":0.9},{"index":0,"score":1e-3}]},"model":"r"}`},
		"search":           {openai.Perplexity(), `{"search":{"query":"q"}}`, `{"results":[{"title":"T","url":"https://x","snippet":"s","date":null}]}`, `{"search":{"hits":[{"title":"T","url":"https://x","text":"s"}]}}`},
		"bytes as vectors": {openai.Perplexity(), `{"embedding":{"input":["a"]}}`, `{"data":[{"index":0,"embedding":"AP9/"}]}`, `{"embedding":{"vectors":[{"values":[0,-1,127]}]}}`},
		"speech in JSON":   {openai.Mistral(), `{"speech":{"text":"a","media_type":"audio/wav"}}`, `{"audio_data":"AAE="}`, `{"speech":{"audio":"AAE=","media_type":"audio/wav"}}`},
		"words":            {openai.OpenAI(), `{"transcription":{"audio":"AA==","words":true}}`, `{"text":"Hi","language":"english","duration":1.5,"words":[{"word":"Hi","start":0,"end":0.66}],"usage":{"type":"duration","seconds":2}}`, `{"transcription":{"text":"Hi","language":"english","duration_s":1.5,"words":[{"text":"Hi","start_s":0,"end_s":0.66}]},"usage":{"input_tokens":0,"output_tokens":0,"seconds":2}}`},
		"speakers":         {openai.OpenAI(), `{"transcription":{"audio":"AA==","speakers":true}}`, `{"text":"Hi","segments":[{"text":"Hi","start":0,"end":1,"speaker":"A"}]}`, `{"transcription":{"text":"Hi","words":[{"text":"Hi","start_s":0,"end_s":1,"speaker":"A"}]}}`},
		"text alone":       {openai.Groq(), `{"transcription":{"audio":"AA=="}}`, `Hi there`, `{"transcription":{"text":"Hi there"}}`},
		"no words wanted":  {openai.Groq(), `{"transcription":{"audio":"AA=="}}`, `{"text":"Hi","segments":[{"text":"Hi","start":0,"end":1}]}`, `{"transcription":{"text":"Hi"}}`},
		"pictures":         {openai.OpenAI(), `{"image":{"prompt":"cat"}}`, `{"data":[{"b64_json":"AA==","revised_prompt":"a cat"},{"url":"https://x/a.png"}],"output_format":"png"}`, `{"image":{"pictures":[{"media_type":"image/png","data":"AA==","revised_prompt":"a cat"},{"url":"https://x/a.png"}]}}`},
		"paid pictures":    {openai.XAI(), `{"image":{"prompt":"cat"}}`, `{"data":[{"url":"https://x/a.jpeg","mime_type":"image/jpeg"}],"usage":{"cost_in_usd_ticks":200000000}}`, `{"image":{"pictures":[{"media_type":"image/jpeg","url":"https://x/a.jpeg"}]},"usage":{"input_tokens":0,"output_tokens":0,"units":1,"cost":0.02}}`},
		"meta's message":   {openai.MetaLlama(), hello, `{"id":"i","completion_message":{"role":"assistant","content":{"type":"text","text":"Hi"},"stop_reason":"stop"},"metrics":[{"metric":"num_prompt_tokens","value":3},{"metric":"num_completion_tokens","value":1}]}`, `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},"usage":{"input_tokens":3,"output_tokens":1},"id":"i"}`},
		"a finish of eos":  {openai.Together(), hello, `{"choices":[{"message":{"content":"Hi"},"finish_reason":"eos"}]}`, `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}}`},
	} {
		if a := answered(t, row.d, `{"model":"m"}`, row.intent, row.body); a.Kind != adapter.ActionDone || string(a.Data) != row.want {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
}

func TestVectorsAreMadeByATask(t *testing.T) {
	settings := `{"model":"o/m","api":"tasks"}`
	call := asked(openai.HuggingFace(), "https://x/hf-inference", settings, `{"embedding":{"input":["a","b"]}}`, false)
	if call.URL != "https://x/hf-inference/models/o/m/pipeline/feature-extraction" || string(call.Body) != `{"inputs":["a","b"]}` {
		t.Errorf("%s %s %s", call.URL, call.Body, call.Message)
	}
	for body, row := range map[string]struct{ input, want string }{
		`[[1,2],[3,4]]`: {`["a","b"]`, `{"embedding":{"vectors":[{"values":[1,2]},{"values":[3,4]}]}}`},
		`[1,2]`:         {`["a"]`, `{"embedding":{"vectors":[{"values":[1,2]}]}}`},
	} {
		if a := answered(t, openai.HuggingFace(), settings, `{"embedding":{"input":`+row.input+`}}`, body); string(a.Data) != row.want {
			t.Errorf("%s: %s %s", body, a.Data, a.Message)
		}
	}
	if a := answered(t, openai.HuggingFace(), settings, `{"embedding":{"input":["a"]}}`, `[[[1,2]]]`); !strings.Contains(a.Message, "more than numbers") {
		t.Errorf("vectors of each token: %+v", a)
	}
}

func TestAnswersToOtherWorkThatMakeNoSense(t *testing.T) {
	for name, row := range map[string]struct {
		d                  openai.Dialect
		intent, body, says string
	}{
		"no results":         {openai.Together(), `{"rerank":{"query":"q","documents":["a"]}}`, `{}`, "no results"},
		"no score":           {openai.Together(), `{"rerank":{"query":"q","documents":["a"]}}`, `{"results":[{"index":0}]}`, "relevance_score"},
		"nothing found":      {openai.Perplexity(), `{"search":{"query":"q"}}`, `{"results":null}`, "no results"},
		"silence":            {openai.OpenAI(), `{"speech":{"text":"a"}}`, ``, "is empty"},
		"no audio in JSON":   {openai.Mistral(), `{"speech":{"text":"a"}}`, `{"audio_data":""}`, "no audio"},
		"no text":            {openai.OpenAI(), `{"transcription":{"audio":"AA=="}}`, `{"words":[]}`, "no text"},
		"no picture":         {openai.OpenAI(), `{"image":{"prompt":"cat"}}`, `{"data":[]}`, "no picture"},
		"an empty picture":   {openai.OpenAI(), `{"image":{"prompt":"cat"}}`, `{"data":[{}]}`, "neither url nor b64_json"},
		"vectors not base64": {openai.Perplexity(), `{"embedding":{"input":["a"]}}`, `{"data":[{"embedding":"!"}]}`, "base64"},
		"an error in a 200":  {openai.OpenAI(), `{"image":{"prompt":"cat"}}`, `{"error":{"message":"late"}}`, "late"},
		"a finish of error":  {openai.Mistral(), hello, `{"choices":[{"message":{"content":"Hi"},"finish_reason":"error"}]}`, "finish_reason is error"},
	} {
		if a := answered(t, row.d, `{"model":"m"}`, row.intent, row.body); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAudioComesAsItIs(t *testing.T) {
	a := answered(t, openai.OpenAI(), `{"model":"m"}`, `{"speech":{"text":"a"}}`, "\x00\x01", adapter.Header{Name: "content-type", Value: "audio/mpeg"})
	if string(a.Data) != `{"speech":{"audio":"AAE=","media_type":"audio/mpeg"}}` {
		t.Errorf("%s %s", a.Data, a.Message)
	}
	a = answered(t, openai.OpenAI(), `{"model":"m"}`, `{"speech":{"text":"a"}}`, `{"error":{"message":"no voice"}}`, adapter.Header{Name: "Content-Type", Value: "application/json; charset=utf-8"})
	if a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "no voice") {
		t.Errorf("%+v", a)
	}
}

func TestAFormIsSentToBeWrittenDown(t *testing.T) {
	for name, row := range map[string]struct {
		d        openai.Dialect
		settings string
		intent   string
		want     map[string]string
	}{
		"words":      {openai.OpenAI(), `{"model":"w"}`, `"audio":"UklGRg==","media_type":"audio/wav","language":"de-AT","words":true`, map[string]string{"model": "w", "language": "de", "response_format": "verbose_json", "timestamp_granularities[]": "word", "file": "RIFF"}},
		"plain":      {openai.Groq(), `{"model":"w","extra_body":{"temperature":0.5,"prompt":"Ja"}}`, `"audio":"UklGRg=="`, map[string]string{"model": "w", "response_format": "json", "temperature": "0.5", "prompt": "Ja", "file": "RIFF"}},
		"elsewhere":  {openai.Mistral(), `{"model":"w"}`, `"url":"https://x/a.mp3","speakers":true`, map[string]string{"model": "w", "diarize": "true", "timestamp_granularities": "segment", "file_url": "https://x/a.mp3"}},
		"deployment": {openai.AzureOpenAI(), `{"model":"w"}`, `"audio":"UklGRg=="`, map[string]string{"response_format": "json", "file": "RIFF"}},
	} {
		call := asked(row.d, "https://x", row.settings, `{"transcription":{`+row.intent+`}}`, false)
		_, params, err := mime.ParseMediaType(header(call, "Content-Type"))
		if err != nil {
			t.Fatalf("%s: %v %s", name, err, call.Message)
		}
		form, err := multipart.NewReader(bytes.NewReader(call.Body), params["boundary"]).ReadForm(1 << 20)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := map[string]string{}
		for field, values := range form.Value {
			got[field] = values[0]
		}
		for field, files := range form.File {
			file, err := files[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			var content bytes.Buffer
			if _, err := content.ReadFrom(file); err != nil {
				t.Fatal(err)
			}
			got[field] = content.String()
		}
		if len(got) != len(row.want) {
			t.Errorf("%s: %v", name, got)
		}
		for field, value := range row.want {
			if got[field] != value {
				t.Errorf("%s: %s is %q, want %q", name, field, got[field], value)
			}
		}
	}
	for intent, says := range map[string]string{
		`{"transcription":{"url":"https://x/a.mp3"}}`:    "transcription.url: ",
		`{"transcription":{"media_type":"audio/wav"}}`:   "transcription.audio: ",
		`{"transcription":{"audio":"!"}}`:                "transcription.audio: ",
		`{"transcription":{"audio":"AA==","tempo":"x"}}`: "transcription.tempo: ",
	} {
		if a := asked(openai.OpenAI(), "https://x", `{"model":"m"}`, intent, false); a.Kind != adapter.ActionFail || !strings.HasPrefix(a.Message, says) {
			t.Errorf("%s: %+v", intent, a)
		}
	}
}

func header(a adapter.Action, name string) string {
	for _, h := range a.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}
