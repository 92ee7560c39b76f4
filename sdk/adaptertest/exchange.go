// Package adaptertest tries adapters natively, under go test: recorded exchanges are played to them as the host would play
// them, step by step, streams cut into frames.
//
//	exchanges, err := adaptertest.Load("testdata")
//	...
//	play := adaptertest.Play{
//		Adapter: upper{}, Contract: []byte(`{"base_url":"https://example.com"}`), Intent: []byte(`{"payload":{"text":"a"}}`),
//		Answer: adaptertest.Always(exchanges[0].Response),
//	}
//	outcome, err := play.Run()
//
// What a play finds wrong whatever the provider is comes as its error: a reply that breaks the protocol of steps, or an adapter
// that answers the same event differently when asked again. Whether the outcome is right is the test's to say.
// [Play.Streamed] holds a recorded stream to what is true of every stream: that it may come in pieces, that no piece of the result
// is lost or invented, and that one which is cut short is an error.
//
// Nothing here has a goroutine or opens a connection. The framing of streams is written anew for the tests, so that the
// host's and this one show each other's mistakes.
package adaptertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An Exchange is a recorded call, one JSON file. Fields beside these are skipped.
type Exchange struct {
	ID        string    `json:"id"`
	Provider  string    `json:"provider"`
	Kind      string    `json:"kind"`      // "chat", "embeddings", ...
	Modifiers []string  `json:"modifiers"` // "stream", "tool_call", "error", ...
	Origin    string    `json:"origin"`    // "recorded", "spec example", ...
	Request   *Request  `json:"request"`   // nil: not recorded
	Response  *Response `json:"response"`
}

// A Request is what was sent; at most one of the bodies is there.
type Request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Text    string            `json:"body_text"`
	Base64  []byte            `json:"body_base64"`
	Missing bool              `json:"body_missing"` // there was one, which was not recorded
}

// A Response is what came back; at most one of the bodies is there.
type Response struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Stream  string            `json:"stream"` // SSE or NDJSON, as it came
	Text    string            `json:"body_text"`
	Base64  []byte            `json:"body_base64"` // audio, or an AWS event stream
}

// Bytes returns the body.
func (r *Response) Bytes() []byte {
	switch {
	case r.Stream != "":
		return []byte(r.Stream)
	case r.Text != "":
		return []byte(r.Text)
	case r.Base64 != nil:
		return r.Base64
	}
	return r.Body
}

// Header returns a header's value, whatever the case of its name; empty: it is not there.
func (r *Response) Header(name string) string {
	for key, value := range r.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// Load reads every *.json of a directory, by name. That there is none is an error: a test that tries nothing cannot fail.
func Load(dir string) ([]*Exchange, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no exchanges (*.json) in %s", dir)
	}
	slices.Sort(files)
	all := make([]*Exchange, len(files))
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		x := &Exchange{}
		if err := json.Unmarshal(raw, x); err != nil {
			return nil, fmt.Errorf("read exchange %s: %w", file, err)
		}
		if x.Response == nil {
			return nil, fmt.Errorf("read exchange %s: it has no response", file)
		}
		if x.ID == "" {
			x.ID = strings.TrimSuffix(filepath.Base(file), ".json")
		}
		all[i] = x
	}
	return all, nil
}
