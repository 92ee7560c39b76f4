// Package m365 is the adapter "m365": Microsoft 365 by way of Microsoft Graph, for requests whose domain is "M365". Any other is
// refused, so that no search or chat gets to see a person's mail by chance.
//
//	search   POST /v1.0/search/query: what a person or an application may see of files, mails, sites, events
//	chat     POST /beta/copilot/conversations, then .../{id}/chat: Microsoft 365 Copilot answers from the same
//	payload  {"method", "path", "query", "body"}: any call of Graph that the contract allows
//
// It is written from Microsoft's reference; nothing of it is recorded. Microsoft says of /beta that it may change and is not
// supported in production, and that Copilot answers persons only: the secret must be a delegated token, as an application's is
// refused.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	entity_types  what is searched: a list of driveItem (default), listItem, list, site, message, event, chatMessage,
//	              externalItem, ...; Graph takes only some of them together
//	region        where an application's search looks, such as "EUR"; Graph requires it of applications
//	time_zone     of who asks Copilot, such as "Europe/Berlin"; default "UTC"
//	web           false: Copilot does not look into the web
//	paths         what payloads may call, a list such as ["GET /v1.0/me/messages", "POST /v1.0/users/*/sendMail",
//	              "GET /v1.0/sites/**"]. * is one segment, ** at the end all that follow. Without it, none
//
// A conversation lies at Microsoft, and each execution begins one. What was said before the last message goes along as its
// context, and so does what the system says. Files are named by their URL in SharePoint or OneDrive. A caller that wants a
// stream gets the answer whole: Copilot sends its text anew with each frame, and may change what it said.
package m365

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Microsoft Graph; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "m365", Version: "1.0.0", Description: "Microsoft 365: search, Copilot, and calls of Microsoft Graph"}
}

// Step asks at the start, and reads what comes.
func (Adapter) Step(doc []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return start(ev)
	}
	s, err := recall(doc)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Kind != adapter.KindResponse {
		return adapter.Reply{}, errors.New("an answer was expected, not frames or timers")
	}
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, normal.Refusal(ev.Status, ev.Body)
	}
	body := json.Value("{}") // a 202 or 204 may say nothing
	if len(ev.Body) > 0 {
		if body, err = json.Parse(ev.Body); err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
	}
	if body.Get("error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(body)
	}
	switch s.kind {
	case "search":
		return s.found(body)
	case "chat":
		return s.conversation(body)
	}
	return adapter.Do(adapter.Done(s.answer.Output(body))), nil
}

type settings struct {
	types, paths     json.Value
	region, timeZone string
	web              bool
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "search", "chat", "payload")
	if err != nil {
		return adapter.Reply{}, err
	}
	if !strings.EqualFold(c.Domain, "M365") {
		return adapter.Reply{}, adapter.Unsupported("intent.domain", "it is not M365, and nothing else is to be asked of Microsoft 365")
	}
	set := settings{
		types: c.Settings.List("entity_types"), paths: c.Settings.List("paths"), region: c.Settings.Text("region", ""),
		timeZone: c.Settings.Text("time_zone", "UTC"), web: c.Settings.Flag("web", true),
	}
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	s := state{kind: c.Kind}
	var call adapter.Action
	switch c.Kind {
	case "search":
		call, err = set.search(c)
	case "chat":
		call, err = set.chat(c, &s)
	default:
		call, err = set.call(c)
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	s.answer.Warnings = c.Warnings
	return adapter.Reply{State: s.bytes(), Actions: []adapter.Action{call}}, nil
}

// state is what must be known when the next event comes.
type state struct {
	kind    string
	at      string // chat: where conversations are; empty once one was begun
	message []byte // chat: what is to be said in it
	answer  normal.Answer
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Text(1, s.kind)
	e.Text(2, s.at)
	e.Data(3, s.message)
	mark := e.Open(4)
	s.answer.Encode(&e)
	e.Close(mark)
	return e.Bytes()
}

func recall(doc []byte) (s state, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			s.kind = d.Text()
		case 2:
			s.at = d.Text()
		case 3:
			s.message = d.Value
		case 4:
			s.answer, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	return s, d.Err
}
