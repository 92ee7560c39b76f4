package m365_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/m365"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	intent = strings.Replace(intent, "{", `{"domain":"M365",`, 1)
	return play.Begin(m365.Adapter{}, "https://graph.microsoft.com", settings, intent, true)
}

func TestOnlyWhatIsAboutMicrosoft365IsAskedThere(t *testing.T) {
	for domain, asked := range map[string]bool{`"M365"`: true, `"m365"`: true, `""`: false, `"finance"`: false, `null`: false} {
		p := play.Begin(m365.Adapter{}, "https://graph.microsoft.com", `{}`, `{"domain":`+domain+`,"search":{"query":"x"}}`, false)
		if a := p.Last(); (a.Kind == adapter.ActionHTTP) != asked || !asked && !strings.Contains(a.Message, "intent.domain: ") {
			t.Errorf("%s: %+v", domain, a)
		}
	}
}

// Example is the reference's own exchange, in short.
func Example() {
	p := begin(`{"time_zone":"America/New_York"}`, `{"chat":{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"What meeting do I have at 9 AM?"}]}}`)
	fmt.Println(p.Last().Method, p.Last().URL, string(p.Last().Body))
	call := p.Respond(201, "application/json", `{"id":"0d11","state":"active","turnCount":0}`)
	fmt.Println(call.Method, call.URL, string(call.Body))
	a := p.Respond(200, "application/json", `{"id":"0d11","state":"active","turnCount":1,"messages":[{"text":"What meeting do I have at 9 AM?","attributions":[]},{"text":"The standup.","attributions":[{"attributionType":"citation","seeMoreWebUrl":"https://teams"}]}]}`)
	fmt.Println(string(a.Data))
	// Output:
	// POST https://graph.microsoft.com/beta/copilot/conversations {}
	// POST https://graph.microsoft.com/beta/copilot/conversations/0d11/chat {"message":{"text":"What meeting do I have at 9 AM?"},"additionalContext":[{"text":"Be brief."}],"locationHint":{"timeZone":"America/New_York"}}
	// {"chat":{"message":{"role":"assistant","content":"The standup."},"finish_reason":"stop"},"metadata":{"attributions":[{"attributionType":"citation","seeMoreWebUrl":"https://teams"}]},"id":"0d11"}
}

func TestWhatWasSaidBeforeGoesAlong(t *testing.T) {
	p := begin(`{"web":false}`, `{"chat":{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Sum it up","parts":[{"url":"https://c.sharepoint.com/a.docx"}]}]}}`)
	call := p.Respond(201, "", `{"id":"c"}`)
	want := `{"message":{"text":"Sum it up"},"additionalContext":[{"text":"user: Hi"},{"text":"assistant: Hello"}],"locationHint":{"timeZone":"UTC"},` +
		`"contextualResources":{"files":[{"uri":"https://c.sharepoint.com/a.docx"}],"webContext":{"isWebEnabled":false}}}`
	if string(call.Body) != want {
		t.Errorf("%s %s", call.Body, call.Message)
	}
	a := p.Respond(200, "", `{"state":"disengagedForRai","messages":[{"text":"Sum it up"}]}`)
	if got := string(a.Data); !strings.Contains(got, `"content":""`) || !strings.Contains(got, `"finish_reason":"content_filter"`) {
		t.Errorf("%s %s", got, a.Message)
	}
}

func TestASearch(t *testing.T) {
	p := begin(`{"entity_types":["driveItem","listItem"],"region":"EUR"}`, `{"search":{"query":"contoso","max_results":25}}`)
	if got, want := string(p.Last().Body), `{"requests":[{"entityTypes":["driveItem","listItem"],"query":{"queryString":"contoso"},"size":25,"region":"EUR"}]}`; got != want || p.Last().URL != "https://graph.microsoft.com/v1.0/search/query" {
		t.Errorf("%s %s", p.Last().URL, got)
	}
	a := p.Respond(200, "", `{"value":[{"searchTerms":["contoso"],"hitsContainers":[{"total":2,"moreResultsAvailable":false,"hits":[
		{"hitId":"1","rank":1,"summary":"<c0>Contoso</c0> plan<ddd/>","resource":{"@odata.type":"#microsoft.graph.driveItem","name":"Plan.docx","webUrl":"https://c/Plan.docx","lastModifiedDateTime":"2026-01-02T00:00:00Z"}},
		{"hitId":"2","rank":2,"resource":{"subject":"Re: plan","webLink":"https://mail/2","bodyPreview":"ok","receivedDateTime":"2026-01-01T00:00:00Z"}}]}]}]}`)
	want := `{"search":{"hits":[{"title":"Plan.docx","url":"https://c/Plan.docx","text":"Contoso plan...","published":"2026-01-02T00:00:00Z"},{"title":"Re: plan","url":"https://mail/2","text":"ok","published":"2026-01-01T00:00:00Z"}]}}`
	if string(a.Data) != want {
		t.Errorf("%s %s", a.Data, a.Message)
	}
	if a := begin(`{}`, `{"search":{"query":"x"}}`).Respond(200, "", `{"value":[{"hitsContainers":[{"total":0}]}]}`); string(a.Data) != `{"search":{"hits":[]}}` {
		t.Errorf("%s %s", a.Data, a.Message)
	}
}

const paths = `{"paths":["GET /v1.0/me/messages","POST /v1.0/users/*/sendMail","GET /v1.0/sites/**"]}`

