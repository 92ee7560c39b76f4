package openai

import (
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// rerank asks which texts answer a question best.
func (r *request) rerank() (adapter.Reply, error) {
	if err := r.begin(); err != nil {
		return adapter.Reply{}, err
	}
	for name, v := range r.Body.Fields() {
		if name == "model" {
			continue
		}
		if err := r.plain("rerank."+name, v); err != nil {
			return adapter.Reply{}, err
		}
	}
	return r.post(r.d.Paths.Rerank, state{})
}

func (s *state) ranked(body json.Value) (adapter.Reply, error) {
	results := body.Get("results")
	if results.Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var list []normal.Rank
	for item := range results.Items() {
		index, ok := item.Get("index").Int()
		score := item.Get("relevance_score")
		if !ok || score.Kind() != json.Number {
			return adapter.Reply{}, normal.Nonsense("has a result without index or relevance_score")
		}
		list = append(list, normal.Rank{Index: index, Score: score})
	}
	return adapter.Do(adapter.Done(s.Ranked(list))), nil
}

// search asks a search engine. Domains that are not wanted stand in one list with those that are, after a minus.
func (r *request) search() (adapter.Reply, error) {
	r.w.Begin('{')
	var domains []string
	for name, v := range r.Body.Fields() {
		switch name {
		case "include_domains":
			for d := range v.Items() {
				domains = append(domains, d.Text())
			}
		case "exclude_domains":
			for d := range v.Items() {
				domains = append(domains, "-"+d.Text())
			}
		default:
			if err := r.plain("search."+name, v); err != nil {
				return adapter.Reply{}, err
			}
		}
	}
	if len(domains) > 0 {
		r.w.Key("search_domain_filter")
		r.w.Begin('[')
		for _, d := range domains {
			r.w.String(d)
		}
		r.w.End(']')
	}
	return r.post(r.d.Paths.Search, state{})
}

func (s *state) found(body json.Value) (adapter.Reply, error) {
	results := body.Get("results")
	if results.Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var hits []normal.Hit
	for item := range results.Items() {
		hits = append(hits, normal.Hit{
			Title: item.Get("title").Text(), URL: item.Get("url").Text(), Text: item.Get("snippet").Text(), Published: item.Get("date").Text(),
		})
	}
	return adapter.Do(adapter.Done(s.Found(hits, ""))), nil
}
