package openai_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// exchange is a recorded call, in the form of the provider corpus.
type exchange struct {
	ID      string `json:"id"`
	Request *struct {
		URL  string         `json:"url"`
		Body map[string]any `json:"body"`
	} `json:"request"`
	Response struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
		Stream string          `json:"stream"`
	} `json:"response"`
}

// own are exchanges of our own in the same form, for machines without the corpus.
const own = `[
{"id":"own-chat","request":{"url":"https://x/v1/chat/completions","body":{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}],"temperature":0,"max_tokens":5,"stop":["\n"],"seed":7}},
 "response":{"status":200,"body":{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Ja"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}}},
{"id":"own-tools","request":{"url":"https://x/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{\"city\":\"Rome\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"sun"}],"tools":[{"type":"function","function":{"name":"w","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}},
 "response":{"status":200,"body":{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c2","type":"function","function":{"name":"w","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":null}}},
{"id":"own-stream","request":{"url":"https://x/v1/chat/completions","body":{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}},
 "response":{"status":200,"stream":"data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"}},
{"id":"own-error","request":null,"response":{"status":400,"body":{"error":{"message":"max_tokens is too large","type":"invalid_request_error","param":"max_tokens","code":null}}}},
{"id":"own-embeddings","request":{"url":"https://x/v1/embeddings","body":{"model":"e","input":["a","b"],"dimensions":2}},
 "response":{"status":200,"body":{"model":"e-1","data":[{"index":1,"embedding":[0.5,-1e-3]},{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":2,"total_tokens":2}}}}
]`

// exchanges returns the corpus's chats and embeddings, and our own.
func exchanges(t *testing.T) []exchange {
	t.Helper()
	var all []exchange
	if err := json.Unmarshal([]byte(own), &all); err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("CAIO_PROVIDER_CORPUS")
	if dir == "" {
		dir = "../../../shared/providers" // beside the checkout
	}
	var files []string
	for _, kind := range []string{"chat-*.json", "embeddings-*.json"} {
		found, err := filepath.Glob(filepath.Join(dir, "openai", "exchanges", kind))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Logf("no provider corpus in %s (set CAIO_PROVIDER_CORPUS): only %d exchanges of our own are tried", dir, len(all))
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var x exchange
		if err := json.Unmarshal(raw, &x); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		x.ID = filepath.Base(file)
		all = append(all, x)
	}
	return all
}

func TestRecordedAnswersAreReadRight(t *testing.T) {
	tried := map[string]int{}
	for _, x := range exchanges(t) {
		t.Run(x.ID, func(t *testing.T) {
			switch {
			case x.Response.Status > 299:
				x.checkError(t)
				tried["error"]++
			case x.Response.Stream != "":
				x.checkStream(t)
				tried["stream"]++
			case strings.Contains(string(x.Response.Body), `"embedding"`):
				x.checkVectors(t)
				tried["embedding"]++
			default:
				x.checkChat(t)
				tried["chat"]++
			}
		})
	}
	t.Logf("tried: %v", tried)
	for _, kind := range []string{"error", "stream", "embedding", "chat"} {
		if tried[kind] == 0 {
			t.Errorf("no exchange of kind %s was tried", kind)
		}
	}
}

