// Package httpjson is the adapter "http": any service that takes and answers JSON over HTTP, described by its contract's
// settings alone.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	method    the HTTP method; default POST
//	path      below base_url, may carry a query; default: the path of the first endpoint, else "/"
//	headers   {"Name": "value"}; Content-Type: application/json is added where there is a body
//	body      a template: any JSON value. A string in it that is "{{POINTER}}", whole, is replaced by what that JSON pointer
//	          (RFC 6901) finds in the intent, of whatever type; "{{POINTER?}}" leaves its field or element out where there is
//	          nothing. Default: the intent's payload, or {"intent": INTENT} where the intent is a typed one. GET, HEAD and
//	          DELETE have no body unless there is a template.
//	output    pointer into the answer to the output; default "", the whole. What is no object is wrapped as {"value": ...}
//	metadata  pointer to an object that becomes the result's metadata, such as {"accuracy": 0.97}; what is absent is left out
//	usage     {"input_tokens": pointer, "output_tokens": pointer}; what is absent is left out
//	error     pointer: if it finds anything but null in a 2xx, the answer is an error; a string, or an object's "message", is
//	          its message
//
// For example, a contract with
//
//	base_url: https://detect.example.com
//	settings:
//	  path: /v1/detect
//	  body: {q: "{{/payload/text}}", hints: ["{{/payload/country?}}"]}
//	  output: /data/0
//	  error: /error
//
// turns {"payload":{"text":"Bonjour"}} into POST https://detect.example.com/v1/detect {"q":"Bonjour","hints":[]}.
//
// A caller that wants a stream gets the answer whole, at its end: a piece that was handed out could no longer be held
// against the guarantees. Nothing of an intent is dropped in silence: what the template does not mention is its author's
// choice.
package httpjson

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter is the generic adapter; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "http", Version: "1.0.0", Description: "Any JSON service over HTTP, described by the contract's settings"}
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

// settings are a contract's, read and checked.
type settings struct {
	method, path       string
	headers            []adapter.Header
	body               json.Value // nil: the default
	output, metadata   string
	inTokens, outToken string
	failure            string // the setting error
	hasFailure         bool
}

func readSettings(contract json.Value) (s settings, err error) {
	s.method, s.path = "POST", contract.Pointer("/endpoints/0/path").Text()
	if s.path == "" {
		s.path = "/"
	}
	for name, v := range contract.Get("settings").Fields() {
		switch name {
		case "method":
			s.method, err = text(name, v, err)
			s.method = strings.ToUpper(s.method)
		case "path":
			s.path, err = text(name, v, err)
		case "headers":
			err = object(name, v, err)
			for header, value := range v.Fields() {
				h := adapter.Header{Name: header}
				h.Value, err = text("headers."+header, value, err)
				s.headers = append(s.headers, h)
			}
		case "body":
			s.body = v
		case "output":
			s.output, err = pointer(name, v, err)
		case "metadata":
			s.metadata, err = pointer(name, v, err)
		case "usage":
			err = object(name, v, err)
			for count, where := range v.Fields() {
				switch count {
				case "input_tokens":
					s.inTokens, err = pointer("usage.input_tokens", where, err)
				case "output_tokens":
					s.outToken, err = pointer("usage.output_tokens", where, err)
				default:
					err = first(err, wrong("usage."+count, "is not known; there are input_tokens, output_tokens"))
				}
			}
		case "error":
			s.hasFailure = true
			s.failure, err = pointer(name, v, err)
		default:
			err = first(err, wrong(name, "is not known; there are method, path, headers, body, output, metadata, usage, error"))
		}
	}
	return s, err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func wrong(setting, what string) error {
	return &adapter.Failure{Code: adapter.TransformationFailed, Message: "adapter.settings." + setting + " " + what, Retryable: true}
}

func text(name string, v json.Value, before error) (string, error) {
	if v.Kind() != json.String {
		return "", first(before, wrong(name, "must be a string"))
	}
	return v.Text(), before
}

func pointer(name string, v json.Value, before error) (string, error) {
	s, err := text(name, v, before)
	if err == nil && s != "" && s[0] != '/' {
		err = wrong(name, "must be a JSON pointer, which is empty or begins with /")
	}
	return s, err
}

func object(name string, v json.Value, before error) error {
	if v.Kind() != json.Object {
		return first(before, wrong(name, "must be an object"))
	}
	return before
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	contract, err := json.Parse(ev.Contract)
	if err != nil {
		return adapter.Reply{}, errors.New("contract: " + err.Error())
	}
	intent, err := json.Parse(ev.Intent)
	if err != nil {
		return adapter.Reply{}, errors.New("intent: " + err.Error())
	}
	s, err := readSettings(contract)
	if err != nil {
		return adapter.Reply{}, err
	}
	body, err := s.render(intent)
	if err != nil {
		return adapter.Reply{}, err
	}
	if body != nil && !hasHeader(s.headers, "Content-Type") {
		s.headers = append(s.headers, adapter.Header{Name: "Content-Type", Value: "application/json"})
	}
	if !hasHeader(s.headers, "Accept") {
		s.headers = append(s.headers, adapter.Header{Name: "Accept", Value: "application/json"})
	}
	base := strings.TrimSuffix(contract.Get("base_url").Text(), "/")
	if base == "" {
		return adapter.Reply{}, &adapter.Failure{Code: adapter.TransformationFailed, Message: "the contract's api.base_url is empty", Retryable: true}
	}
	if !strings.HasPrefix(s.path, "/") {
		s.path = "/" + s.path
	}
	reply := adapter.Do(adapter.HTTP(s.method, base+s.path, body, s.headers...))
	reply.State = s.remember()
	return reply, nil
}

func hasHeader(headers []adapter.Header, name string) bool {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// remember keeps what reading the answer needs: contract and intent are not handed over a second time.
func (s *settings) remember() []byte {
	var e adapter.Encoder
	e.Text(1, s.output)
	e.Text(2, s.metadata)
	e.Text(3, s.inTokens)
	e.Text(4, s.outToken)
	e.Flag(5, s.hasFailure)
	e.Text(6, s.failure)
	return e.Bytes()
}

func recall(state []byte) (s settings, err error) {
	d := adapter.Decoder{Rest: state}
	for d.Next() {
		switch d.Tag {
		case 1:
			s.output = d.Text()
		case 2:
			s.metadata = d.Text()
		case 3:
			s.inTokens = d.Text()
		case 4:
			s.outToken = d.Text()
		case 5:
			s.hasFailure = d.Flag()
		case 6:
			s.failure = d.Text()
		}
	}
	return s, d.Err
}
