package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/smarthausgroup/caio/sdk/adapter"
)

// A spec is a provider's own specification.
type spec struct {
	doc   *openapi3.T
	paths []path
}

// A path is one of its paths as a pattern.
type path struct {
	template string
	pattern  *regexp.Regexp
	names    []string
	literals int // characters that are no parameter's: more of them is the better match
}

var parameter = regexp.MustCompile(`\{([^}]+)\}`)

// openSpec returns nil where there is no specification.
func openSpec(t *testing.T, file string) *spec {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		t.Fatalf("read specification: %v", err)
	}
	s := &spec{doc: doc}
	for _, template := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		p := path{template: template, literals: len(parameter.ReplaceAllString(template, ""))}
		pattern, rest := "^", template
		for _, at := range parameter.FindAllStringSubmatch(template, -1) {
			before, after, _ := strings.Cut(rest, at[0])
			// A model's name may hold a slash, so a parameter takes whatever the literals leave.
			pattern += regexp.QuoteMeta(before) + "(.+)"
			p.names, rest = append(p.names, at[1]), after
		}
		p.pattern = regexp.MustCompile(pattern + regexp.QuoteMeta(rest) + "$")
		s.paths = append(s.paths, p)
	}
	return s
}

// validate holds a call against the specification. base is the URL whose path may stand in place of the servers' own.
func (s *spec) validate(call adapter.Action, base string) error {
	req, err := http.NewRequest(call.Method, call.URL, bytes.NewReader(call.Body))
	if err != nil {
		return err
	}
	for _, h := range call.Headers {
		req.Header.Add(h.Name, h.Value)
	}
	if req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "what the host signs with") // some specifications list it among the parameters
	}
	route, params, err := s.route(req, base)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route, QueryParams: req.URL.Query(),
		Options: &openapi3filter.Options{SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
}

// route finds the operation. kin-openapi's own routers do not match parameters beside literals, as in "{model}:generate".
func (s *spec) route(req *http.Request, base string) (*routers.Route, map[string]string, error) {
	var best *routers.Route
	var params map[string]string
	most := -1
	for _, prefix := range s.prefixes(base) {
		rest, ok := strings.CutPrefix(req.URL.Path, prefix)
		if !ok {
			continue
		}
		for _, p := range s.paths {
			found := p.pattern.FindStringSubmatch(rest)
			item := s.doc.Paths.Value(p.template)
			op := item.GetOperation(req.Method)
			if found == nil || op == nil || p.literals <= most {
				continue
			}
			most = p.literals
			best = &routers.Route{Spec: s.doc, Path: p.template, PathItem: item, Method: req.Method, Operation: op}
			params = map[string]string{}
			for i, name := range p.names {
				params[name] = found[i+1]
			}
		}
	}
	if best == nil {
		return nil, nil, fmt.Errorf("the specification has no operation %s %s", req.Method, req.URL.Path)
	}
	return best, params, nil
}

func (s *spec) prefixes(base string) []string {
	list := []string{pathOf(base), ""}
	for _, server := range s.doc.Servers {
		list = append(list, pathOf(server.URL))
	}
	return list
}

// pathOf returns a URL's path without its last slash. url.Parse would refuse a host that is a template's.
func pathOf(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	_, path, ok := strings.Cut(rest, "/")
	if path, err := url.PathUnescape(path); ok && err == nil {
		return strings.TrimRight("/"+path, "/")
	}
	return ""
}

// broken counts variants of accepted requests that must not be accepted: one field removed, one of another type.
type broken struct{ tried, removed, mistyped int }

// breakUp tries them on a call with a JSON body. A kind of variant counts as refused if breaking some field of the body is.
func (b *broken) breakUp(s *spec, call adapter.Action, base string) {
	var body map[string]any
	if json.Unmarshal(call.Body, &body) != nil || len(body) == 0 {
		return
	}
	b.tried++
	refused := func(change func(fields map[string]any, name string)) bool {
		for name := range body {
			fields := maps.Clone(body)
			change(fields, name)
			variant := call
			variant.Body, _ = json.Marshal(fields) // what was read from JSON can be written
			if s.validate(variant, base) != nil {
				return true
			}
		}
		return false
	}
	if refused(func(fields map[string]any, name string) { delete(fields, name) }) {
		b.removed++
	}
	if refused(func(fields map[string]any, name string) {
		switch fields[name].(type) {
		case map[string]any, []any:
			fields[name] = 7
		default:
			fields[name] = map[string]any{"wrong": []any{true}}
		}
	}) {
		b.mistyped++
	}
}

// nulls returns the paths of explicit nulls in a JSON value.
func nulls(at string, v any) (found []string) {
	switch v := v.(type) {
	case nil:
		return []string{at}
	case map[string]any:
		for name, inner := range v {
			found = append(found, nulls(at+"/"+name, inner)...)
		}
	case []any:
		for i, inner := range v {
			found = append(found, nulls(fmt.Sprintf("%s/%d", at, i), inner)...)
		}
	}
	return found
}

// differences returns the paths at which two JSON values are not the same, with both values.
func differences(at string, sent, recorded any) (found []string) {
	a, okA := sent.(map[string]any)
	b, okB := recorded.(map[string]any)
	if okA && okB {
		names := maps.Clone(a)
		maps.Copy(names, b)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			found = append(found, differences(at+"/"+name, a[name], b[name])...)
		}
		return found
	}
	listA, okA := sent.([]any)
	listB, okB := recorded.([]any)
	if okA && okB && len(listA) == len(listB) {
		for i := range listA {
			found = append(found, differences(fmt.Sprintf("%s/%d", at, i), listA[i], listB[i])...)
		}
		return found
	}
	one, _ := json.Marshal(sent) // both were read from JSON
	two, _ := json.Marshal(recorded)
	if bytes.Equal(one, two) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s, recorded %s", at, clip(string(one)), clip(string(two)))}
}

func clip(s string) string {
	if len(s) <= 200 {
		return s
	}
	return strings.ToValidUTF8(s[:200], "") + "..."
}
