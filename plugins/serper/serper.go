// Package serper is the adapter "serper": Google searches by Serper.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	endpoint    "search" (default), "news" or "scholar"
//	extra_body  fields that are added to the request, such as {"gl": "de", "hl": "de"}
//
// Hits are the organic results. What Google answers by itself is the result's answer: its answer box, else the description in
// its knowledge graph. The engine has no parameter for domains; they become operators of the query, "site:" and "-site:". The
// credits that a search takes are the usage's units.
package serper

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Serper; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "serper", Version: "1.0.0", Description: "Serper: Google searches"}
}

// Step asks at the start, and reads the answer.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	switch ev.Kind {
	case adapter.KindStart:
		return start(ev)
	case adapter.KindResponse:
		return finish(state, ev)
	}
	return adapter.Reply{}, errors.New("an answer was expected, not frames or timers")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "search")
	if err != nil {
		return adapter.Reply{}, err
	}
	endpoint, extra := c.Settings.Text("endpoint", "search"), c.Settings.Object("extra_body")
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if endpoint != "search" && endpoint != "news" && endpoint != "scholar" {
		return adapter.Reply{}, normal.BadSetting("endpoint", "must be search, news or scholar")
	}
	if err := c.Takes("query", "max_results", "include_domains", "exclude_domains"); err != nil {
		return adapter.Reply{}, err
	}
	query, err := query(c)
	if err != nil {
		return adapter.Reply{}, err
	}
	var w json.Writer
	w.Begin('{')
	w.Key("q")
	w.String(query)
	if n, ok := c.Body.Get("max_results").Int(); ok {
		if n > 100 {
			if err := c.Cannot("search.max_results", "the provider gives at most 100"); err != nil {
				return adapter.Reply{}, err
			}
			n = 100
		}
		w.Key("num")
		w.Int(n)
	}
	w.End('}')
	body, err := normal.Extend(w.Bytes(), "extra_body", extra)
	if err != nil {
		return adapter.Reply{}, err
	}
	a := normal.Answer{Warnings: c.Warnings}
	var e adapter.Encoder
	a.Encode(&e)
	return adapter.Reply{State: e.Bytes(), Actions: []adapter.Action{normal.Post(c.Base+"/"+endpoint, body)}}, nil
}

// query adds the domains to what is asked. A domain that is none could be an operator of its own, and is refused.
func query(c *normal.Call) (string, error) {
	text := c.Body.Get("query").Text()
	var sites []string
	for v := range c.Body.Get("include_domains").Items() {
		if err := domain("search.include_domains", v.Text()); err != nil {
			return "", err
		}
		sites = append(sites, "site:"+v.Text())
	}
	if len(sites) == 1 {
		text += " " + sites[0]
	} else if len(sites) > 1 {
		text += " (" + strings.Join(sites, " OR ") + ")"
	}
	for v := range c.Body.Get("exclude_domains").Items() {
		if err := domain("search.exclude_domains", v.Text()); err != nil {
			return "", err
		}
		text += " -site:" + v.Text()
	}
	return text, nil
}

func domain(at, name string) error {
	if name == "" || strings.ContainsAny(name, " \t\r\n\"()|") {
		return normal.Invalid(at, "one of them is no domain")
	}
	return nil
}

func finish(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	a, err := normal.DecodeAnswer(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, normal.Refusal(ev.Status, ev.Body)
	}
	body, err := json.Parse(ev.Body)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	results := body.Get("organic")
	if !results.Exists() {
		results = body.Get("news")
	}
	answer := ownAnswer(body)
	if results.Kind() != json.Array && answer == "" && !body.Get("searchParameters").Exists() {
		if said, _ := normal.Complaint(body); said != "" {
			return adapter.Reply{}, normal.ErrorInside(body)
		}
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var hits []normal.Hit
	for v := range results.Items() {
		published := v.Get("date").Text()
		if year := v.Get("year"); year.Kind() == json.Number {
			published = string(year)
		}
		hits = append(hits, normal.Hit{
			Title: v.Get("title").Text(), URL: v.Get("link").Text(), Text: v.Get("snippet").Text(), Published: published,
		})
	}
	if n, ok := normal.Count(body.Get("credits")); ok {
		a.Usage = normal.Usage{Known: true, Units: n}
	}
	return adapter.Do(adapter.Done(a.Found(hits, answer))), nil
}

// ownAnswer returns what the engine answers by itself; empty if it does not.
func ownAnswer(body json.Value) string {
	box := body.Get("answerBox")
	for _, v := range []json.Value{box.Get("answer"), box.Get("snippet"), body.Get("knowledgeGraph").Get("description")} {
		if text := v.Text(); text != "" {
			return text
		}
	}
	return ""
}
