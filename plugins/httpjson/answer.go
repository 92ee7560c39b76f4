package httpjson

import (
	"errors"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// finish turns an answer into a result.
func finish(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	s, err := recall(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	answer, err := json.Parse(ev.Body)
	if ev.Status < 200 || ev.Status > 299 {
		said := ""
		if err == nil {
			said = message(answer, s)
		}
		return adapter.Reply{}, adapter.StatusFailure(ev.Status, said)
	}
	if err != nil {
		return adapter.Reply{}, failed(ev, "the service's answer is "+err.Error())
	}
	if failure := answer.Pointer(s.failure); s.hasFailure && failure.Exists() {
		return adapter.Reply{}, failed(ev, "the service answered with an error: "+describe(failure))
	}
	found := answer.Pointer(s.output)
	if found == nil {
		return adapter.Reply{}, failed(ev, "the service's answer has no "+s.output+", which adapter.settings.output asks for")
	}
	result, err := s.result(answer, wrap(found))
	if err != nil {
		return adapter.Reply{}, failed(ev, err.Error())
	}
	return adapter.Do(adapter.Done(result)), nil
}

func failed(ev *adapter.Event, message string) error {
	return &adapter.Failure{Code: adapter.ExecutionFailed, Message: message, Status: ev.Status, Retryable: true}
}

func wrap(v json.Value) json.Value {
	if v.Kind() == json.Object {
		return v
	}
	var w json.Writer
	w.Begin('{')
	w.Key("value")
	w.Raw(v)
	w.End('}')
	return w.Bytes()
}

func (s *settings) result(answer, output json.Value) ([]byte, error) {
	var w json.Writer
	w.Begin('{')
	w.Key("output")
	w.Raw(output)
	if metadata := answer.Pointer(s.metadata); s.metadata != "" && metadata.Exists() {
		if metadata.Kind() != json.Object {
			return nil, errors.New("the service's answer has no object at " + s.metadata + ", where adapter.settings.metadata points")
		}
		w.Key("metadata")
		w.Raw(metadata)
	}
	in, hasIn, err := tokens(answer, s.inTokens)
	out, hasOut, err2 := tokens(answer, s.outToken)
	if err := first(err, err2); err != nil {
		return nil, err
	}
	if hasIn || hasOut {
		w.Key("usage")
		w.Begin('{')
		w.Key("input_tokens")
		w.Int(in)
		w.Key("output_tokens")
		w.Int(out)
		w.End('}')
	}
	w.End('}')
	return w.Bytes(), nil
}

// tokens reads a count; not asked for, absent and null are no count.
func tokens(answer json.Value, pointer string) (int64, bool, error) {
	v := answer.Pointer(pointer)
	if pointer == "" || !v.Exists() {
		return 0, false, nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<31-1 {
		return 0, false, errors.New("the service's answer has no count of tokens at " + pointer + ", where adapter.settings.usage points")
	}
	return n, true, nil
}

// message finds what a service says of its own error: where the contract says, else where most say it.
func message(answer json.Value, s settings) string {
	if found := answer.Pointer(s.failure); s.hasFailure && found.Exists() {
		return describe(found)
	}
	for _, name := range []string{"error", "message", "detail"} {
		if found := answer.Get(name); found.Exists() {
			return describe(found)
		}
	}
	return ""
}

func describe(failure json.Value) string {
	switch failure.Kind() {
	case json.String:
		return failure.Text()
	case json.Object:
		if said := failure.Get("message"); said.Kind() == json.String {
			return said.Text()
		}
	}
	if len(failure) > 200 {
		return string(failure[:200]) + "..."
	}
	return string(failure)
}
