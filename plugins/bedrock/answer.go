package bedrock

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/claude"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// An answer is what has come of Converse's answer so far.
type answer struct {
	claude.Answer
	stopped bool // messageStop came
	counted bool // metadata came
}

// bytes returns the answer as pack does, with no copy between: it is written anew with every frame.
func (a *answer) bytes() []byte {
	var e adapter.Encoder
	e.Number(1, kindConverse)
	state := e.Open(2)
	e.Flag(1, a.stopped)
	e.Flag(2, a.counted)
	inner := e.Open(3)
	a.Encode(&e)
	e.Close(inner)
	e.Close(state)
	return e.Bytes()
}

func recall(state []byte) (*answer, error) {
	var a answer
	d := adapter.Decoder{Rest: state}
	for d.Next() {
		switch d.Tag {
		case 1:
			a.stopped = d.Flag()
		case 2:
			a.counted = d.Flag()
		case 3:
			var inner *claude.Answer
			inner, d.Err = claude.Recall(d.Value)
			a.Answer = *inner
		}
	}
	return &a, d.Err
}

// conversed takes an event of a conversation. state is as it came, rest what is in it.
func conversed(state, rest []byte, ev *adapter.Event) (adapter.Reply, error) {
	a, err := recall(rest)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		if a.ID = normal.Header(ev.Headers, "x-amzn-requestid"); a.Streams {
			return adapter.Reply{State: a.bytes()}, nil
		}
		body, err := json.Parse(ev.Body)
		if err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
		return a.whole(body)
	case adapter.KindFrame:
		name, event, err := frame(ev)
		if err != nil {
			return adapter.Reply{}, err
		}
		if name != "" {
			err = a.event(name, event)
		} else { // InvokeModel wraps the event in an object of its name
			for name, event := range event.Fields() {
				if err == nil {
					err = a.event(name, event)
				}
			}
		}
		switch {
		case err != nil:
			return adapter.Reply{}, err
		case a.stopped && a.counted:
			return a.Done()
		}
		return a.Next(a.bytes())
	case adapter.KindEnd:
		return adapter.Reply{}, normal.BrokeOff("it did not end in messageStop and metadata")
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

// invoked takes an event of an InvokeModel with a model of Anthropic.
func invoked(state, rest []byte, ev *adapter.Event) (adapter.Reply, error) {
	a, err := claude.Recall(rest)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		if a.Streams {
			return adapter.Reply{State: state}, nil
		}
		body, err := json.Parse(ev.Body)
		if err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
		return a.Whole(body)
	case adapter.KindFrame:
		name, event, err := frame(ev)
		if err != nil || name != "" {
			return adapter.Reply{State: state}, err
		}
		reply, err := a.Frame(event)
		if reply.State != nil {
			reply.State = pack(kindClaude, reply.State)
		}
		return reply, err
	case adapter.KindEnd:
		return a.End()
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

// frame reads a frame of a stream: an event's name and what it holds. Of InvokeModel's chunks the name is empty: what they
// hold is the maker's own.
func frame(ev *adapter.Event) (name string, event json.Value, err error) {
	if event, err = json.Parse(ev.Data); err != nil {
		return "", nil, normal.Nonsense("has a frame that is " + err.Error())
	}
	if exception, ok := strings.CutPrefix(ev.Name, "exception/"); ok {
		return "", nil, thrown(exception, event)
	}
	if ev.Name != "chunk" {
		return ev.Name, event, nil
	}
	chunk, err := base64.StdEncoding.DecodeString(event.Get("bytes").Text())
	if err != nil {
		return "", nil, normal.Nonsense("has a chunk that is no base64")
	}
	if event, err = json.Parse(chunk); err != nil {
		return "", nil, normal.Nonsense("has a chunk that is " + err.Error())
	}
	return "", event, nil
}

// whole reads an answer that came in one piece.
func (a *answer) whole(body json.Value) (adapter.Reply, error) {
	message := body.Pointer("/output/message")
	if message.Kind() != json.Object {
		if said, _ := normal.Complaint(body); said != "" {
			return adapter.Reply{}, normal.ErrorInside(body)
		}
		return adapter.Reply{}, normal.Nonsense("has no output.message")
	}
	index := int64(0)
	for block := range message.Get("content").Items() {
		a.block(index, block)
		a.Close(index)
		index++
	}
	a.Stop(body.Get("stopReason").Text())
	a.metadata(body)
	return adapter.Do(adapter.Done(a.Chat())), nil
}

// block takes a whole block. Those of tools that the provider itself runs are neither the answer nor the caller's to answer.
func (a *answer) block(index int64, block json.Value) {
	a.Say(block.Get("text").Text())
	cited := block.Get("citationsContent")
	for piece := range cited.Get("content").Items() {
		a.Say(piece.Get("text").Text())
	}
	for citation := range cited.Get("citations").Items() {
		a.Cite(citation)
	}
	if thought := block.Get("reasoningContent"); thought.Exists() {
		a.thought(thought, thought.Get("reasoningText"))
	}
	if use := block.Get("toolUse"); use.Exists() && use.Get("type").Text() != "server_tool_use" {
		call := toolUse(use)
		if input := use.Get("input"); !input.Empty() {
			call.Arguments = append(call.Arguments, input...)
		}
		a.Use(index, call)
	}
}

func toolUse(v json.Value) normal.ToolCall {
	return normal.ToolCall{ID: v.Get("toolUseId").Text(), Name: v.Get("name").Text()}
}

// thought takes what holds a hidden thought, and what holds an open one.
func (a *answer) thought(hidden, open json.Value) {
	a.Think(open.Get("text").Text())
	a.Sign(open.Get("signature").Text())
	if redacted := hidden.Get("redactedContent").Text(); redacted != "" {
		a.Hide(redacted)
	}
}

// event takes an event of a stream.
func (a *answer) event(name string, v json.Value) error {
	index, err := claude.Index(v.Get("contentBlockIndex"))
	if err != nil {
		return err
	}
	switch name {
	case "contentBlockStart":
		if use := v.Pointer("/start/toolUse"); use.Exists() && use.Get("type").Text() != "server_tool_use" {
			a.Use(index, toolUse(use))
		}
	case "contentBlockDelta":
		delta := v.Get("delta")
		a.Say(delta.Get("text").Text())
		if citation := delta.Get("citation"); citation.Exists() {
			a.Cite(citation)
		}
		if thought := delta.Get("reasoningContent"); thought.Exists() {
			a.thought(thought, thought)
		}
		switch input := delta.Pointer("/toolUse/input"); input.Kind() {
		case json.String:
			a.Input(index, input.Text())
		case json.Object: // so Nova, by InvokeModel
			a.Input(index, string(input))
		}
	case "contentBlockStop":
		a.Close(index)
	case "messageStop":
		a.stopped = true
		a.Stop(v.Get("stopReason").Text())
	case "metadata":
		a.counted = true
		a.metadata(v)
	}
	return nil
}

// metadata reads what stands beside the message. AWS counts apart what was read from the cache and what was put there; the
// normal form's input is all of it.
func (a *answer) metadata(v json.Value) {
	if trace := v.Get("trace"); !trace.Empty() {
		a.Note("trace", append(json.Value(nil), trace...))
	}
	if model := v.Pointer("/trace/promptRouter/invokedModelId").Text(); model != "" {
		a.Model = model
	}
	usage, u := v.Get("usage"), &a.Usage
	in, okIn := normal.Count(usage.Get("inputTokens"))
	out, okOut := normal.Count(usage.Get("outputTokens"))
	if !okIn && !okOut {
		return
	}
	u.Known = true
	u.Cached, _ = normal.Count(usage.Get("cacheReadInputTokens"), usage.Get("cacheReadInputTokenCount"))
	u.CacheWrite, _ = normal.Count(usage.Get("cacheWriteInputTokens"), usage.Get("cacheWriteInputTokenCount"))
	u.In, u.Out = in+u.Cached+u.CacheWrite, out
}
