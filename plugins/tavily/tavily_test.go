package tavily_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/tavily"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(tavily.Adapter{}, "https://api.tavily.com", settings, intent, false)
}

const who = `{"search":{"query":"who?","include_domains":[],"exclude_domains":[]}}`

func Example() {
	call := begin(`{"answer":"basic","extra_body":{"topic":"news"}}`, `{"search":{"query":"who?","max_results":3,"include_domains":["arxiv.org"],"exclude_domains":[]}}`).Last()
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://api.tavily.com/search
	// {"query":"who?","max_results":3,"include_domains":["arxiv.org"],"include_answer":"basic","include_usage":true,"topic":"news"}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"too many":    {`{}`, `{"search":{"query":"x","max_results":21}}`, "search.max_results: the provider gives at most 20"},
		"later field": {`{}`, `{"search":{"query":"x","language":"de"}}`, "search.language: "},
		"answer":      {`{"answer":"long"}`, who, "answer must be basic or advanced"},
		"clash":       {`{"extra_body":{"query":"y"}}`, who, "extra_body.query"},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || a.Code != adapter.TransformationFailed || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		status             int
		body, want, reason string
	}{
		"all": {200, `{"query":"who?","answer":"Him.","results":[{"title":"T","url":"https://x","content":"C","score":0.95,"raw_content":"R","published_date":"Mon"},{"title":null,"url":"https://y","content":null,"score":null,"raw_content":"R"}],"request_id":"r","usage":{"credits":1}}`,
			`{"search":{"hits":[{"title":"T","url":"https://x","text":"C","score":0.95,"published":"Mon"},{"title":"","url":"https://y","text":"R"}],"answer":"Him."},"usage":{"input_tokens":0,"output_tokens":0,"units":1},"id":"r"}`, ""},
		"nothing found":  {200, `{"answer":null,"results":[]}`, `{"search":{"hits":[]}}`, ""},
		"error in a 200": {200, `{"detail":{"error":"it broke"}}`, "it broke", ""},
		"no results":     {200, `{}`, "no results", ""},
		"bad request":    {400, `{"detail":{"error":"Invalid topic."}}`, "Invalid topic.", adapter.BadRequest},
		"bad key":        {401, `{"detail":{"error":"Unauthorized: missing or invalid API key."}}`, "credentials", adapter.BadKey},
		"limit":          {429, `{"detail":{"error":"blocked due to excessive requests"}}`, "excessive", adapter.RateLimited},
		"plan":           {432, `{"detail":{"error":"This request exceeds your plan's set usage limit."}}`, "usage limit", adapter.OutOfCredit},
		"pay as you go":  {433, `{"detail":{"error":"This request exceeds the pay-as-you-go limit."}}`, "pay-as-you-go", adapter.OutOfCredit},
	} {
		a := begin(`{}`, who).Respond(row.status, "application/json", row.body)
		if failed := a.Kind == adapter.ActionFail; failed && !strings.Contains(a.Message, row.want) || !failed && string(a.Data) != row.want || a.Reason != row.reason {
			t.Errorf("%s: %+v %s", name, a, a.Data)
		}
	}
}
