package claude

import (
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// An Answer is what has come of an answer so far.
type Answer struct {
	normal.Answer
	AsTool  bool // the arguments of AnswerTool are the text
	Streams bool // it comes in events

	begun  bool
	answer uint32 // the block of AnswerTool, counted from 1; 0: none
}

// Bytes returns the answer as an adapter's state.
func (a *Answer) Bytes() []byte {
	var e adapter.Encoder
	a.Encode(&e)
	return e.Bytes()
}

// Encode writes the answer into a state; Recall reads it.
func (a *Answer) Encode(e *adapter.Encoder) {
	e.Flag(1, a.AsTool)
	e.Flag(2, a.Streams)
	e.Flag(3, a.begun)
	e.Number(4, a.answer)
	mark := e.Open(5)
	a.Answer.Encode(e)
	e.Close(mark)
}

// Recall reads what Encode wrote.
func Recall(state []byte) (*Answer, error) {
	var a Answer
	d := adapter.Decoder{Rest: state}
	for d.Next() {
		switch d.Tag {
		case 1:
			a.AsTool = d.Flag()
		case 2:
			a.Streams = d.Flag()
		case 3:
			a.begun = d.Flag()
		case 4:
			a.answer = d.Number()
		case 5:
			a.Answer, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	return &a, d.Err
}

// Whole reads an answer that came in one piece.
func (a *Answer) Whole(body json.Value) (adapter.Reply, error) {
	if body.Get("error").Exists() || body.Get("type").Text() == "error" {
		return adapter.Reply{}, normal.ErrorInside(body)
	}
	content := body.Get("content")
	if content.Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("has no content")
	}
	a.head(body)
	index := int64(0)
	for block := range content.Items() {
		a.block(index, block)
		a.Close(index)
		index++
	}
	a.stop(body)
	return adapter.Do(adapter.Done(a.Chat())), nil
}

func (a *Answer) head(message json.Value) {
	a.begun = true
	a.ID = message.Get("id").Text()
	a.Model = message.Get("model").Text()
	a.count(message.Get("usage"))
}

// block takes a block, whole or the beginning of one. Those of tools that the provider itself runs are neither the answer nor the
// caller's to answer.
func (a *Answer) block(index int64, block json.Value) {
	switch block.Get("type").Text() {
	case "text":
		a.Say(block.Get("text").Text())
		for citation := range block.Get("citations").Items() {
			a.Cite(citation)
		}
	case "thinking":
		a.Think(block.Get("thinking").Text())
		a.Sign(block.Get("signature").Text())
	case "redacted_thinking":
		a.Hide(block.Get("data").Text())
	case "tool_use":
		call := normal.ToolCall{ID: block.Get("id").Text(), Name: block.Get("name").Text()}
		if input := block.Get("input"); !input.Empty() {
			call.Arguments = append(call.Arguments, input...)
		}
		a.Use(index, call)
	}
}

// Use takes a block in which a tool is called, whole or the beginning of it.
func (a *Answer) Use(index int64, call normal.ToolCall) {
	call.Index = uint32(index)
	if a.AsTool && call.Name == AnswerTool {
		a.answer = uint32(index) + 1
		a.Say(string(call.Arguments))
		return
	}
	a.Call(call)
}

// Input takes a piece of a call's arguments. Tools that the provider itself runs, which nobody took by Use, come in the same
// pieces.
func (a *Answer) Input(index int64, said string) {
	switch at := a.called(index); {
	case said == "":
	case a.answer > 0 && uint32(index)+1 == a.answer:
		a.Say(said)
	case at >= 0:
		a.Call(normal.ToolCall{Index: uint32(index), Arguments: []byte(said)})
	}
}

// Close takes the end of a block: a call whose arguments never came has none.
func (a *Answer) Close(index int64) {
	if at := a.called(index); at >= 0 && len(a.Calls[at].Arguments) == 0 {
		a.Call(normal.ToolCall{Index: uint32(index), Arguments: []byte("{}")})
	}
}

// called returns the place of the call that the block is, -1 if it is none.
func (a *Answer) called(index int64) int {
	for i := range a.Calls {
		if int64(a.Calls[i].Index) == index {
			return i
		}
	}
	return -1
}

// Cite keeps a citation, in the provider's form, in the result's metadata.
func (a *Answer) Cite(citation json.Value) {
	var w json.Writer
	w.Begin('[')
	for _, f := range a.Metadata {
		if f.Name == "citations" {
			for c := range f.Value.Items() {
				w.Raw(c)
			}
		}
	}
	w.Raw(citation)
	w.End(']')
	a.Note("citations", w.Bytes())
}

// stop takes why the model stopped; message is the whole of it, or what a stream says of it at its end.
func (a *Answer) stop(message json.Value) {
	if details := message.Get("stop_details"); details.Exists() {
		a.Note("stop_details", append(json.Value(nil), details...))
	}
	a.Stop(message.Get("stop_reason").Text())
}

// Stop takes the word for why the model stopped; empty: it has not.
func (a *Answer) Stop(reason string) {
	switch reason {
	case "":
	case "end_turn", "stop_sequence":
		a.Finish = "stop"
	case "max_tokens", "model_context_window_exceeded":
		a.Finish = "length"
	case "tool_use":
		a.Finish = "tool_calls"
		if a.answer > 0 && len(a.Calls) == 0 {
			a.Finish = "stop" // nobody is to answer the call of AnswerTool
		}
	case "refusal", "guardrail_intervened", "content_filtered":
		a.Finish = "content_filter"
	default:
		a.Finish = reason
	}
}

// count reads usage; in a stream it comes again, with the whole so far, and what is absent stands as it was. Anthropic counts
// apart what it reads from its cache and what it puts there; the normal form's input is all of it.
func (a *Answer) count(v json.Value) {
	u := &a.Usage
	plain := u.In - u.Cached - u.CacheWrite
	for _, f := range [...]struct {
		to   *int64
		from json.Value
	}{
		{&plain, v.Get("input_tokens")}, {&u.Out, v.Get("output_tokens")},
		{&u.Cached, v.Get("cache_read_input_tokens")}, {&u.CacheWrite, v.Get("cache_creation_input_tokens")},
		{&u.Reasoning, v.Pointer("/output_tokens_details/thinking_tokens")}, {&u.Units, v.Pointer("/server_tool_use/web_search_requests")},
	} {
		if n, ok := f.from.Int(); ok {
			*f.to, u.Known = n, true
		}
	}
	u.In = plain + u.Cached + u.CacheWrite
}

// Frame takes an event of a stream. The reply ends the execution with the last of them.
func (a *Answer) Frame(event json.Value) (adapter.Reply, error) {
	if event.Get("error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(event)
	}
	index, err := Index(event.Get("index"))
	if err != nil {
		return adapter.Reply{}, err
	}
	switch event.Get("type").Text() {
	case "message_start":
		if len(a.Text)+len(a.Thoughts)+len(a.Calls) > 0 {
			// What was handed on cannot be taken back: a proxy has put the answer of another try behind one that died.
			return adapter.Reply{}, normal.BrokeOff("a second message began before the first was over")
		}
		a.head(event.Get("message"))
	case "content_block_start":
		a.block(index, event.Get("content_block"))
	case "content_block_delta":
		a.piece(index, event.Get("delta"))
	case "content_block_stop":
		a.Close(index)
	case "message_delta":
		a.stop(event.Get("delta"))
		a.count(event.Get("usage"))
	case "message_stop":
		if !a.begun || a.Finish == "" {
			return adapter.Reply{}, normal.BrokeOff("it ended without a stop_reason")
		}
		return a.Done()
	}
	return a.Next(a.Bytes()) // pings, and what later versions add
}

// Index reads the number of a block; absent, it is 0.
func Index(v json.Value) (int64, error) {
	index, _ := v.Int()
	if index < 0 || index > 1<<16 {
		return 0, normal.Nonsense("has a block of an impossible number")
	}
	return index, nil
}

func (a *Answer) piece(index int64, delta json.Value) {
	switch delta.Get("type").Text() {
	case "text_delta":
		a.Say(delta.Get("text").Text())
	case "thinking_delta":
		a.Think(delta.Get("thinking").Text())
	case "signature_delta":
		a.Sign(delta.Get("signature").Text())
	case "citations_delta":
		a.Cite(delta.Get("citation"))
	case "input_json_delta":
		a.Input(index, delta.Get("partial_json").Text())
	}
}

// End judges a stream that is over without its last event. A proxy whose upstream died may well end its body cleanly.
func (a *Answer) End() (adapter.Reply, error) {
	return adapter.Reply{}, normal.BrokeOff("it did not end in message_stop")
}
