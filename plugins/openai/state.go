package openai

import (
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// state is what must be known when the next event comes: what was asked for, and what a stream has brought so far.
type state struct {
	kind      string
	stream    bool
	done      bool   // a stream must end in [DONE]
	inputs    uint32 // embedding: texts that were sent
	begun     bool   // a choice was seen
	responses bool   // it was asked by way of /responses
	from      uint32 // where the text of the part that is under way begins
	words     bool   // transcription: when each word was spoken is wanted
	media     string // speech, image: the media type that was asked for
	normal.Answer
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Text(1, s.kind)
	e.Flag(2, s.stream)
	e.Flag(3, s.done)
	e.Number(4, s.inputs)
	e.Flag(5, s.begun)
	e.Text(7, s.media)
	e.Flag(8, s.words)
	e.Flag(9, s.responses)
	e.Number(10, s.from)
	mark := e.Open(6)
	s.Answer.Encode(&e)
	e.Close(mark)
	return e.Bytes()
}

func recall(doc []byte) (s state, err error) {
	d := adapter.Decoder{Rest: doc}
	for d.Next() {
		switch d.Tag {
		case 1:
			s.kind = d.Text()
		case 2:
			s.stream = d.Flag()
		case 3:
			s.done = d.Flag()
		case 4:
			s.inputs = d.Number()
		case 5:
			s.begun = d.Flag()
		case 6:
			s.Answer, d.Err = normal.DecodeAnswer(d.Value)
		case 7:
			s.media = d.Text()
		case 8:
			s.words = d.Flag()
		case 9:
			s.responses = d.Flag()
		case 10:
			s.from = d.Number()
		}
	}
	return s, d.Err
}
