package conformance

import (
	"encoding/json"
	"fmt"

	"github.com/smarthausgroup/caio/plugins/serper"
	"github.com/smarthausgroup/caio/plugins/tavily"
)

// Serper is Serper's.
func Serper() Provider {
	return Provider{
		Name: "serper", Adapter: serper.Adapter{}, Contract: "serper.yaml", Evidence: "third-party specification",
		Settings: searchSettings("q", "num"), Intent: searchIntent("q", "num"), Hello: searchHello, Want: serperWant,
	}
}

// Tavily is Tavily's.
func Tavily() Provider {
	return Provider{
		Name: "tavily", Adapter: tavily.Adapter{}, Contract: "tavily.yaml", Evidence: "official specification, by way of a mirror",
		Settings: func(x *Exchange) map[string]any {
			settings := searchSettings("query", "max_results")(x)
			settings["answer"] = ""
			return settings
		},
		Intent: searchIntent("query", "max_results"), Hello: searchHello, Want: tavilyWant,
	}
}

func searchHello(*Exchange) map[string]any {
	return map[string]any{"search": map[string]any{"query": "OpenTelemetry"}}
}

// searchSettings are what of a recorded request is no intent's: all but the query, the number and the domains. A key in the
// body is the host's affair, and put into a header.
func searchSettings(query, number string) func(x *Exchange) map[string]any {
	return func(x *Exchange) map[string]any {
		body, extra := map[string]any{}, map[string]any{}
		if x.Request != nil && len(x.Request.Body) > 0 && json.Unmarshal(x.Request.Body, &body) != nil {
			body = nil
		}
		for name, v := range body {
			switch name {
			case query, number, "include_domains", "exclude_domains", "api_key":
			default:
				extra[name] = v
			}
		}
		return map[string]any{"extra_body": extra}
	}
}

func searchIntent(query, number string) func(x *Exchange) (map[string]any, bool, string) {
	return func(x *Exchange) (map[string]any, bool, string) {
		var body map[string]any
		if err := json.Unmarshal(x.Request.Body, &body); err != nil {
			return nil, false, "the recorded request cannot be read"
		}
		if body[query] == "" {
			return nil, false, "a search has a query"
		}
		search := map[string]any{"query": body[query]}
		if n, ok := body[number]; ok {
			search["max_results"] = n
		}
		for _, name := range []string{"include_domains", "exclude_domains"} {
			if v, ok := body[name]; ok {
				search[name] = v
			}
		}
		return map[string]any{"search": search}, false, ""
	}
}

func tavilyWant(x *Exchange) (*Want, string, error) {
	if x.Response.Status > 299 {
		return &Want{Fail: true, Reason: statusReason(x.Response.Status)}, "", nil
	}
	var body struct {
		Answer  string
		Results []struct {
			Title, URL, Content string
			Score               *float64
		}
	}
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	want := &Want{}
	for _, r := range body.Results {
		want.Hits = append(want.Hits, Hit{r.Title, r.URL})
	}
	want.Other = func(result map[string]any) error {
		search, _ := result["search"].(map[string]any)
		hits, _ := search["hits"].([]any)
		for i, r := range body.Results {
			hit, _ := hits[i].(map[string]any)
			if text, _ := hit["text"].(string); text != r.Content {
				return fmt.Errorf("hit %d says %q, want %q", i, clipped(text), clipped(r.Content))
			}
			if score, _ := hit["score"].(float64); r.Score != nil && score != *r.Score {
				return fmt.Errorf("hit %d has score %v, want %v", i, score, *r.Score)
			}
		}
		return sameAnswer(search, body.Answer)
	}
	return want, "", nil
}

func serperWant(x *Exchange) (*Want, string, error) {
	if x.Response.Status > 299 {
		return &Want{Fail: true, Reason: statusReason(x.Response.Status)}, "", nil
	}
	var body struct {
		Organic   []struct{ Title, Link string }
		AnswerBox struct{ Answer, Snippet string }
		Graph     struct{ Description string } `json:"knowledgeGraph"`
	}
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	want := &Want{}
	for _, r := range body.Organic {
		want.Hits = append(want.Hits, Hit{r.Title, r.Link})
	}
	answer := body.AnswerBox.Answer
	if answer == "" {
		answer = body.AnswerBox.Snippet
	}
	if answer == "" {
		answer = body.Graph.Description
	}
	want.Other = func(result map[string]any) error {
		search, _ := result["search"].(map[string]any)
		return sameAnswer(search, answer)
	}
	return want, "", nil
}

func sameAnswer(search map[string]any, answer string) error {
	if got, _ := search["answer"].(string); got != answer {
		return fmt.Errorf("the answer is %q, want %q", got, answer)
	}
	return nil
}

// statusReason is what a status means that means the same everywhere; empty for any other.
func statusReason(status int) string {
	return map[int]string{
		400: "bad_request", 401: "bad_key", 402: "out_of_credit", 429: "rate_limited", 432: "out_of_credit", 433: "out_of_credit",
	}[status]
}
