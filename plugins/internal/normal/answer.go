package normal

import (
	"strconv"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// An Answer is what has come of an answer so far: of a chat the message, of any other work what stands beside its result.
// Between the frames of a stream it lives in the adapter's state, by Encode and DecodeAnswer.
type Answer struct {
	Text     []byte
	Refusal  []byte // said instead of an answer; it is the text where there is no other
	Thoughts []Thought
	Calls    []ToolCall
	Media    []Media // pictures and audio that the message holds beside its text
	Finish   string  // "stop", "length", "tool_calls", "content_filter", or the provider's own word; empty: not over
	Model    string
	ID       string
	Usage    Usage
	Warnings []Warning
	Metadata []Field // fields of the result's metadata

	delta delta
}

// A Thought is a piece of reasoning; see caio.v1.Thought.
type Thought struct{ Text, Signature, Redacted string }

// A ToolCall is a call, as far as it has come. Index is the provider's number of it, by which its pieces find together.
type ToolCall struct {
	Index               uint32
	ID, Name, Signature string
	Arguments           []byte // JSON as text
}

// Media is a piece of a message that is no text. Data is base64.
type Media struct{ Type, Data string }

// A Field is a field of an object.
type Field struct {
	Name  string
	Value json.Value
}

// Say adds text.
func (a *Answer) Say(text string) {
	a.Text = append(a.Text, text...)
	a.delta.text = append(a.delta.text, text...)
}

// Refuse adds text in which the model refuses to answer.
func (a *Answer) Refuse(text string) {
	if a.Refusal = append(a.Refusal, text...); len(a.Text) == 0 {
		a.delta.text = append(a.delta.text, text...)
	}
}

// Think adds to the thought that is under way, or begins the first.
func (a *Answer) Think(text string) {
	if text == "" {
		return
	}
	if n := len(a.Thoughts); n == 0 || a.Thoughts[n-1].Signature != "" || a.Thoughts[n-1].Redacted != "" {
		a.Thoughts = append(a.Thoughts, Thought{})
	}
	a.Thoughts[len(a.Thoughts)-1].Text += text
	a.delta.thought = append(a.delta.thought, text...)
}

// Sign ends the thought that is under way with the provider's proof of it.
func (a *Answer) Sign(signature string) {
	if signature == "" {
		return
	}
	if n := len(a.Thoughts); n == 0 || a.Thoughts[n-1].Signature != "" || a.Thoughts[n-1].Redacted != "" {
		a.Thoughts = append(a.Thoughts, Thought{})
	}
	a.Thoughts[len(a.Thoughts)-1].Signature = signature
}

// Hide adds a thought that the provider hides.
func (a *Answer) Hide(redacted string) { a.Thoughts = append(a.Thoughts, Thought{Redacted: redacted}) }

// Call adds a piece of a call: to the one of its index, or as a new one. Calls stay in the order of their index.
func (a *Answer) Call(piece ToolCall) {
	at := len(a.Calls)
	for i := range a.Calls {
		if a.Calls[i].Index >= piece.Index {
			at = i
			break
		}
	}
	if at == len(a.Calls) || a.Calls[at].Index != piece.Index {
		a.Calls = append(a.Calls, ToolCall{})
		copy(a.Calls[at+1:], a.Calls[at:])
		a.Calls[at] = piece
	} else {
		call := &a.Calls[at]
		if call.ID == "" {
			call.ID = piece.ID
		}
		if call.Name == "" {
			call.Name = piece.Name
		}
		if call.Signature == "" {
			call.Signature = piece.Signature
		}
		call.Arguments = append(call.Arguments, piece.Arguments...)
	}
	a.delta.calls = append(a.delta.calls, deltaCall{at, piece})
}

// Show adds a picture or audio. A stream's deltas have no place for it but data, where it comes as {"parts": [...]}.
func (a *Answer) Show(m Media) {
	a.Media = append(a.Media, m)
	a.delta.media = append(a.delta.media, m)
}

// Note adds a field to the result's metadata, in place of one of the same name.
func (a *Answer) Note(name string, value json.Value) {
	for i := range a.Metadata {
		if a.Metadata[i].Name == name {
			a.Metadata[i].Value = value
			return
		}
	}
	a.Metadata = append(a.Metadata, Field{name, value})
}

// Emits returns what has come since the last Emits as a delta to be handed on; none if nothing has.
func (a *Answer) Emits() []adapter.Action {
	d := a.delta
	a.delta = delta{}
	if len(d.text)+len(d.thought)+len(d.calls)+len(d.media) == 0 {
		return nil
	}
	return []adapter.Action{adapter.Emit(d.json())}
}

// Next is the reply that hands on what has come and asks for the next frame, with what state writes as the adapter's state.
func (a *Answer) Next(state []byte) (adapter.Reply, error) {
	return adapter.Reply{State: state, Actions: a.Emits()}, nil
}

// Done is the reply that hands on what has come since and ends with the chat's result.
func (a *Answer) Done() (adapter.Reply, error) {
	return adapter.Reply{Actions: append(a.Emits(), adapter.Done(a.Chat()))}, nil
}

// DoneCode is Done for the answer to a code.
func (a *Answer) DoneCode() (adapter.Reply, error) {
	return adapter.Reply{Actions: append(a.Emits(), adapter.Done(a.Code(string(a.Text))))}, nil
}

// delta is what was not handed on yet.
type delta struct {
	text, thought []byte
	calls         []deltaCall
	media         []Media
}

type deltaCall struct {
	place int // among the calls
	piece ToolCall
}

func (d *delta) json() []byte {
	var w json.Writer
	w.Begin('{')
	if len(d.text) > 0 {
		w.Key("text")
		w.String(string(d.text))
	}
	if len(d.thought) > 0 {
		w.Key("reasoning")
		w.String(string(d.thought))
	}
	if len(d.calls) > 0 {
		w.Key("tool_calls")
		w.Begin('[')
		for _, c := range d.calls {
			w.Begin('{')
			w.Key("index")
			w.Int(int64(c.place))
			textField(&w, "id", c.piece.ID)
			textField(&w, "name", c.piece.Name)
			textField(&w, "arguments", string(c.piece.Arguments))
			w.End('}')
		}
		w.End(']')
	}
	if len(d.media) > 0 {
		w.Key("data")
		w.Begin('{')
		writeMedia(&w, d.media)
		w.End('}')
	}
	w.End('}')
	return w.Bytes()
}

func writeMedia(w *json.Writer, media []Media) {
	w.Key("parts")
	w.Begin('[')
	for _, m := range media {
		w.Begin('{')
		textField(w, "media_type", m.Type)
		textField(w, "data", m.Data)
		w.End('}')
	}
	w.End(']')
}

// Encode writes what has come. What was not handed on is forgotten.
func (a *Answer) Encode(e *adapter.Encoder) {
	e.Data(1, a.Text)
	e.Data(2, a.Refusal)
	e.Text(3, a.Finish)
	e.Text(4, a.Model)
	e.Text(5, a.ID)
	for i := range a.Thoughts {
		t := &a.Thoughts[i]
		mark := e.Open(6)
		e.Text(1, t.Text)
		e.Text(2, t.Signature)
		e.Text(3, t.Redacted)
		e.Close(mark)
	}
	for i := range a.Calls {
		c := &a.Calls[i]
		mark := e.Open(7)
		e.Number(1, c.Index)
		e.Text(2, c.ID)
		e.Text(3, c.Name)
		e.Text(4, c.Signature)
		e.Data(5, c.Arguments)
		e.Close(mark)
	}
	for _, w := range a.Warnings {
		mark := e.Open(8)
		e.Text(1, w.Parameter)
		e.Text(2, w.Message)
		e.Close(mark)
	}
	for _, f := range a.Metadata {
		mark := e.Open(9)
		e.Text(1, f.Name)
		e.Data(2, f.Value)
		e.Close(mark)
	}
	if a.Usage.Known {
		mark := e.Open(10)
		a.Usage.encode(e)
		e.Close(mark)
	}
	for _, m := range a.Media {
		mark := e.Open(11)
		e.Text(1, m.Type)
		e.Text(2, m.Data)
		e.Close(mark)
	}
}

// DecodeAnswer reads what Encode wrote. The texts point into doc.
func DecodeAnswer(doc []byte) (a Answer, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			a.Text = d.Value
		case 2:
			a.Refusal = d.Value
		case 3:
			a.Finish = d.Text()
		case 4:
			a.Model = d.Text()
		case 5:
			a.ID = d.Text()
		case 6:
			var t Thought
			d.Err = fields(d.Value, func(tag uint16, v []byte) { *[]*string{&t.Text, &t.Signature, &t.Redacted}[tag-1] = string(v) }, 3)
			a.Thoughts = append(a.Thoughts, t)
		case 7:
			var c ToolCall
			c, d.Err = decodeToolCall(d.Value)
			a.Calls = append(a.Calls, c)
		case 8:
			var w Warning
			d.Err = fields(d.Value, func(tag uint16, v []byte) { *[]*string{&w.Parameter, &w.Message}[tag-1] = string(v) }, 2)
			a.Warnings = append(a.Warnings, w)
		case 9:
			var f Field
			d.Err = fields(d.Value, func(tag uint16, v []byte) {
				if tag == 1 {
					f.Name = string(v)
				} else {
					f.Value = v
				}
			}, 2)
			a.Metadata = append(a.Metadata, f)
		case 10:
			a.Usage, d.Err = decodeUsage(d.Value)
		case 11:
			var m Media
			d.Err = fields(d.Value, func(tag uint16, v []byte) { *[]*string{&m.Type, &m.Data}[tag-1] = string(v) }, 2)
			a.Media = append(a.Media, m)
		}
	}
	return a, d.Err
}

