// Package poll asks after work that a provider does on its own time: create, wait, ask, until it is done. A wait is an
// action, so no instance is held meanwhile, and all there is to remember is the state ([Work]): the host may continue in
// another instance, or after a restart.
//
//	p, err := poll.New(&c.Settings, poll.Pace{First: 500, Most: 5000, Limit: 600})
//	...
//	work := poll.Work{Poll: p, Kind: c.Kind, Answer: normal.Answer{Warnings: c.Warnings}}
//	return work.Begin(normal.Post(url, body))   // at the start
//	return poll.Step(state, ev, read)           // at every other event
package poll

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// A Poll is one piece of work that is asked after.
type Poll struct {
	URL    string // where
	Pace   Pace
	waited uint32 // milliseconds so far
	next   uint32 // milliseconds of the next wait
	failed uint32 // answers in a row that said nothing of the work
}

// Pace says how patiently. Each wait is half as long again as the one before.
type Pace struct {
	First uint32 // milliseconds before the first question, > 0
	Most  uint32 // milliseconds between two at most
	Limit uint32 // seconds of waiting in all after which it is given up
}

// patience is how many answers in a row may say nothing of the work. Work that was created costs money; a gateway that
// stumbles is no reason to give it up.
const patience = 5

// New reads the settings poll_first_ms, poll_most_ms and poll_limit_s; without them the pace is what is given.
func New(s *normal.Settings, pace Pace) (Poll, error) {
	for _, setting := range []struct {
		name  string
		field *uint32
		most  int64
	}{{"poll_first_ms", &pace.First, 600_000}, {"poll_most_ms", &pace.Most, 600_000}, {"poll_limit_s", &pace.Limit, 86_400}} {
		n := s.Number(setting.name, int64(*setting.field))
		if n < 1 || n > setting.most {
			return Poll{}, normal.BadSetting(setting.name, "must be 1 to "+strconv.FormatInt(setting.most, 10))
		}
		*setting.field = uint32(n)
	}
	return Poll{Pace: pace, next: min(pace.First, pace.Most)}, nil
}

// Wait returns the next wait; TIMEOUT when all that the pace allows was waited.
func (p *Poll) Wait() (adapter.Action, error) {
	limit := p.Pace.Limit * 1000
	if p.waited >= limit {
		return adapter.Action{}, &adapter.Failure{Code: adapter.Timeout, Retryable: true,
			Message: "the provider was not done after " + strconv.Itoa(int(p.Pace.Limit)) + " s, which is adapter.settings.poll_limit_s"}
	}
	ms := min(p.next, limit-p.waited)
	p.waited += ms
	p.next = min(p.next+p.next/2+1, p.Pace.Most)
	return adapter.Wait(ms), nil
}

// Ask returns the question.
func (p *Poll) Ask(headers ...adapter.Header) adapter.Action {
	return adapter.HTTP("GET", p.URL, nil, append([]adapter.Header{{Name: "Accept", Value: "application/json"}}, headers...)...)
}

// Retry tells what to do about the answer to a question by its status alone: nil and no error where it is a 2xx, to be read; a
// wait where it says nothing of the work; else the refusal that it is. A Retry-After is honoured.
func (p *Poll) Retry(ev *adapter.Event) (*adapter.Action, error) {
	if ev.Status >= 200 && ev.Status <= 299 {
		p.failed = 0
		return nil, nil
	}
	transient := ev.Status == 408 || ev.Status == 429 || ev.Status >= 500
	if p.failed++; !transient || p.failed > patience {
		return nil, normal.Refusal(ev.Status, ev.Body)
	}
	p.next = max(p.next, retryAfter(ev.Headers))
	wait, err := p.Wait()
	if err != nil {
		return nil, err
	}
	return &wait, nil
}

// retryAfter returns the milliseconds that a server asks for; 0 where it does not, or gives a date, for which a guest has no clock.
func retryAfter(headers []adapter.Header) uint32 {
	if s, err := strconv.ParseUint(strings.TrimSpace(normal.Header(headers, "Retry-After")), 10, 16); err == nil {
		return uint32(s) * 1000
	}
	return 0
}

// Encode writes the poll as fields.
func (p *Poll) Encode(e *adapter.Encoder) {
	e.Text(1, p.URL)
	e.Number(2, p.Pace.First)
	e.Number(3, p.Pace.Most)
	e.Number(4, p.Pace.Limit)
	e.Number(5, p.waited)
	e.Number(6, p.next)
	e.Number(7, p.failed)
}

// Decode reads what Encode wrote.
func Decode(doc []byte) (p Poll, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			p.URL = d.Text()
		case 2:
			p.Pace.First = d.Number()
		case 3:
			p.Pace.Most = d.Number()
		case 4:
			p.Pace.Limit = d.Number()
		case 5:
			p.waited = d.Number()
		case 6:
			p.next = d.Number()
		case 7:
			p.failed = d.Number()
		}
	}
	return p, d.Err
}
