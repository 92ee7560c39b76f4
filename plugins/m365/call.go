package m365

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// call makes the call that a payload asks for, if the contract allows it.
func (set *settings) call(c *normal.Call) (adapter.Action, error) {
	if err := c.Takes("method", "path", "query", "body"); err != nil {
		return adapter.Action{}, err
	}
	method, path := strings.ToUpper(c.Body.Get("method").Text()), c.Body.Get("path").Text()
	if method == "" {
		method = "GET"
	}
	if method != "GET" && method != "POST" && method != "PATCH" && method != "PUT" && method != "DELETE" {
		return adapter.Action{}, normal.Invalid("payload.method", "it must be one of GET, POST, PATCH, PUT, DELETE")
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if !strings.HasPrefix(path, "/") || !clean(segments) {
		return adapter.Action{}, normal.Invalid("payload.path",
			"it must be a path such as /v1.0/me/messages, as it is before anything is escaped, and without query")
	}
	allowed, err := set.allows(method, segments)
	if err != nil {
		return adapter.Action{}, err
	}
	if !allowed {
		return adapter.Action{}, adapter.Unsupported("payload.path",
			method+" of this path is none of adapter.settings.paths, which are all that the contract allows")
	}
	var q normal.Query
	for name, v := range c.Body.Get("query").Fields() {
		switch v.Kind() {
		case json.String:
			q.Add(name, v.Text())
		case json.Number, json.Bool:
			q.Add(name, string(v))
		default:
			return adapter.Action{}, normal.Invalid("payload.query."+name, "it must be a text, a number or a truth value")
		}
	}
	headers := []adapter.Header{{Name: "Accept", Value: "application/json"}}
	var body []byte
	if v := c.Body.Get("body"); v.Exists() {
		body = v
		headers = append(headers, adapter.Header{Name: "Content-Type", Value: "application/json"})
	}
	return adapter.HTTP(method, c.Base+escape(path)+q.String(), body, headers...), nil
}

// clean refuses what a server could read as another path than the one that was compared.
func clean(segments []string) bool {
	for _, s := range segments {
		if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "?#\\%") {
			return false
		}
		for i := range len(s) {
			if s[i] < ' ' || s[i] == 0x7f {
				return false
			}
		}
	}
	return true
}

func (set *settings) allows(method string, segments []string) (bool, error) {
	for v := range set.paths.Items() {
		m, path, ok := strings.Cut(v.Text(), " ")
		if !ok || !strings.HasPrefix(path, "/") || strings.Contains(strings.TrimSuffix(path, "/**"), "**") {
			return false, normal.BadSetting("paths", `must be texts such as "GET /v1.0/me/messages", with ** at the end alone`)
		}
		if strings.EqualFold(m, method) && matches(strings.Split(path[1:], "/"), segments) {
			return true, nil
		}
	}
	return false, nil
}

func matches(pattern, segments []string) bool {
	for i, p := range pattern {
		if p == "**" {
			return i < len(segments)
		}
		if i >= len(segments) || p != "*" && p != segments[i] {
			return false
		}
	}
	return len(pattern) == len(segments)
}

// escape writes a path: what RFC 3986 allows in a segment stays, since Graph gives colons, quotes and parentheses a meaning.
func escape(path string) string {
	var out strings.Builder
	for i := range len(path) {
		c := path[i : i+1]
		if strings.Contains("/!$&'()*+,;=:@", c) {
			out.WriteString(c)
		} else {
			out.WriteString(normal.Escape(c))
		}
	}
	return out.String()
}
