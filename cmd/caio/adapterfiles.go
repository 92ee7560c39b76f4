package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"buf.build/go/protovalidate"

	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// readIntent reads the intent of a request file in any of the forms that dry-run takes, and whether it says "stream": true.
// Nothing but the intent is held against the proto's rules: nobody is being chosen, so capabilities and constraints are not asked for.
func readIntent(stdin io.Reader, file string) (*caiov1.Intent, bool, error) {
	raw, err := openInput(stdin, "request", file)
	if err != nil {
		return nil, false, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, false, refused(fmt.Errorf("%s: no JSON object: %w", file, err))
	}
	var stream bool
	if said, ok := fields["stream"]; ok {
		if err := json.Unmarshal(said, &stream); err != nil {
			return nil, false, refused(fmt.Errorf("%s: stream must be true or false", file))
		}
		delete(fields, "stream")
		if raw, err = json.Marshal(fields); err != nil {
			return nil, false, failed(err)
		}
	}
	intent, err := parseIntent(raw, fields)
	if err == nil && intent == nil {
		err = errors.New("it has no intent")
	}
	if err == nil {
		err = protovalidate.Validate(intent)
	}
	if err != nil {
		return nil, false, refused(fmt.Errorf("%s: %w", file, err))
	}
	return intent, stream, nil
}

func parseIntent(raw []byte, fields map[string]json.RawMessage) (*caiov1.Intent, error) {
	if _, whole := fields["request"]; whole {
		call := &caiov1.OrchestrateRequest{}
		err := schema.ParseJSON(raw, call)
		return call.GetRequest().GetIntent(), err
	}
	if _, request := fields["intent"]; request {
		req := &caiov1.Request{}
		err := schema.ParseJSON(raw, req)
		return req.GetIntent(), err
	}
	intent := &caiov1.Intent{}
	err := schema.ParseJSON(raw, intent)
	return intent, err
}

// recorded is an answer in a file.
type recorded struct {
	Status   int                        `json:"status"`
	Headers  map[string]json.RawMessage `json:"headers"` // text, or a list of texts
	Body     json.RawMessage            `json:"body"`
	SSE      json.RawMessage            `json:"sse"`
	NDJSON   json.RawMessage            `json:"ndjson"`
	Stream   json.RawMessage            `json:"stream"` // sse or ndjson, whichever it looks like
	Text     *string                    `json:"body_text"`
	Base64   []byte                     `json:"body_base64"`
	Response *recorded                  `json:"response"` // of a recorded exchange; nothing beside it counts
}

// readAnswer reads an answer, and whether it is a stream.
func readAnswer(stdin io.Reader, file string) (gateway.Answer, bool, error) {
	raw, err := openInput(stdin, "response", file)
	if err != nil {
		return gateway.Answer{}, false, err
	}
	var r recorded
	if err := json.Unmarshal(raw, &r); err != nil {
		return gateway.Answer{}, false, refused(fmt.Errorf("%s: %w", file, err))
	}
	if r.Response != nil {
		r = *r.Response
	}
	a, err := r.answer()
	if err != nil {
		return a, false, refused(fmt.Errorf("%s: %w", file, err))
	}
	return a, isStream(a.Header.Get("Content-Type")), nil
}

func (r *recorded) answer() (a gateway.Answer, err error) {
	a = gateway.Answer{Status: r.Status, Header: http.Header{}}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	if a.Status < 100 || a.Status > 599 {
		return a, fmt.Errorf("status %d is no HTTP status", a.Status)
	}
	for name, raw := range r.Headers {
		values, err := headerValues(raw)
		if err != nil {
			return a, fmt.Errorf("header %s: %w", name, err)
		}
		for _, v := range values {
			a.Header.Add(name, v)
		}
	}
	media, err := r.body(&a)
	if a.Header.Get("Content-Type") == "" && media != "" {
		a.Header.Set("Content-Type", media)
	}
	return a, err
}

