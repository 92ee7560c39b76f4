// Package tavily is the adapter "tavily": searches by Tavily.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	answer      "basic" or "advanced": the engine writes an answer of its own, which becomes the result's
//	extra_body  fields that are added to the request, such as {"search_depth": "advanced", "topic": "news"}
//
// A search brings its own number of results, 20 at most, and the domains to which it is confined or which it leaves out. The
// credits that a search takes are asked for, and are the usage's units.
package tavily

import (
	"errors"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Tavily; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "tavily", Version: "1.0.0", Description: "Tavily: searches"}
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
	answer, extra := c.Settings.Text("answer", ""), c.Settings.Object("extra_body")
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if answer != "" && answer != "basic" && answer != "advanced" {
		return adapter.Reply{}, normal.BadSetting("answer", "must be basic or advanced")
	}
	if err := c.Takes("query", "max_results", "include_domains", "exclude_domains"); err != nil {
		return adapter.Reply{}, err
	}
	var w json.Writer
	w.Begin('{')
	w.Key("query")
	w.Raw(c.Body.Get("query"))
	if n, ok := c.Body.Get("max_results").Int(); ok {
		if n > 20 {
			if err := c.Cannot("search.max_results", "the provider gives at most 20"); err != nil {
				return adapter.Reply{}, err
			}
			n = 20
		}
		w.Key("max_results")
		w.Int(n)
	}
	for _, name := range [...]string{"include_domains", "exclude_domains"} {
		if domains := c.Body.Get(name); !domains.Empty() {
			w.Key(name)
			w.Raw(domains)
		}
	}
	if answer != "" {
		w.Key("include_answer")
		w.String(answer)
	}
	if extra.Get("include_usage") == nil {
		w.Key("include_usage")
		w.Bool(true)
	}
	w.End('}')
	body, err := normal.Extend(w.Bytes(), "extra_body", extra)
	if err != nil {
		return adapter.Reply{}, err
	}
	a := normal.Answer{Warnings: c.Warnings}
	var e adapter.Encoder
	a.Encode(&e)
	return adapter.Reply{State: e.Bytes(), Actions: []adapter.Action{normal.Post(c.Base+"/search", body)}}, nil
}

func finish(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	a, err := normal.DecodeAnswer(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, refusal(ev)
	}
	body, err := json.Parse(ev.Body)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	results := body.Get("results")
	if results.Kind() != json.Array {
		if said, _ := normal.Complaint(body); said != "" {
			return adapter.Reply{}, normal.ErrorInside(body)
		}
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var hits []normal.Hit
	for v := range results.Items() {
		text := v.Get("content").Text()
		if text == "" {
			text = v.Get("raw_content").Text()
		}
		hits = append(hits, normal.Hit{
			Title: v.Get("title").Text(), URL: v.Get("url").Text(), Text: text,
			Published: v.Get("published_date").Text(), Score: v.Get("score"),
		})
	}
	a.ID = body.Get("request_id").Text()
	if n, ok := normal.Count(body.Get("usage").Get("credits")); ok {
		a.Usage = normal.Usage{Known: true, Units: n}
	}
	return adapter.Do(adapter.Done(a.Found(hits, body.Get("answer").Text()))), nil
}

// refusal reads the provider's own statuses, too: 432 is the plan's limit, 433 that of what is paid as it goes.
func refusal(ev *adapter.Event) error {
	err := normal.Refusal(ev.Status, ev.Body)
	if f := (*adapter.Failure)(nil); (ev.Status == 432 || ev.Status == 433) && errors.As(err, &f) {
		f.Reason, f.Retryable = adapter.OutOfCredit, true
	}
	return err
}
