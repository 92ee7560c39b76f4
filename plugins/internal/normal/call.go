// Package normal is what the shipped adapters share: a request's intent and a contract's settings as an adapter reads
// them ([Call]), an answer as it comes together ([Answer]), results in the normal form (schema/proto/caio/v1/result.proto),
// and what providers mean by their errors.
//
// All of it is pure and for one goroutine, as a guest is.
package normal

import (
	"errors"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// A Call is what an execution begins with.
type Call struct {
	Base     string     // the contract's api.base_url, without a slash at its end; never empty
	Kind     string     // the body of the intent that is set, such as "chat"
	Body     json.Value // that body
	Domain   string     // the intent's field of work, such as "M365"; empty: not stated
	Stream   bool       // the caller wants deltas
	Settings Settings
	Warnings []Warning // what was left out; they belong into the answer

	warn bool
}

// A Warning tells what of a request was not honoured, and why.
type Warning struct{ Parameter, Message string }

// Start reads a KindStart event for an adapter that does work of these kinds, such as "chat"; others are refused.
func Start(ev *adapter.Event, kinds ...string) (*Call, error) {
	if ev.Kind != adapter.KindStart {
		return nil, errors.New("an execution was to begin")
	}
	contract, err := json.Parse(ev.Contract)
	if err != nil {
		return nil, errors.New("contract: " + err.Error())
	}
	intent, err := json.Parse(ev.Intent)
	if err != nil {
		return nil, errors.New("intent: " + err.Error())
	}
	c := &Call{
		Base: strings.TrimRight(contract.Get("base_url").Text(), "/"), Stream: ev.Stream,
		Settings: Settings{fields: contract.Get("settings")}, warn: intent.Get("unsupported").Text() == "warn",
		Domain: intent.Get("domain").Text(),
	}
	if c.Base == "" {
		return nil, misconfigured("the contract's api.base_url is empty")
	}
	does := "this adapter does " + strings.Join(kinds, ", ")
	for name, body := range intent.Fields() {
		switch name {
		case "type", "domain", "unsupported":
			continue
		}
		for _, kind := range kinds {
			if kind == name {
				c.Kind, c.Body = kind, body
			}
		}
		if c.Kind == "" {
			return nil, adapter.Unsupported("intent."+name, does)
		}
	}
	if c.Kind == "" {
		return nil, adapter.Unsupported("intent", "it has no body; "+does)
	}
	return c, nil
}

// Cannot tells that the provider has no way to honour a parameter, named by its path in the intent, such as "chat.seed".
// The error is nil where the request says that it is to be left out with a warning.
func (c *Call) Cannot(parameter, why string) error {
	if !c.warn {
		return adapter.Unsupported(parameter, why)
	}
	c.Warnings = append(c.Warnings, Warning{parameter, why})
	return nil
}

// Takes tells by Cannot of every field of the body but these: what the provider has no place for. Fields that say nothing,
// as the host's form has them, are passed over; a number always says something, 0 too.
func (c *Call) Takes(names ...string) error {
	for name, v := range c.Body.Fields() {
		if slices.Contains(names, name) || v.Kind() != json.Number && v.Empty() {
			continue
		}
		if err := c.Cannot(c.Kind+"."+name, "the provider has no such parameter"); err != nil {
			return err
		}
	}
	return nil
}

// Model returns the model that is asked for: the request's, else settings.model, else the first of settings.models.
func (c *Call) Model() (string, error) {
	model, models := c.Settings.Text("model", ""), c.Settings.List("models")
	if model == "" {
		model = models.Pointer("/0").Text()
	}
	if wanted := c.Body.Get("model").Text(); wanted != "" {
		model = wanted
	}
	if model == "" {
		return "", adapter.Unsupported(c.Kind+".model", "neither the request nor adapter.settings names a model")
	}
	return model, nil
}

// ModelOr returns the model that is asked for, as Model does, or otherwise where the provider has one of its own accord.
func (c *Call) ModelOr(otherwise string) string {
	if model, err := c.Model(); err == nil {
		return model
	}
	return otherwise
}

// Extend adds the fields of a setting, such as extra_body, to a request's body: what the provider has and the normal form has
// not. A field that the request itself has is refused, because one of both would be lost.
func Extend(body []byte, setting string, extra json.Value) ([]byte, error) {
	if extra.Empty() {
		return body, nil
	}
	var w json.Writer
	w.Begin('{')
	for name, v := range json.Value(body).Fields() {
		w.Key(name)
		w.Raw(v)
	}
	for name, v := range extra.Fields() {
		if json.Value(body).Get(name) != nil {
			return nil, BadSetting(setting+"."+name, "is what the request itself says")
		}
		w.Key(name)
		w.Raw(v)
	}
	w.End('}')
	return w.Bytes(), nil
}

// Settings are a contract's adapter.settings. Every setting is read once with the method of its type; Err then says whether
// there were others, or one of another type.
type Settings struct {
	fields json.Value
	known  []string
	err    error
}

func (s *Settings) read(name string, kind json.Kind) json.Value {
	s.known = append(s.known, name)
	v := s.fields.Get(name)
	if !v.Exists() {
		return nil
	}
	if v.Kind() != kind {
		if s.err == nil {
			s.err = BadSetting(name, "has the wrong type")
		}
		return nil
	}
	return v
}

// Text returns a text, or otherwise.
func (s *Settings) Text(name, otherwise string) string {
	if v := s.read(name, json.String); v != nil {
		return v.Text()
	}
	return otherwise
}

// Flag returns a truth value, or otherwise.
func (s *Settings) Flag(name string, otherwise bool) bool {
	if v := s.read(name, json.Bool); v != nil {
		return v.True()
	}
	return otherwise
}

// Number returns a whole number, or otherwise.
func (s *Settings) Number(name string, otherwise int64) int64 {
	v := s.read(name, json.Number)
	if v == nil {
		return otherwise
	}
	n, ok := v.Int()
	if !ok && s.err == nil {
		s.err = BadSetting(name, "is no whole number")
	}
	return n
}

// Object returns an object, nil if it is not there.
func (s *Settings) Object(name string) json.Value { return s.read(name, json.Object) }

// List returns a list, nil if it is not there.
func (s *Settings) List(name string) json.Value { return s.read(name, json.Array) }

// Err returns what is wrong with the settings, once all that there are have been read.
func (s *Settings) Err() error {
	if s.err != nil {
		return s.err
	}
	for name := range s.fields.Fields() {
		found := false
		for _, known := range s.known {
			found = found || known == name
		}
		if !found {
			return BadSetting(name, "is not known; there are "+strings.Join(s.known, ", "))
		}
	}
	return nil
}

// BadSetting refuses a setting of the contract.
func BadSetting(name, what string) error {
	return misconfigured("adapter.settings." + name + " " + what)
}

func misconfigured(what string) error {
	return &adapter.Failure{Code: adapter.TransformationFailed, Message: what, Retryable: true}
}

// Post asks for a JSON document to be posted and answered by one. Headers beyond the content's type may be added.
func Post(url string, body []byte, headers ...adapter.Header) adapter.Action {
	return adapter.HTTP("POST", url, body, append([]adapter.Header{
		{Name: "Content-Type", Value: "application/json"}, {Name: "Accept", Value: "application/json"},
	}, headers...)...)
}

// PostStream asks for a JSON document to be posted and answered by a stream of that framing: "sse", "ndjson", "eventstream",
// "bytes".
func PostStream(framing, url string, body []byte, headers ...adapter.Header) adapter.Action {
	accept := map[string]string{"sse": "text/event-stream", "ndjson": "application/x-ndjson", "eventstream": "application/vnd.amazon.eventstream"}[framing]
	if accept == "" {
		accept = "*/*"
	}
	a := adapter.HTTP("POST", url, body, append([]adapter.Header{
		{Name: "Content-Type", Value: "application/json"}, {Name: "Accept", Value: accept},
	}, headers...)...)
	a.Framing = framing
	return a
}
