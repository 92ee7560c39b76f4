package audio_test

import (
	"bytes"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/audio"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// TestPiecesThatComeTogetherAreAsOneByOne takes the same pieces in both ways.
func TestPiecesThatComeTogetherAreAsOneByOne(t *testing.T) {
	w := audio.Work{Speech: true, Stream: true, Media: "audio/mpeg"}
	begun, err := w.Begin(normal.PostStream("", "https://x", nil))
	if err != nil || begun.Actions[0].Framing != "bytes" {
		t.Fatalf("%+v, %v", begun, err)
	}
	var r audio.Reader
	head, err := r.Step(begun.State, &adapter.Event{Kind: adapter.KindResponse, Status: 200})
	if err != nil || len(head.Actions) != 0 {
		t.Fatalf("%+v, %v", head, err)
	}
	frames := []adapter.Frame{{Data: []byte("ID3")}, {}, {Data: []byte{0, 255}}, {Data: []byte("x")}}
	together, err := audio.Frames(head.State, frames)
	if err != nil {
		t.Fatal(err)
	}
	state, emitted := head.State, []adapter.Action(nil)
	for _, f := range frames {
		one, err := r.Step(state, &adapter.Event{Kind: adapter.KindFrame, Data: f.Data})
		if err != nil {
			t.Fatal(err)
		}
		state, emitted = one.State, append(emitted, one.Actions...)
	}
	if !bytes.Equal(state, together.State) || len(emitted) != 3 || len(together.Actions) != 3 {
		t.Fatalf("%d pieces one by one, %d together", len(emitted), len(together.Actions))
	}
	for i := range emitted {
		if !bytes.Equal(emitted[i].Data, together.Actions[i].Data) {
			t.Errorf("piece %d is %s, together %s", i, emitted[i].Data, together.Actions[i].Data)
		}
	}
	end, err := r.Step(state, &adapter.Event{Kind: adapter.KindEnd})
	if want := `{"speech":{"audio":"SUQzAP94","media_type":"audio/mpeg"}}`; err != nil || string(end.Actions[0].Data) != want {
		t.Errorf("%s, %v", end.Actions[0].Data, err)
	}
}
