package openai

import "github.com/smarthausgroup/caio/sdk/adapter"

// kind tells what was asked for.
type kind uint32

const (
	kindChat      kind = 1
	kindEmbedding kind = 2
)

// state is what must be known when the next event comes: what was asked for, and what a stream has brought so far.
type state struct {
	kind   kind
	stream bool
	noDone bool
	inputs uint32 // embedding: texts that were sent

	begun     bool // a choice was seen
	done      bool // [DONE] was seen
	text      []byte
	refusal   []byte
	reasoning []byte
	finish    string
	model     string
	usage     usage
	calls     []toolCall
}

// usage counts tokens; known is false where the provider did not say.
type usage struct {
	known   bool
	in, out uint32
}

// toolCall is a call, as far as it has come.
type toolCall struct {
	index     uint32
	id, name  string
	arguments []byte
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Number(1, uint32(s.kind))
	e.Flag(2, s.stream)
	e.Flag(3, s.noDone)
	e.Number(4, s.inputs)
	e.Flag(5, s.begun)
	e.Data(6, s.text)
	e.Data(7, s.refusal)
	e.Data(8, s.reasoning)
	e.Text(9, s.finish)
	e.Text(10, s.model)
	e.Flag(11, s.usage.known)
	e.Number(12, s.usage.in)
	e.Number(13, s.usage.out)
	for i := range s.calls {
		c := &s.calls[i]
		mark := e.Open(14)
		e.Number(1, c.index)
		e.Text(2, c.id)
		e.Text(3, c.name)
		e.Data(4, c.arguments)
		e.Close(mark)
	}
	return e.Bytes()
}

func recall(doc []byte) (s state, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			s.kind = kind(d.Number())
		case 2:
			s.stream = d.Flag()
		case 3:
			s.noDone = d.Flag()
		case 4:
			s.inputs = d.Number()
		case 5:
			s.begun = d.Flag()
		case 6:
			s.text = d.Value
		case 7:
			s.refusal = d.Value
		case 8:
			s.reasoning = d.Value
		case 9:
			s.finish = d.Text()
		case 10:
			s.model = d.Text()
		case 11:
			s.usage.known = d.Flag()
		case 12:
			s.usage.in = d.Number()
		case 13:
			s.usage.out = d.Number()
		case 14:
			var c toolCall
			c, d.Err = recallCall(d.Value)
			s.calls = append(s.calls, c)
		}
	}
	return s, d.Err
}

func recallCall(doc []byte) (c toolCall, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			c.index = d.Number()
		case 2:
			c.id = d.Text()
		case 3:
			c.name = d.Text()
		case 4:
			c.arguments = d.Value
		}
	}
	return c, d.Err
}
