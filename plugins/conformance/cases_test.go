package conformance

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/sdk/adaptertest"
)

var casesDir = flag.String("cases", "", "directory to write each exchange to that was read right, as a case for 'caio adapter test'")

// writeCase keeps an exchange that was read right for the compiled module, in the host: it must come to the same there.
func (r *run) writeCase(t *testing.T, x *Exchange, play adaptertest.Play, out *adaptertest.Outcome) {
	t.Helper()
	if *casesDir == "" || t.Failed() {
		return
	}
	var contract struct {
		BaseURL  string         `json:"base_url"`
		Settings map[string]any `json:"settings"`
	}
	if err := json.Unmarshal(play.Contract, &contract); err != nil {
		t.Fatal(err)
	}
	var answers []any
	for i, call := range out.Calls {
		answers = append(answers, recorded(play.Answer(i, call)))
	}
	want := map[string]any{"outcome": "result", "result": json.RawMessage(out.Result)}
	if f := out.Failure; f != nil {
		want = map[string]any{"outcome": "error", "error": map[string]any{"reason": f.Reason, "retryable": f.Retryable, "code": f.Code}}
	}
	raw := marshal(t, map[string]any{
		"adapter": r.Adapter.Info().Name, "contract": contract, "intent": json.RawMessage(play.Intent), "stream": play.Stream,
		"answers": answers, "want": want,
	})
	file := strings.ReplaceAll(r.Name+"-"+filepath.Base(x.ID), "/", "-") + ".json"
	if err := os.WriteFile(filepath.Join(*casesDir, file), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// recorded is an answer as a case has it: with the one body that it has.
func recorded(r *Response) map[string]any {
	headers := maps.Clone(r.Headers)
	out := map[string]any{"status": r.Status, "headers": headers}
	switch {
	case r.Stream != "":
		out["stream"] = r.Stream
	case r.Text != "":
		out["body_text"] = r.Text
	case r.Base64 != nil:
		out["body_base64"] = r.Base64
	case r.Body != nil:
		out["body_text"] = string(r.Body) // as it is: encoding/json would take its white space away
		if headers == nil {
			headers = map[string]string{}
			out["headers"] = headers
		}
		if r.Header("Content-Type") == "" {
			headers["Content-Type"] = "application/json"
		}
	}
	return out
}