func decodeToolCall(doc []byte) (c ToolCall, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			c.Index = d.Number()
		case 2:
			c.ID = d.Text()
		case 3:
			c.Name = d.Text()
		case 4:
			c.Signature = d.Text()
		case 5:
			c.Arguments = d.Value
		}
	}
	return c, d.Err
}

// fields calls f with each field of doc whose tag is 1 to last.
func fields(doc []byte, f func(tag uint16, v []byte), last uint16) error {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		if d.Tag >= 1 && d.Tag <= last {
			f(d.Tag, d.Value)
		}
	}
	return d.Err
}

// Usage is what was consumed; see caio.v1.Usage. Known is false where the provider did not say anything of it.
type Usage struct {
	Known                                  bool
	In, Out, Cached, CacheWrite, Reasoning int64
	Characters, Units                      int64
	Seconds, Cost                          float64 // Cost below 0, or 0: not said
}

func (u *Usage) counts() [7]*int64 {
	return [...]*int64{&u.In, &u.Out, &u.Cached, &u.CacheWrite, &u.Reasoning, &u.Characters, &u.Units}
}

func (u *Usage) encode(e *adapter.Encoder) {
	for i, n := range u.counts() {
		e.Number(uint16(i+1), bound(*n))
	}
	if u.Seconds != 0 {
		e.Text(8, strconv.FormatFloat(u.Seconds, 'g', -1, 64))
	}
	if u.Cost != 0 {
		e.Text(9, strconv.FormatFloat(u.Cost, 'g', -1, 64))
	}
}

func decodeUsage(doc []byte) (u Usage, err error) {
	u.Known = true
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch {
		case d.Tag >= 1 && d.Tag <= 7:
			*u.counts()[d.Tag-1] = int64(d.Number())
		case d.Tag == 8:
			u.Seconds, d.Err = strconv.ParseFloat(d.Text(), 64)
		case d.Tag == 9:
			u.Cost, d.Err = strconv.ParseFloat(d.Text(), 64)
		}
	}
	return u, d.Err
}

// bound makes a count one that the result can hold.
func bound(n int64) uint32 { return uint32(min(max(n, 0), 1<<31-1)) }

// Count returns the first of vs that is a number, and whether there is one.
func Count(vs ...json.Value) (int64, bool) {
	for _, v := range vs {
		if n, ok := v.Int(); ok {
			return n, true
		}
	}
	return 0, false
}
