package poll_test

import (
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/plugins/internal/poll"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// printer prints on its own time: it is created by POST /jobs, and asked after until it says what came of it.
type printer struct{}

func (printer) Info() adapter.Info { return adapter.Info{Name: "printer"} }

func (printer) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind != adapter.KindStart {
		return poll.Step(state, ev, read)
	}
	c, err := normal.Start(ev, "payload")
	if err != nil {
		return adapter.Reply{}, err
	}
	p, err := poll.New(&c.Settings, poll.Pace{First: 100, Most: 300, Limit: 2})
	if err != nil {
		return adapter.Reply{}, err
	}
	w := poll.Work{Poll: p, Answer: normal.Answer{Warnings: []normal.Warning{{Parameter: "payload.x", Message: "is not taken"}}}}
	return w.Begin(normal.Post(c.Base+"/jobs", c.Body))
}

func read(w *poll.Work, body json.Value) ([]byte, error) {
	if !w.Created {
		w.Poll.URL = body.Get("at").Text()
	}
	if !body.Get("done").True() {
		return nil, nil
	}
	return w.Answer.Result("output", func(w *json.Writer) {}), nil
}

func begin(settings string) adapter.Reply {
	return adapter.Run(printer{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(`{"payload":{"x":1}}`),
		Contract: []byte(`{"base_url":"https://p","settings":` + settings + `}`)})
}

func respond(before adapter.Reply, status int, body string, headers ...adapter.Header) adapter.Reply {
	return adapter.Run(printer{}, before.State, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: []byte(body), Headers: headers})
}

func wake(before adapter.Reply) adapter.Reply {
	return adapter.Run(printer{}, before.State, &adapter.Event{Kind: adapter.KindTimer})
}

func TestTheWaitsGrowToABoundAndEnd(t *testing.T) {
	r := respond(begin(`{}`), 201, `{"at":"https://p/jobs/1"}`)
	var waits []uint32
	for r.Actions[0].Kind == adapter.ActionWait {
		waits = append(waits, r.Actions[0].DelayMS)
		if r = wake(r); r.Actions[0].Method != "GET" || r.Actions[0].URL != "https://p/jobs/1" {
			t.Fatalf("%+v", r.Actions)
		}
		r = respond(r, 200, `{}`)
	}
	sum := uint32(0)
	for i, ms := range waits {
		if sum += ms; i > 0 && i < len(waits)-1 && ms < waits[i-1] || ms > 300 {
			t.Errorf("waits of %v ms", waits)
		}
	}
	if waits[0] != 100 || sum != 2000 {
		t.Errorf("waits of %v ms", waits)
	}
	if a := r.Actions[0]; a.Kind != adapter.ActionFail || a.Code != adapter.Timeout || !strings.Contains(a.Message, "after 2 s") {
		t.Errorf("%+v", a)
	}
}

func TestWorkThatIsDoneAtOnceIsNotAskedAfter(t *testing.T) {
	a := respond(begin(`{}`), 201, `{"done":true}`).Actions[0]
	if want := `{"output":{},"warnings":[{"parameter":"payload.x","message":"is not taken"}]}`; a.Kind != adapter.ActionDone || string(a.Data) != want {
		t.Errorf("%+v %s", a, a.Data)
	}
}

func TestAQuestionThatFailsIsAskedAgain(t *testing.T) {
	r := wake(respond(begin(`{}`), 201, `{"at":"https://p/jobs/1"}`))
	for range 5 {
		if r = respond(r, 502, `<html>`); r.Actions[0].Kind != adapter.ActionWait {
			t.Fatalf("%+v", r.Actions)
		}
		r = wake(r)
	}
	if a := respond(r, 503, ``).Actions[0]; a.Kind != adapter.ActionFail || a.Code != adapter.Unavailable {
		t.Errorf("the sixth in a row: %+v", a)
	}
	if a := respond(wake(respond(begin(`{}`), 201, `{"at":"x"}`)), 429, ``, adapter.Header{Name: "retry-after", Value: "1"}).Actions[0]; a.DelayMS != 1000 {
		t.Errorf("Retry-After: 1 made a wait of %d ms", a.DelayMS)
	}
	r = wake(respond(r, 200, `{}`)) // an answer in between
	if a := respond(r, 502, ``).Actions[0]; a.Kind != adapter.ActionWait {
		t.Errorf("after an answer: %+v", a)
	}
	if a := respond(r, 404, `{"detail":"gone"}`).Actions[0]; a.Kind != adapter.ActionFail || a.Status != 404 {
		t.Errorf("not found: %+v", a)
	}
}

func TestTheCreationIsNotRepeated(t *testing.T) {
	if a := respond(begin(`{}`), 503, ``).Actions[0]; a.Kind != adapter.ActionFail || a.Status != 503 {
		t.Errorf("%+v", a)
	}
	if a := respond(begin(`{}`), 200, `{}`).Actions[0]; a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "where to ask") {
		t.Errorf("%+v", a)
	}
}

func TestThePaceIsAMatterOfSettings(t *testing.T) {
	if a := respond(begin(`{"poll_first_ms":7,"poll_most_ms":5}`), 200, `{"at":"x"}`).Actions[0]; a.DelayMS != 5 {
		t.Errorf("%+v", a)
	}
	for _, settings := range []string{`{"poll_first_ms":0}`, `{"poll_most_ms":-1}`, `{"poll_limit_s":86401}`} {
		if a := begin(settings).Actions[0]; a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "must be 1 to") {
			t.Errorf("%s: %+v", settings, a)
		}
	}
}
