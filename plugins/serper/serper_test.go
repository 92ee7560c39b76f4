package serper_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/serper"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(serper.Adapter{}, "https://google.serper.dev", settings, intent, false)
}

const who = `{"search":{"query":"who?","include_domains":[],"exclude_domains":[]}}`

func Example() {
	call := begin(`{"extra_body":{"gl":"de"}}`, `{"search":{"query":"who?","max_results":3,"include_domains":["a.org","b.org"],"exclude_domains":["c.org"]}}`).Last()
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://google.serper.dev/search
	// {"q":"who? (site:a.org OR site:b.org) -site:c.org","num":3,"gl":"de"}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, code, says string }{
		"too many":    {`{}`, `{"search":{"query":"x","max_results":101}}`, adapter.TransformationFailed, "search.max_results: "},
		"later field": {`{}`, `{"search":{"query":"x","language":"de"}}`, adapter.TransformationFailed, "search.language: "},
		"no domain":   {`{}`, `{"search":{"query":"x","include_domains":["a.org OR b"]}}`, adapter.InvalidRequest, "search.include_domains: "},
		"endpoint":    {`{"endpoint":"images"}`, who, adapter.TransformationFailed, "must be search, news or scholar"},
		"clash":       {`{"extra_body":{"q":"y"}}`, who, adapter.TransformationFailed, "extra_body.q "},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || a.Code != row.code || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		status             int
		body, want, reason string
	}{
		"all": {200, `{"searchParameters":{"q":"x"},"answerBox":{"title":"T","answer":"42","snippet":"S"},"knowledgeGraph":{"description":"D"},"organic":[{"title":"A","link":"https://a","snippet":"s","date":"Jan 29, 2023","position":1},{"title":"B","link":"https://b"}],"credits":1}`,
			`{"search":{"hits":[{"title":"A","url":"https://a","text":"s","published":"Jan 29, 2023"},{"title":"B","url":"https://b"}],"answer":"42"},"usage":{"input_tokens":0,"output_tokens":0,"units":1}}`, ""},
		"snippet":        {200, `{"answerBox":{"snippet":"S"},"organic":[]}`, `{"search":{"hits":[],"answer":"S"}}`, ""},
		"graph":          {200, `{"knowledgeGraph":{"description":"D"},"organic":[]}`, `{"search":{"hits":[],"answer":"D"}}`, ""},
		"news":           {200, `{"news":[{"title":"N","link":"https://n","snippet":"s","date":"1 hour ago"}]}`, `{"search":{"hits":[{"title":"N","url":"https://n","text":"s","published":"1 hour ago"}]}}`, ""},
		"scholar":        {200, `{"organic":[{"title":"P","link":"https://p","year":2017}]}`, `{"search":{"hits":[{"title":"P","url":"https://p","published":"2017"}]}}`, ""},
		"nothing found":  {200, `{"searchParameters":{"q":"x"},"organic":null}`, `{"search":{"hits":[]}}`, ""},
		"error in a 200": {200, `{"message":"it broke"}`, "it broke", ""},
		"nonsense":       {200, `{}`, "no results", ""},
		"bad key":        {403, `{"message":"Unauthorized.","statusCode":403}`, "credentials", adapter.BadKey},
		"no credit":      {400, `{"message":"Not enough credits","statusCode":400}`, "out of credit", adapter.OutOfCredit},
		"limit":          {429, `{"message":"Too many requests"}`, "Too many", adapter.RateLimited},
	} {
		a := begin(`{}`, who).Respond(row.status, "application/json", row.body)
		if failed := a.Kind == adapter.ActionFail; failed && !strings.Contains(a.Message, row.want) || !failed && string(a.Data) != row.want || a.Reason != row.reason {
			t.Errorf("%s: %+v %s", name, a, a.Data)
		}
	}
}
