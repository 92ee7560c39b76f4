package m365

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func (set *settings) search(c *normal.Call) (adapter.Action, error) {
	if err := c.Takes("query", "max_results"); err != nil {
		return adapter.Action{}, err
	}
	var w json.Writer
	w.Begin('{')
	w.Key("requests")
	w.Begin('[')
	w.Begin('{')
	w.Key("entityTypes")
	if set.types.Empty() {
		w.Raw(json.Value(`["driveItem"]`))
	} else {
		w.Raw(set.types)
	}
	w.Key("query")
	w.Begin('{')
	w.Key("queryString")
	w.Raw(c.Body.Get("query"))
	w.End('}')
	if n, ok := c.Body.Get("max_results").Int(); ok {
		if n > 500 {
			if err := c.Cannot("search.max_results", "Graph gives at most 500 at once"); err != nil {
				return adapter.Action{}, err
			}
			n = 500
		}
		w.Key("size")
		w.Int(n)
	}
	if set.region != "" {
		w.Key("region")
		w.String(set.region)
	}
	w.End('}')
	w.End(']')
	w.End('}')
	return normal.Post(c.Base+"/v1.0/search/query", w.Bytes()), nil
}

// found reads what was found. Each kind of thing names its title, place and time in a way of its own.
func (s *state) found(body json.Value) (adapter.Reply, error) {
	if body.Get("value").Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var hits []normal.Hit
	for answer := range body.Get("value").Items() {
		for container := range answer.Get("hitsContainers").Items() {
			for hit := range container.Get("hits").Items() {
				r := hit.Get("resource")
				if !r.Exists() {
					r = hit.Get("_source") // as Graph once called it
				}
				hits = append(hits, normal.Hit{
					Title: first(r.Get("name"), r.Get("subject"), r.Get("displayName"),
						r.Pointer("/properties/title"), r.Pointer("/fields/title"), r.Pointer("/listItem/fields/title")),
					URL:       first(r.Get("webUrl"), r.Get("webLink"), r.Pointer("/properties/url")),
					Text:      plain.Replace(first(hit.Get("summary"), r.Get("bodyPreview"))),
					Published: first(r.Get("lastModifiedDateTime"), r.Get("receivedDateTime"), r.Get("createdDateTime")),
				})
			}
		}
	}
	return adapter.Do(adapter.Done(s.answer.Found(hits, ""))), nil
}

// plain takes Graph's marks out of a summary: what fits stands in <c0>, what was left out is <ddd/>.
var plain = strings.NewReplacer("<c0>", "", "</c0>", "", "<ddd/>", "...")

func first(vs ...json.Value) string {
	for _, v := range vs {
		if text := v.Text(); text != "" {
			return text
		}
	}
	return ""
}