// result is a Result as encoding/json reads it.
type result struct {
	Chat *struct {
		Message struct {
			Role      string
			Content   string
			ToolCalls []call `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Embedding *struct{ Vectors []struct{ Values []float64 } }
	Usage     *struct {
		In  int `json:"input_tokens"`
		Out int `json:"output_tokens"`
	}
	Metadata map[string]any
	Model    string
}

type call struct{ ID, Name, Arguments string }

// message, usage and completion are the provider's forms, read by encoding/json: the independent path.
type message struct {
	Content   *string
	Refusal   *string
	ToolCalls []struct {
		Index    int
		ID       string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

type completion struct {
	Model   string
	Choices []struct {
		Index        int
		Message      message
		Delta        message
		FinishReason *string `json:"finish_reason"`
	}
	Usage *struct {
		In  int `json:"prompt_tokens"`
		Out int `json:"completion_tokens"`
	}
	Data []struct {
		Index     int
		Embedding json.RawMessage
	}
}

func begin(t *testing.T, intent string, stream bool) adapter.Reply {
	t.Helper()
	reply := adapter.Run(openai.New(openai.OpenAI()), nil, &adapter.Event{Kind: adapter.KindStart, Stream: stream, Intent: []byte(intent),
		Contract: []byte(`{"service_id":"s","base_url":"https://api.example.com","endpoints":[],"settings":{"model":"m"}}`)})
	if len(reply.Actions) != 1 || reply.Actions[0].Kind != adapter.ActionHTTP {
		t.Fatalf("start: %+v", reply)
	}
	return reply
}

const hello = `{"type":"chat","chat":{"messages":[{"role":"user","content":"Hi"}]}}`

func respond(state []byte, status int, body []byte) adapter.Reply {
	return adapter.Run(openai.New(openai.OpenAI()), state, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: body})
}

func readResult(t *testing.T, reply adapter.Reply) result {
	t.Helper()
	last := reply.Actions[len(reply.Actions)-1]
	if last.Kind != adapter.ActionDone {
		t.Fatalf("ended with %+v", last)
	}
	var r result
	if err := json.Unmarshal(last.Data, &r); err != nil {
		t.Fatalf("%s: %v", last.Data, err)
	}
	return r
}

func (x *exchange) checkChat(t *testing.T) {
	var want completion
	if err := json.Unmarshal(x.Response.Body, &want); err != nil {
		t.Fatal(err)
	}
	got := readResult(t, respond(begin(t, hello, false).State, 200, x.Response.Body))
	choice := want.Choices[0]
	text := value(choice.Message.Content)
	if text == "" {
		text = value(choice.Message.Refusal)
	}
	compare(t, got, want, text, choice.Message, value(choice.FinishReason))
}

func compare(t *testing.T, got result, want completion, text string, m message, finish string) {
	t.Helper()
	var calls []call
	for _, c := range m.ToolCalls {
		calls = append(calls, call{c.ID, c.Function.Name, c.Function.Arguments})
	}
	if got.Chat == nil || got.Chat.Message.Content != text || got.Chat.FinishReason != finish || got.Model != want.Model ||
		got.Chat.Message.Role != "assistant" || !reflect.DeepEqual(got.Chat.Message.ToolCalls, calls) {
		t.Errorf("got %+v, want %q %v %q %q", got.Chat, text, calls, finish, want.Model)
	}
	switch {
	case (got.Usage == nil) != (want.Usage == nil):
		t.Errorf("usage %v, want %v", got.Usage, want.Usage)
	case got.Usage != nil && (got.Usage.In != want.Usage.In || got.Usage.Out != want.Usage.Out):
		t.Errorf("usage %+v, want %+v", *got.Usage, *want.Usage)
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// frames cuts a recorded stream as the host does: events are separated by empty lines, and have data lines.
func frames(stream string) (list []string) {
	for event := range strings.SplitSeq(strings.ReplaceAll(stream, "\r\n", "\n"), "\n\n") {
		var data []string
		for line := range strings.SplitSeq(event, "\n") {
			if rest, ok := strings.CutPrefix(line, "data:"); ok {
				data = append(data, strings.TrimPrefix(rest, " "))
			}
		}
		if data != nil {
			list = append(list, strings.Join(data, "\n"))
		}
	}
	return list
}

// play runs a stream; the pieces of text that were emitted are put together.
func play(t *testing.T, settings string, list []string) (text string, last adapter.Reply) {
	t.Helper()
	reply := adapter.Run(openai.New(openai.OpenAI()), nil, &adapter.Event{Kind: adapter.KindStart, Stream: true, Intent: []byte(hello),
		Contract: []byte(`{"base_url":"https://x","settings":` + settings + `}`)})
	if reply.Actions[0].Framing != "sse" {
		t.Fatalf("start: %+v", reply)
	}
	reply = respond(reply.State, 200, nil)
	events := []adapter.Event{}
	for _, data := range list {
		events = append(events, adapter.Event{Kind: adapter.KindFrame, Data: []byte(data)})
	}
	for _, ev := range append(events, adapter.Event{Kind: adapter.KindEnd}) {
		reply = adapter.Run(openai.New(openai.OpenAI()), reply.State, &ev)
		for _, a := range reply.Actions {
			switch a.Kind {
			case adapter.ActionDone, adapter.ActionFail:
				return text, reply
			case adapter.ActionEmit:
				var delta struct{ Text string }
				if err := json.Unmarshal(a.Data, &delta); err != nil {
					t.Fatalf("%s: %v", a.Data, err)
				}
				text += delta.Text
			}
		}
	}
	t.Fatal("the stream had no end")
	return "", reply
}

func (x *exchange) checkStream(t *testing.T) {
	list := frames(x.Response.Stream)
	want, m, text, finish := assemble(t, list)
	if finish == "" { // not a chat at all: it must not be taken for one
		if _, end := play(t, `{"model":"m"}`, list); end.Actions[0].Kind != adapter.ActionFail {
			t.Errorf("%+v", end)
		}
		return
	}
	settings := `{"model":"m"}`
	if list[len(list)-1] != "[DONE]" { // an example in the specification leaves it out
		settings = `{"model":"m","stream_done":false}`
	}
	emitted, end := play(t, settings, list)
	if emitted != text {
		t.Errorf("emitted %q, want %q", emitted, text)
	}
	compare(t, readResult(t, end), want, text, m, finish)

	// Cut short anywhere, it is an error, never a clean end.
	for n := range len(list) - 1 {
		if _, end := play(t, `{"model":"m"}`, list[:n]); end.Actions[len(end.Actions)-1].Kind != adapter.ActionFail {
			t.Errorf("cut after %d of %d frames it ended with %+v", n, len(list), end)
		}
	}
}

// assemble puts a stream together by way of encoding/json.
func assemble(t *testing.T, list []string) (last completion, m message, text, finish string) {
	t.Helper()
	for _, data := range list {
		if data == "[DONE]" {
			break
		}
		var chunk completion
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatal(err)
		}
		if chunk.Model != "" {
			last.Model = chunk.Model
		}
		if chunk.Usage != nil {
			last.Usage = chunk.Usage
		}
		for _, choice := range chunk.Choices {
			text += value(choice.Delta.Content) + value(choice.Delta.Refusal)
			if choice.FinishReason != nil {
				finish = *choice.FinishReason
			}
			for _, c := range choice.Delta.ToolCalls {
				for len(m.ToolCalls) <= c.Index {
					m.ToolCalls = append(m.ToolCalls, c)
					m.ToolCalls[len(m.ToolCalls)-1].Function.Arguments = ""
				}
				m.ToolCalls[c.Index].Function.Arguments += c.Function.Arguments
			}
		}
	}
	return last, m, text, finish
}

func (x *exchange) checkError(t *testing.T) {
	var body struct{ Error struct{ Message string } }
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		t.Fatal(err)
	}
	reply := respond(begin(t, hello, false).State, x.Response.Status, x.Response.Body)
	a := reply.Actions[0]
	if a.Kind != adapter.ActionFail || a.Status != x.Response.Status || body.Error.Message == "" || !strings.Contains(a.Message, body.Error.Message) {
		t.Errorf("%+v, want %q", a, body.Error.Message)
	}
}

func (x *exchange) checkVectors(t *testing.T) {
	var want completion
	if err := json.Unmarshal(x.Response.Body, &want); err != nil {
		t.Fatal(err)
	}
	inputs, err := json.Marshal(map[string]any{"embedding": map[string]any{"input": make([]string, len(want.Data))}})
	if err != nil {
		t.Fatal(err)
	}
	got := readResult(t, respond(begin(t, string(inputs), false).State, 200, x.Response.Body))
	if len(got.Embedding.Vectors) != len(want.Data) || got.Model != want.Model || got.Usage == nil || got.Usage.In != want.Usage.In {
		t.Fatalf("%d vectors, model %s, usage %v", len(got.Embedding.Vectors), got.Model, got.Usage)
	}
	for _, item := range want.Data {
		values := got.Embedding.Vectors[item.Index].Values
		var floats []float64
		if json.Unmarshal(item.Embedding, &floats) == nil {
			if !reflect.DeepEqual(values, floats) {
				t.Errorf("vector %d differs", item.Index)
			}
			continue
		}
		// In base64: what OpenAI sends are unit vectors, which a wrong reading would not be.
		var norm float64
		for _, v := range values {
			norm += v * v
		}
		if math.Abs(norm-1) > 1e-3 {
			t.Errorf("vector %d of %d values has norm %g", item.Index, len(values), norm)
		}
	}
}