func TestACallThatTheContractAllows(t *testing.T) {
	for payload, want := range map[string]string{
		`{"path":"/v1.0/me/messages","query":{"$top":5,"$filter":"isRead eq false"}}`:              "GET /v1.0/me/messages?%24top=5&%24filter=isRead%20eq%20false ",
		`{"method":"post","path":"/v1.0/users/a@b.com/sendMail","body":{"message":{}}}`:            `POST /v1.0/users/a@b.com/sendMail {"message":{}}`,
		`{"method":"GET","path":"/v1.0/sites/root/drive/root:/a b.docx:/permissions","body":null}`: "GET /v1.0/sites/root/drive/root:/a%20b.docx:/permissions ",
	} {
		call := begin(paths, `{"payload":`+payload+`}`).Last()
		if got := call.Method + " " + strings.TrimPrefix(call.URL, "https://graph.microsoft.com") + " " + string(call.Body); got != want {
			t.Errorf("%s: %s %s", payload, got, call.Message)
		}
	}
	p := begin(paths, `{"payload":{"path":"/v1.0/me/messages"}}`)
	if a := p.Respond(200, "", `{"value":[{"id":"1"}]}`); string(a.Data) != `{"output":{"value":[{"id":"1"}]}}` {
		t.Errorf("%s %s", a.Data, a.Message)
	}
	p = begin(paths, `{"payload":{"method":"POST","path":"/v1.0/users/u/sendMail"}}`)
	if a := p.Respond(202, "", ``); string(a.Data) != `{"output":{}}` {
		t.Errorf("%s %s", a.Data, a.Message)
	}
}

// TestACallThatTheContractDoesNotAllow tries to get out of the list.
func TestACallThatTheContractDoesNotAllow(t *testing.T) {
	for _, payload := range []string{
		`{"method":"DELETE","path":"/v1.0/me/messages"}`,
		`{"path":"/v1.0/me/messages/1"}`,
		`{"path":"/v1.0/me"}`,
		`{"path":"/v1.0/sites"}`,
		`{"path":"/v1.0/sites/../users"}`,
		`{"path":"/v1.0/sites/./x"}`,
		`{"path":"/v1.0/sites/%2e%2e/users"}`,
		`{"path":"/v1.0/sites/..%2fusers"}`,
		`{"path":"/v1.0/sites/..\\users"}`,
		`{"path":"//evil.example.com/v1.0/sites/x"}`,
		`{"path":"/v1.0/sites//x"}`,
		`{"path":"@evil.example.com/v1.0/sites/x"}`,
		`{"path":"/v1.0/sites/x?$select=id"}`,
		`{"path":"/v1.0/sites/x#y"}`,
		`{"path":"/v1.0/sites/x\r\ny"}`,
		`{"method":"POST","path":"/v1.0/users/a/b/sendMail"}`,
		`{"method":"POST","path":"/V1.0/users/a/sendMail"}`,
		`{"method":"TRACE","path":"/v1.0/me/messages"}`,
		`{}`,
	} {
		if a := begin(paths, `{"payload":`+payload+`}`).Last(); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "payload.path: ") && !strings.Contains(a.Message, "payload.method: ") {
			t.Errorf("%s: %+v", payload, a)
		}
	}
	if a := begin(`{}`, `{"payload":{"path":"/v1.0/me"}}`).Last(); a.Kind != adapter.ActionFail {
		t.Errorf("without a list: %+v", a)
	}
	if a := begin(`{"paths":["/v1.0/me"]}`, `{"payload":{"path":"/v1.0/me"}}`).Last(); !strings.Contains(a.Message, "adapter.settings.paths must be") {
		t.Errorf("a bad list: %+v", a)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ intent, says string }{
		"temperature": {`{"chat":{"messages":[{"role":"user","content":"x"}],"temperature":0}}`, "chat.temperature: "},
		"tools":       {`{"chat":{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f"}]}}`, "chat.tools: "},
		"data":        {`{"chat":{"messages":[{"role":"user","parts":[{"media_type":"image/png","data":"AA=="}]}]}}`, "chat.messages[0].parts[0].data: "},
		"no question": {`{"chat":{"messages":[{"role":"system","content":"x"}]}}`, "chat.messages[0]: the last message must be a user's"},
		"domains":     {`{"search":{"query":"x","include_domains":["a.org"]}}`, "search.include_domains: "},
		"too many":    {`{"search":{"query":"x","max_results":501}}`, "search.max_results: "},
		"other field": {`{"payload":{"path":"/v1.0/me","headers":{"a":"b"}}}`, "payload.headers: "},
	} {
		if a := begin(`{}`, row.intent).Last(); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for name, row := range map[string]struct {
		status             int
		body, reason, says string
	}{
		"token":        {401, `{"error":{"code":"InvalidAuthenticationToken","message":"Access token is empty eyJ0"}}`, adapter.BadKey, "credentials"},
		"throttled":    {429, `{"error":{"code":"TooManyRequests","message":"Please retry again later."}}`, adapter.RateLimited, "retry again"},
		"bad request":  {400, `{"error":{"code":"BadRequest","message":"Invalid entity type"}}`, adapter.BadRequest, "Invalid entity type"},
		"inside a 200": {200, `{"error":{"code":"generalException","message":"it broke"}}`, "", "it broke"},
		"no results":   {200, `{}`, "", "no results"},
		"no JSON":      {200, `PK`, "", "JSON"},
	} {
		if a := begin(`{}`, `{"search":{"query":"x"}}`).Respond(row.status, "", row.body); a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := begin(`{}`, `{"chat":{"messages":[{"role":"user","content":"x"}]}}`).Respond(201, "", `{}`); !strings.Contains(a.Message, "no conversation") {
		t.Errorf("%+v", a)
	}
	p := begin(`{}`, `{"chat":{"messages":[{"role":"user","content":"x"}]}}`)
	p.Respond(201, "", `{"id":"c"}`)
	if a := p.Respond(200, "", `{"messages":[{"text":"x"}]}`); !strings.Contains(a.Message, "no answer") {
		t.Errorf("%+v", a)
	}
}
