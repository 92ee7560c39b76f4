package adapter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// upper asks a service for the intent in capitals: ten lines are an adapter.
type upper struct{}

func (upper) Info() Info { return Info{Name: "upper", Version: "1.0.0"} }

func (upper) Step(state []byte, ev *Event) (Reply, error) {
	if ev.Kind == KindStart {
		return Do(HTTP("POST", "https://example.com/upper", ev.Intent)), nil
	}
	return Do(Done(ev.Body)), CheckStatus(ev.Status)
}

func Example() {
	start := Run(upper{}, nil, &Event{Kind: KindStart, Intent: []byte(`{"payload":{"text":"hi"}}`)})
	call := start.Actions[0]
	fmt.Println(call.Method, call.URL, string(call.Body))

	good := Run(upper{}, start.State, &Event{Kind: KindResponse, Status: 200, Body: []byte(`{"output":{"text":"HI"}}`)})
	fmt.Println(string(good.Actions[0].Data))

	bad := Run(upper{}, start.State, &Event{Kind: KindResponse, Status: 429})
	fmt.Println(bad.Actions[0].Code, bad.Actions[0].Retryable, bad.Actions[0].Message)
	// Output:
	// POST https://example.com/upper {"payload":{"text":"hi"}}
	// {"output":{"text":"HI"}}
	// EXECUTION_FAILED true the provider's rate limit is reached, status 429
}

// script is an adapter whose step is a function.
type script func(state []byte, ev *Event) (Reply, error)

func (script) Info() Info { return Info{Name: "script", Version: "1.0.0"} }

func (s script) Step(state []byte, ev *Event) (Reply, error) { return s(state, ev) }

func TestErrorsAndPanicsBecomeFailures(t *testing.T) {
	var none []int
	for name, row := range map[string]struct {
		step    script
		code    string
		message string
	}{
		"error":   {func([]byte, *Event) (Reply, error) { return Do(Done(nil)), errors.New("no") }, ExecutionFailed, "no"},
		"failure": {func([]byte, *Event) (Reply, error) { return Reply{}, Unsupported("chat.seed", "is not taken") }, TransformationFailed, "chat.seed: is not taken"},
		"wrapped": {func([]byte, *Event) (Reply, error) {
			return Reply{}, fmt.Errorf("outer: %w", &Failure{Code: Timeout, Message: "slow"})
		}, Timeout, "slow"},
		"panic": {func([]byte, *Event) (Reply, error) { return Do(Wait(uint32(none[3]))), nil }, ExecutionFailed, "index out of range"},
		"word":  {func([]byte, *Event) (Reply, error) { panic("lost") }, ExecutionFailed, "lost"},
		"odd":   {func([]byte, *Event) (Reply, error) { panic(7) }, ExecutionFailed, "no text"},
	} {
		reply := Run(row.step, nil, &Event{Kind: KindStart})
		if len(reply.Actions) != 1 {
			t.Errorf("%s: %d actions", name, len(reply.Actions))
			continue
		}
		if a := reply.Actions[0]; a.Kind != ActionFail || a.Code != row.code || !strings.Contains(a.Message, row.message) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnEventOfALaterABIIsNotHandedToTheAdapter(t *testing.T) {
	called := false
	reply := Run(script(func([]byte, *Event) (Reply, error) { called = true; return Reply{}, nil }), nil, &Event{Kind: 77})
	if called || reply.Actions[0].Kind != ActionFail || !strings.Contains(reply.Actions[0].Message, "77") {
		t.Errorf("called %v, %+v", called, reply)
	}
}

func TestAnAdapterThatIsNotThereIsNamed(t *testing.T) {
	var in, out Encoder
	encodeCall(&in, call{adapter: "ghost", event: Event{Kind: KindStart}})
	step(&out, []Adapter{upper{}}, in.Bytes())
	if !strings.Contains(string(out.Bytes()), "ghost") {
		t.Errorf("%q", out.Bytes())
	}
}

func TestServeRefusesBadNames(t *testing.T) {
	for _, adapters := range [][]Adapter{{upper{}, upper{}}, {named("")}, {named("Upper")}, {named("a b")}, {named(strings.Repeat("a", 65))}} {
		served = nil
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v were served", adapters)
				}
			}()
			Serve(adapters...)
		}()
	}
	served = nil
	Serve(upper{}, named("other"))
	served = nil
}

type named string

func (n named) Info() Info { return Info{Name: string(n)} }

func (named) Step([]byte, *Event) (Reply, error) { return Reply{}, nil }

func TestStatusFailureNeverRepeatsWhatIsSaidOfCredentials(t *testing.T) {
	for _, status := range []int{401, 403} {
		if f := StatusFailure(status, "bad key sk-1234"); strings.Contains(f.Message, "sk-") || !f.Retryable || f.Status != status {
			t.Errorf("%+v", f)
		}
	}
	for status, retry := range map[int]bool{301: true, 400: false, 404: true, 408: true, 409: false, 422: false, 429: true, 500: true, 501: true, 503: true, 529: true} {
		if f := StatusFailure(status, "why"); f.Retryable != retry || !strings.HasSuffix(f.Message, ": why") {
			t.Errorf("%d: %+v", status, f)
		}
	}
	if err := CheckStatus(204); err != nil {
		t.Error(err)
	}
	long := StatusFailure(400, strings.Repeat("é", 1000)).Message
	if len(long) > 600 || !strings.HasSuffix(long, "é...") {
		t.Errorf("%d bytes, ending %q", len(long), long[len(long)-8:])
	}
}

// Frames that come together are answered as if they had come one after the other, up to the one that ends it.
func TestSeveralFrames(t *testing.T) {
	s := script(func(state []byte, ev *Event) (Reply, error) {
		switch text := string(ev.Data); text {
		case "end":
			return Do(Done(append(state, ev.Name...))), nil
		case "break":
			return Reply{}, errors.New("broken")
		default:
			return Reply{State: append(state, text...), Actions: []Action{Emit(ev.Data)}}, nil
		}
	})
	run := func(list ...string) string {
		ev := &Event{Kind: KindFrame, Data: []byte(list[0])}
		for _, data := range list[1:] {
			ev.more = append(ev.more, Frame{"named", []byte(data)})
		}
		reply := Run(s, nil, ev)
		said := ""
		for _, a := range reply.Actions {
			said += fmt.Sprint(a.Kind) + string(a.Data) + a.Message + " "
		}
		return said + "state " + string(reply.State)
	}
	for want, list := range map[string][]string{
		"3a state a":            {"a"},
		"3a 3b 3c state abc":    {"a", "b", "c"},
		"3a 3b 4abnamed state ": {"a", "b", "end", "c"},
		"3a 5broken state ":     {"a", "break", "c"},
		"5broken state ":        {"break", "a"},
	} {
		if got := run(list...); got != want {
			t.Errorf("%v: %s, want %s", list, got, want)
		}
	}
}
