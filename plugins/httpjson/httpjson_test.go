package httpjson_test

import (
	stdjson "encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/httpjson"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// begin starts an execution with settings.
func begin(settings, intent string, stream bool) adapter.Reply {
	contract := `{"service_id":"s","base_url":"https://api.example.com/base/","endpoints":[{"path":"/first","method":"POST"},{"path":"/second","method":"POST"}],"settings":` + settings + `}`
	return adapter.Run(httpjson.Adapter{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
}

// answer continues it with an answer, and returns the last action.
func answer(settings, intent string, status int, body string) adapter.Action {
	start := begin(settings, intent, false)
	reply := adapter.Run(httpjson.Adapter{}, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: []byte(body)})
	return reply.Actions[len(reply.Actions)-1]
}

func Example() {
	settings := `{"path":"/v1/detect","body":{"q":"{{/payload/text}}","hints":["{{/payload/country?}}"]},"output":"/data/0","metadata":"/meta"}`
	call := begin(settings, `{"type":"language_detection","payload":{"text":"Bonjour"}}`, false).Actions[0]
	fmt.Println(call.Method, call.URL, string(call.Body))
	done := answer(settings, `{"payload":{"text":"Bonjour"}}`, 200, `{"data":[{"lang":"fr"}],"meta":{"accuracy":0.97}}`)
	fmt.Println(string(done.Data))
	// Output:
	// POST https://api.example.com/base/v1/detect {"q":"Bonjour","hints":[]}
	// {"output":{"lang":"fr"},"metadata":{"accuracy":0.97}}
}

func TestWhatIsAsked(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, method, url, body string }{
		"defaults":         {`{}`, `{"payload":{"a":1}}`, "POST", "https://api.example.com/base/first", `{"a":1}`},
		"typed intent":     {`{}`, `{"type":"search","search":{"query":"q"}}`, "POST", "https://api.example.com/base/first", `{"intent":{"type":"search","search":{"query":"q"}}}`},
		"GET has no body":  {`{"method":"get","path":"status?full=1"}`, `{"payload":{}}`, "GET", "https://api.example.com/base/status?full=1", ``},
		"GET with a body":  {`{"method":"GET","body":{}}`, `{}`, "GET", "https://api.example.com/base/first", `{}`},
		"types are kept":   {`{"body":{"n":"{{/payload/n}}","l":"{{/payload/l}}","o":"{{/payload/o}}","z":"{{/payload/z}}","all":["{{}}"]}}`, `{"payload":{"n":1.50,"l":[1,"x"],"o":{"k":null},"z":null}}`, "POST", "https://api.example.com/base/first", `{"n":1.50,"l":[1,"x"],"o":{"k":null},"z":null,"all":[{"payload":{"n":1.50,"l":[1,"x"],"o":{"k":null},"z":null}}]}`},
		"constants":        {`{"body":{"v":2,"on":true,"none":null,"t":"{plain}"}}`, `{}`, "POST", "https://api.example.com/base/first", `{"v":2,"on":true,"none":null,"t":"{plain}"}`},
		"optional is left": {`{"body":{"a":"{{/payload/a?}}","b":"{{/payload/b?}}","l":["{{/payload/a?}}",0]}}`, `{"payload":{"b":"x","a":null}}`, "POST", "https://api.example.com/base/first", `{"b":"x","l":[0]}`},
		"escapes":          {`{"body":"{{/payload/a~1b}}"}`, `{"payload":{"a/b":"quote \" é \u0001"}}`, "POST", "https://api.example.com/base/first", `"quote \" é \u0001"`},
	} {
		call := begin(row.settings, row.intent, false).Actions[0]
		if call.Kind != adapter.ActionHTTP || call.Method != row.method || call.URL != row.url || string(call.Body) != row.body {
			t.Errorf("%s: %s %s %s %s", name, call.Method, call.URL, call.Body, call.Message)
		}
	}
}

func TestHeaders(t *testing.T) {
	call := begin(`{"headers":{"X-Version":"3","content-type":"application/vnd.x+json"}}`, `{"payload":{}}`, false).Actions[0]
	if got := fmt.Sprint(call.Headers); got != "[{X-Version 3} {content-type application/vnd.x+json} {Accept application/json}]" {
		t.Error(got)
	}
}

func TestWhatIsRefusedBeforeAsking(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, code, says string }{
		"unknown setting":      {`{"pfad":"/x"}`, `{}`, adapter.TransformationFailed, "adapter.settings.pfad is not known"},
		"wrong type":           {`{"method":3}`, `{}`, adapter.TransformationFailed, "adapter.settings.method must be a string"},
		"header type":          {`{"headers":{"A":1}}`, `{}`, adapter.TransformationFailed, "headers.A must be a string"},
		"no pointer":           {`{"output":"data"}`, `{}`, adapter.TransformationFailed, "adapter.settings.output must be a JSON pointer"},
		"no usage pointer":     {`{"usage":{"input_tokens":"x"}}`, `{}`, adapter.TransformationFailed, "usage.input_tokens"},
		"usage no object":      {`{"usage":"/u"}`, `{}`, adapter.TransformationFailed, "usage must be an object"},
		"unknown count":        {`{"usage":{"total":"/u"}}`, `{}`, adapter.TransformationFailed, "usage.total is not known"},
		"headers no object":    {`{"headers":["a"]}`, `{}`, adapter.TransformationFailed, "headers must be an object"},
		"nothing there":        {`{"body":{"q":["{{/payload/text}}"]}}`, `{"payload":{}}`, adapter.InvalidRequest, "intent: it has no /payload/text, which adapter.settings.body.q[0] asks for"},
		"inside a longer text": {`{"body":{"q":"Hi {{/payload/name}}"}}`, `{"payload":{"name":"x"}}`, adapter.TransformationFailed, "must be the whole string"},
		"two placeholders":     {`{"body":"{{/a}}{{/b}}"}`, `{}`, adapter.TransformationFailed, "must be the whole string"},
		"placeholder no path":  {`{"body":"{{text}}"}`, `{}`, adapter.TransformationFailed, "must name a JSON pointer"},
	} {
		reply := begin(row.settings, row.intent, false)
		if a := reply.Actions[0]; a.Kind != adapter.ActionFail || a.Code != row.code || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsMadeOfAnAnswer(t *testing.T) {
	for name, row := range map[string]struct{ settings, body, want string }{
		"whole":           {`{}`, `{"a":1}`, `{"output":{"a":1}}`},
		"part":            {`{"output":"/r/0"}`, `{"r":[{"a":1}]}`, `{"output":{"a":1}}`},
		"no object":       {`{"output":"/r"}`, `{"r":[1,2]}`, `{"output":{"value":[1,2]}}`},
		"text":            {`{}`, ` "x" `, `{"output":{"value":"x"}}`},
		"null":            {`{"output":"/r"}`, `{"r":null}`, `{"output":{"value":null}}`},
		"usage":           {`{"usage":{"input_tokens":"/u/i","output_tokens":"/u/o"},"output":"/r"}`, `{"r":{},"u":{"i":3,"o":4.0}}`, `{"output":{},"usage":{"input_tokens":3,"output_tokens":4}}`},
		"no usage":        {`{"usage":{"input_tokens":"/u/i"},"output":"/r"}`, `{"r":{},"u":{"i":null}}`, `{"output":{}}`},
		"no metadata":     {`{"metadata":"/m"}`, `{}`, `{"output":{}}`},
		"error is null":   {`{"error":"/error"}`, `{"error":null}`, `{"output":{"error":null}}`},
		"error elsewhere": {`{"error":"/fault"}`, `{"error":"x"}`, `{"output":{"error":"x"}}`},
	} {
		a := answer(row.settings, `{}`, 200, row.body)
		if a.Kind != adapter.ActionDone || string(a.Data) != row.want || !stdjson.Valid(a.Data) {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for name, row := range map[string]struct {
		settings string
		status   int
		body     string
		retry    bool
		says     string
	}{
		"error in a 200":      {`{"error":"/error"}`, 200, `{"error":"no such language"}`, true, "no such language"},
		"error object":        {`{"error":"/error"}`, 200, `{"error":{"message":"bad"}}`, true, "bad"},
		"error false is one":  {`{"error":"/error"}`, 200, `{"error":false}`, true, "false"},
		"not JSON":            {`{}`, 200, `<html>`, true, "not JSON"},
		"empty":               {`{}`, 200, ``, true, "not JSON"},
		"nothing there":       {`{"output":"/r"}`, 200, `{}`, true, "has no /r"},
		"metadata no object":  {`{"metadata":"/m"}`, 200, `{"m":1}`, true, "adapter.settings.metadata"},
		"tokens no count":     {`{"usage":{"input_tokens":"/u"}}`, 200, `{"u":-1}`, true, "adapter.settings.usage"},
		"busy":                {`{}`, 503, `{"message":"later"}`, true, "status 503: later"},
		"limit":               {`{}`, 429, ``, true, "status 429"},
		"bad request":         {`{"error":"/fault/text"}`, 400, `{"fault":{"text":"too short"}}`, false, "too short"},
		"key is not repeated": {`{}`, 401, `{"error":"bad key k-123"}`, true, "refused the credentials, status 401"},
		"redirect":            {`{}`, 302, ``, true, "status 302"},
	} {
		a := answer(row.settings, `{}`, row.status, row.body)
		if a.Kind != adapter.ActionFail || a.Status != row.status || a.Retryable != row.retry || !strings.Contains(a.Message, row.says) || strings.Contains(a.Message, "k-123") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAWholeAnswerIsHandedOutWholeWhereAStreamWasWanted(t *testing.T) {
	start := begin(`{"output":"/r"}`, `{}`, true)
	reply := adapter.Run(httpjson.Adapter{}, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: 200, Body: []byte(`{"r":{"a":1}}`)})
	if len(reply.Actions) != 1 || reply.Actions[0].Kind != adapter.ActionDone || string(reply.Actions[0].Data) != `{"output":{"a":1}}` {
		t.Errorf("%+v", reply)
	}
}

// FuzzAnswer reads answers that no service should give: whatever comes, one action goes out, and a result is JSON.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"output":"/r","metadata":"/m","usage":{"input_tokens":"/u"},"error":"/e"}`, `{"payload":{"t":1}}`, 200, []byte(`{"r":1,"m":{},"u":2,"e":null}`))
	f.Add(`{"body":{"x":"{{/payload/t?}}"}}`, `{"payload":{}}`, 500, []byte(`{"error":{"message":"x"}}`))
	f.Fuzz(func(t *testing.T, settings, intent string, status int, body []byte) {
		start := begin(settings, intent, true)
		if call := start.Actions[0]; call.Kind == adapter.ActionHTTP && call.Body != nil && !stdjson.Valid(call.Body) {
			t.Fatalf("asked with %q", call.Body)
		}
		reply := adapter.Run(httpjson.Adapter{}, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: body})
		for _, a := range reply.Actions {
			if strings.Contains(a.Message, "panicked") {
				t.Fatal(a.Message)
			}
			if (a.Kind == adapter.ActionDone || a.Kind == adapter.ActionEmit) && !stdjson.Valid(a.Data) {
				t.Fatalf("%q", a.Data)
			}
		}
	})
}