// body fills in the body, and returns the media type that it has unless the headers say another.
func (r *recorded) body(a *gateway.Answer) (media string, err error) {
	stream := r.SSE
	if stream == nil {
		stream = r.Stream
	}
	switch {
	case r.NDJSON != nil:
		a.Body, err = ndjsonText(r.NDJSON)
		return "application/x-ndjson", err
	case stream != nil:
		a.Body, err = sseText(stream)
		if r.SSE == nil && strings.HasPrefix(strings.TrimSpace(string(a.Body)), "{") {
			return "application/x-ndjson", err
		}
		a.Body = closed(a.Body)
		return "text/event-stream", err
	case r.Base64 != nil:
		a.Body = r.Base64
	case r.Text != nil:
		a.Body = []byte(*r.Text)
	default:
		a.Body = r.Body
		var text string
		if said := a.Header.Get("Content-Type"); said != "" && !strings.Contains(said, "json") && json.Unmarshal(r.Body, &text) == nil {
			a.Body = []byte(text) // a body of text, written as "body"
		}
		return "application/json", nil
	}
	return "", nil
}

// headerValues reads one text or number, or a list of them.
func headerValues(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	out := make([]string, len(list))
	for i, item := range list {
		if json.Unmarshal(item, &out[i]) != nil {
			var number json.Number
			if err := json.Unmarshal(item, &number); err != nil {
				return nil, errors.New("it is neither text nor a list of texts")
			}
			out[i] = number.String()
		}
	}
	return out, nil
}

// sseText returns Server-Sent Events as they were on the wire: a text as it is; of a list each element is an event, {"event",
// "data"}, or text that is its data unless it has field names of its own.
func sseText(raw json.RawMessage) ([]byte, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text), nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, errors.New("a stream must be a text, or a list of events")
	}
	var b strings.Builder
	for i, item := range list {
		if json.Unmarshal(item, &text) == nil {
			if !slices.ContainsFunc([]string{"data:", "event:", "id:", ":"}, func(field string) bool { return strings.HasPrefix(text, field) }) {
				text = "data: " + strings.ReplaceAll(text, "\n", "\ndata: ")
			}
			b.WriteString(strings.TrimRight(text, "\r\n") + "\n\n")
			continue
		}
		var event struct {
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(item, &event); err != nil || event.Data == nil {
			return nil, fmt.Errorf(`event %d of the stream is neither a text nor {"event", "data"}`, i)
		}
		if event.Event != "" {
			b.WriteString("event: " + event.Event + "\n")
		}
		if json.Unmarshal(event.Data, &text) != nil {
			text = string(event.Data)
		}
		b.WriteString("data: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n")
	}
	return []byte(b.String()), nil
}

// closed gives a stream's last event its blank line back, which is often lost where recordings are handled as text. An
// event that was cut in its middle is left as it is.
func closed(stream []byte) []byte {
	text := strings.TrimRight(string(stream), "\r\n")
	last := text[strings.LastIndexAny(text, "\r\n")+1:]
	data, ok := strings.CutPrefix(last, "data:")
	if data = strings.TrimSpace(data); ok && (data == "[DONE]" || json.Valid([]byte(data))) {
		return append(stream, "\n\n"...)
	}
	return stream
}

func ndjsonText(raw json.RawMessage) ([]byte, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text), nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, errors.New("ndjson must be a text, or a list of JSON values")
	}
	var b strings.Builder
	for _, item := range list {
		if json.Unmarshal(item, &text) == nil {
			item = json.RawMessage(text) // a line, as text
		}
		var line bytes.Buffer
		if err := json.Compact(&line, item); err != nil {
			line.Reset()
			line.Write(item) // no JSON: the adapter is to see it as it is
		}
		b.WriteString(line.String() + "\n")
	}
	return []byte(b.String()), nil
}

// isStream tells whether a media type is one of streams.
func isStream(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch media {
	case "text/event-stream", "application/x-ndjson", "application/stream+json", "application/vnd.amazon.eventstream":
		return true
	}
	return false
}
