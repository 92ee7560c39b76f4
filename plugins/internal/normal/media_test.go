package normal_test

import (
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func TestEscapeIsSafeInPathAndQuery(t *testing.T) {
	for s, want := range map[string]string{"": "", "aZ0-_.~": "aZ0-_.~", "a/b c&d=ä%": "a%2Fb%20c%26d%3D%C3%A4%25", "\x00\n": "%00%0A"} {
		if got := normal.Escape(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
	var q normal.Query
	q.Add("a", "")
	if q.String() != "" {
		t.Errorf("nothing added, and %q", q.String())
	}
	q.Add("a", "1&2")
	q.Add("b c", "3")
	if got := q.String(); got != "?a=1%262&b%20c=3" {
		t.Error(got)
	}
}

func TestTakesPassesOverWhatSaysNothing(t *testing.T) {
	begin := func(body string) error {
		c, err := normal.Start(&adapter.Event{Kind: adapter.KindStart, Intent: []byte(`{"image":` + body + `}`), Contract: []byte(`{"base_url":"https://x"}`)}, "image")
		if err != nil {
			t.Fatal(err)
		}
		return c.Takes("prompt")
	}
	if err := begin(`{"prompt":"x","size":"","images":[],"count":null,"flag":false}`); err != nil {
		t.Error(err)
	}
	for _, body := range []string{`{"seed":0}`, `{"size":"1x1"}`, `{"images":[{}]}`, `{"flag":true}`} {
		if err := begin(body); err == nil {
			t.Errorf("%s was passed over", body)
		}
	}
}

func TestExtendRefusesToSayTwice(t *testing.T) {
	body, err := normal.Extend([]byte(`{"a":1}`), "extra_body", json.Value(`{"b":[2]}`))
	if err != nil || string(body) != `{"a":1,"b":[2]}` {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := normal.Extend([]byte(`{"a":null}`), "extra_body", json.Value(`{"a":2}`)); err == nil {
		t.Error("a field that the request has was said again")
	}
}

func TestComplaintsUnderDetail(t *testing.T) {
	for body, want := range map[string][2]string{
		`{"detail":"gone"}`: {"gone", ""},
		`{"detail":{"status":"quota_exceeded","message":"no credits"}}`:         {"no credits", "quota_exceeded"},
		`{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}`: {"field required", "missing"},
		`{"detail":{"error":"Unauthorized"}}`:                                   {"Unauthorized", ""},
		`"only a text"`:                                                         {"only a text", ""},
		`{}`:                                                                    {"", ""},
	} {
		if said, code := normal.Complaint(json.Value(body)); said != want[0] || code != want[1] {
			t.Errorf("%s: %q, %q", body, said, code)
		}
	}
}

func TestAFileHasAnEndingByItsMediaType(t *testing.T) {
	for media, want := range map[string]string{"audio/x-wav": "audio.wav", "AUDIO/MPEG": "audio.mp3", "audio/ogg; codecs=opus": "audio.ogg", "": "audio", "text/plain": "audio"} {
		if got := normal.AudioName(media); got != want {
			t.Errorf("%q: %s, want %s", media, got, want)
		}
	}
}

func TestWhatIsBase64(t *testing.T) {
	for s, want := range map[string]bool{"": true, "aGk=": true, "aGk": true, "a-_k": true, "...": false, "a": false, "aGk\n": false} {
		if normal.IsBase64(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
