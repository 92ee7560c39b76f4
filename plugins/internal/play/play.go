// Package play is for tests: it plays the host to an adapter, one event after the other.
//
//	p := play.Begin(elevenlabs.Adapter{}, "https://api.example.com", `{"voice":"v"}`, `{"speech":{"text":"Hi"}}`, false)
//	p.Last()                                // what it asks for
//	p.Respond(200, "audio/mpeg", "ID3...")  // what it makes of the answer
package play

import (
	"encoding/json"

	"github.com/smarthausgroup/caio/sdk/adapter"
)

// A Play is an execution.
type Play struct {
	Adapter adapter.Adapter
	Reply   adapter.Reply    // the last one
	Emitted []adapter.Action // of all replies so far
}

// Begin begins an execution of an intent, by a contract with these settings; both are JSON.
func Begin(a adapter.Adapter, base, settings, intent string, stream bool) *Play {
	contract, err := json.Marshal(map[string]any{
		"service_id": "s", "base_url": base, "endpoints": []any{}, "settings": json.RawMessage(settings),
	})
	if err != nil {
		panic("settings are no JSON: " + err.Error())
	}
	p := &Play{Adapter: a}
	p.event(&adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: contract, Stream: stream})
	return p
}

// Respond answers the call; a media type of "" sets no Content-Type. Where the call asked for frames and the status is a 2xx,
// the body comes in pieces of 7 bytes, and then the end.
func (p *Play) Respond(status int, mediaType, body string, headers ...adapter.Header) adapter.Action {
	if mediaType != "" {
		headers = append(headers, adapter.Header{Name: "content-type", Value: mediaType})
	}
	call := p.Last()
	if call.Framing == "" || status < 200 || status > 299 {
		return p.event(&adapter.Event{Kind: adapter.KindResponse, Status: status, Headers: headers, Body: []byte(body)})
	}
	p.event(&adapter.Event{Kind: adapter.KindResponse, Status: status, Headers: headers})
	for len(body) > 0 && !p.Over() {
		n := min(7, len(body))
		p.event(&adapter.Event{Kind: adapter.KindFrame, Data: []byte(body[:n])})
		body = body[n:]
	}
	if p.Over() {
		return p.Last()
	}
	return p.event(&adapter.Event{Kind: adapter.KindEnd})
}

// Head begins a stream, of which each frame is brought by hand.
func (p *Play) Head(status int, mediaType string) adapter.Action {
	header := adapter.Header{Name: "content-type", Value: mediaType}
	return p.event(&adapter.Event{Kind: adapter.KindResponse, Status: status, Headers: []adapter.Header{header}})
}

// Frame brings a frame of that name.
func (p *Play) Frame(name, data string) adapter.Action {
	return p.event(&adapter.Event{Kind: adapter.KindFrame, Name: name, Data: []byte(data)})
}

// End ends a stream as its framing demands.
func (p *Play) End() adapter.Action { return p.event(&adapter.Event{Kind: adapter.KindEnd}) }

// Wake ends a wait.
func (p *Play) Wake() adapter.Action { return p.event(&adapter.Event{Kind: adapter.KindTimer}) }

// Last returns the last action; the zero one if there was none.
func (p *Play) Last() adapter.Action {
	if n := len(p.Reply.Actions); n > 0 {
		return p.Reply.Actions[n-1]
	}
	return adapter.Action{}
}

// Over reports whether the execution has ended.
func (p *Play) Over() bool {
	return p.Last().Kind == adapter.ActionDone || p.Last().Kind == adapter.ActionFail
}

// Result returns the result, nil if there is none.
func (p *Play) Result() (result map[string]any) {
	if p.Last().Kind != adapter.ActionDone {
		return nil
	}
	if err := json.Unmarshal(p.Last().Data, &result); err != nil {
		panic("the result is no JSON: " + err.Error() + ": " + string(p.Last().Data))
	}
	return result
}

func (p *Play) event(ev *adapter.Event) adapter.Action {
	state := append([]byte(nil), p.Reply.State...) // as the host does it: a guest never sees its own memory again
	p.Reply = adapter.Run(p.Adapter, state, ev)
	for _, a := range p.Reply.Actions {
		if a.Kind == adapter.ActionEmit {
			p.Emitted = append(p.Emitted, a)
		}
	}
	return p.Last()
}
