package voyage_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/voyage"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(voyage.Adapter{}, "https://api.example.com", settings, intent, true)
}

func Example() {
	call := begin(`{"models":["voyage-3.5"]}`, `{"embedding":{"input":["Bonjour"],"purpose":"query"}}`).Last()
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://api.example.com/v1/embeddings
	// {"model":"voyage-3.5","input":["Bonjour"],"input_type":"query","encoding_format":"base64"}
}

func TestWhatIsAsked(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, url, body string }{
		"dimensions": {`{"encoding_format":"","extra_body":{"truncation":false}}`, `{"embedding":{"model":"m","input":["a","b"],"dimensions":256,"purpose":""}}`, "/v1/embeddings", `{"model":"m","input":["a","b"],"output_dimension":256,"truncation":false}`},
		"small":      {`{"extra_body":{"output_dtype":"int8"}}`, `{"embedding":{"model":"m","input":["a"]}}`, "/v1/embeddings", `{"model":"m","input":["a"],"output_dtype":"int8"}`},
		"rerank":     {`{}`, `{"rerank":{"model":"m","query":"q","documents":["a","b"],"top_n":1}}`, "/v1/rerank", `{"model":"m","query":"q","documents":["a","b"],"top_k":1}`},
		"all":        {`{}`, `{"rerank":{"model":"m","query":"q","documents":["a"],"top_n":null}}`, "/v1/rerank", `{"model":"m","query":"q","documents":["a"]}`},
	} {
		a := begin(row.settings, row.intent).Last()
		if a.URL != "https://api.example.com"+row.url || string(a.Body) != row.body || a.Framing != "" {
			t.Errorf("%s: %s %s %s", name, a.URL, a.Body, a.Message)
		}
	}
	if a := play.Begin(voyage.Adapter{}, "https://api.example.com/v1/", `{"model":"m"}`, `{"embedding":{"input":["a"]}}`, false).Last(); a.URL != "https://api.example.com/v1/embeddings" {
		t.Errorf("with a version in base_url: %s", a.URL)
	}
}

func TestWhatIsRefusedIsNamed(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":        {`{}`, `{"embedding":{"input":["x"]}}`, "embedding.model: neither"},
		"unknown setting": {`{"modell":"m"}`, `{"embedding":{"input":["x"]}}`, "adapter.settings.modell is not known"},
		"encoding":        {`{"encoding_format":"hex"}`, `{"embedding":{"input":["x"]}}`, "adapter.settings.encoding_format is neither"},
		"clash":           {`{"model":"m","extra_body":{"input":[]}}`, `{"embedding":{"input":["x"]}}`, "adapter.settings.extra_body.input is what"},
		"other intent":    {`{"model":"m"}`, `{"chat":{}}`, "intent.chat: this adapter does embedding, rerank"},
		"purpose":         {`{"model":"m"}`, `{"embedding":{"input":["x"],"purpose":"clustering"}}`, "embedding.purpose: "},
		"later parameter": {`{"model":"m"}`, `{"embedding":{"input":["x"],"mood":1}}`, "embedding.mood: "},
		"no text":         {`{"model":"m"}`, `{"embedding":{"input":[]}}`, "embedding.input: "},
		"later rerank":    {`{"model":"m"}`, `{"rerank":{"query":"q","documents":["x"],"mood":1}}`, "rerank.mood: "},
		"no documents":    {`{"model":"m"}`, `{"rerank":{"query":"q","documents":[]}}`, "rerank.documents: "},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || !strings.HasPrefix(a.Message, row.says) {
			t.Errorf("%s: %+v %s", name, a, a.Body)
		}
	}
}

func TestAnswers(t *testing.T) {
	two, order := `{"unsupported":"warn","embedding":{"input":["a","b"],"purpose":"similarity"}}`, `{"rerank":{"query":"q","documents":["a","b"]}}`
	warned := `,"warnings":[{"parameter":"embedding.purpose","message":"the API makes vectors for queries and documents, or for whatever is not stated"}]}`
	for name, row := range map[string]struct {
		intent             string
		status             int
		body, want, reason string
	}{
		"by index":      {two, 200, `{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"model":"m-1","usage":{"total_tokens":3}}`, `{"embedding":{"vectors":[{"values":[1]},{"values":[2]}]},"usage":{"input_tokens":3,"output_tokens":0},"model":"m-1"` + warned, ""},
		"base64":        {two, 200, `{"data":[{"embedding":"AACAPw=="},{"embedding":"AAAAQA=="}],"usage":null}`, `{"embedding":{"vectors":[{"values":[1]},{"values":[2]}]}` + warned, ""},
		"two for one":   {two, 200, `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`, "two for one", ""},
		"too few":       {two, 200, `{"data":[{"index":0,"embedding":[1]}]}`, "1 vectors for 2 texts", ""},
		"no vector":     {two, 200, `{"data":[{"index":0},{"index":1}]}`, "without a vector", ""},
		"order":         {order, 200, `{"data":[{"index":1,"relevance_score":0.50},{"index":0,"relevance_score":0.1}],"usage":{"total_tokens":3}}`, `{"rerank":{"ranked":[{"index":1,"score":0.50},{"index":0,"score":0.1}]},"usage":{"input_tokens":3,"output_tokens":0}}`, ""},
		"what document": {order, 200, `{"data":[{"index":2,"relevance_score":1}]}`, "not sent", ""},
		"no data":       {order, 200, `{}`, "has no data", ""},
		"inside a 200":  {order, 200, `{"detail":"boom"}`, "boom", ""},
		"not JSON":      {order, 200, `oops`, "not JSON", ""},
		"no model":      {order, 400, `{"detail":"Model x is not supported. Supported models are ['y']."}`, "Supported models", adapter.ModelNotFound},
		"too many":      {order, 400, `{"detail":"The batch size limit is 128."}`, "batch size", adapter.BadRequest},
		"bad key":       {order, 401, `{"detail":"Provided API key is invalid: sk-1"}`, "credentials", adapter.BadKey},
		"rate limit":    {order, 429, `{"detail":"slow down"}`, "slow down", adapter.RateLimited},
	} {
		a := begin(`{"model":"m"}`, row.intent).Respond(row.status, "application/json", row.body)
		if got := string(a.Data) + a.Message; got != row.want && (a.Kind != adapter.ActionFail || !strings.Contains(got, row.want)) || a.Reason != row.reason || strings.Contains(got, "sk-") {
			t.Errorf("%s: %s (%s), want %s", name, got, a.Reason, row.want)
		}
	}
}
