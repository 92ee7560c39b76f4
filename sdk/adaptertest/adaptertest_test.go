package adaptertest_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adaptertest"
)

// words is an adapter that says what each frame says; a frame "end" is its provider's last.
type words struct {
	careless bool // takes any end for a good one
	loses    bool // tells the caller nothing
	counts   *int // remembers outside of its state
}

func (words) Info() adapter.Info { return adapter.Info{Name: "words"} }

func (w words) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if w.counts != nil {
		*w.counts++
		state = fmt.Append(nil, *w.counts)
	}
	switch ev.Kind {
	case adapter.KindStart:
		call := adapter.HTTP("POST", "https://example.com/words", ev.Intent)
		call.Framing = "sse"
		return adapter.Do(call), nil
	case adapter.KindResponse:
		return adapter.Reply{State: state}, adapter.CheckStatus(ev.Status)
	case adapter.KindFrame:
		said := string(ev.Data)
		if said == "end" {
			return adapter.Do(adapter.Done(result(state))), nil
		}
		if w.loses {
			return adapter.Reply{State: append(state, said...)}, nil
		}
		delta, err := json.Marshal(map[string]string{"text": said})
		return adapter.Reply{State: append(state, said...), Actions: []adapter.Action{adapter.Emit(delta)}}, err
	}
	if w.careless {
		return adapter.Do(adapter.Done(result(state))), nil
	}
	return adapter.Reply{}, &adapter.Failure{Message: "it broke off"}
}

func result(text []byte) []byte {
	raw, err := json.Marshal(map[string]any{"chat": map[string]any{"message": map[string]any{"content": string(text)}}})
	if err != nil {
		panic(err) // a string can be written
	}
	return raw
}

func play(a adapter.Adapter, stream string) adaptertest.Play {
	return adaptertest.Play{Adapter: a, Intent: []byte(`{}`), Contract: []byte(`{}`), Answer: adaptertest.Always(&adaptertest.Response{Status: 200, Stream: stream})}
}

const stream = "data: a\n\ndata: b\n\ndata: end\n\n"

func TestAStreamIsPlayedWholeInPiecesAndCut(t *testing.T) {
	out, err := play(words{}, stream).Streamed()
	if err != nil || out.Failure != nil || string(out.Result) != string(result([]byte("ab"))) || out.Frames != 3 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestWhatIsWrongWithAnAdapterIsSeen(t *testing.T) {
	for _, c := range []struct {
		name string
		a    adapter.Adapter
		want string
	}{
		{"takes a cut for an end", words{careless: true}, "ends as if it were whole"},
		{"loses deltas", words{loses: true}, "the deltas say"},
		{"remembers", words{counts: new(int)}, "not pure"},
	} {
		if _, err := play(c.a, stream).Streamed(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("an adapter that %s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestARefusalComesWhole(t *testing.T) {
	p := play(words{}, "")
	p.Answer = adaptertest.Always(&adaptertest.Response{Status: 429, Body: json.RawMessage(`{}`)})
	if out, err := p.Run(); err != nil || out.Failure == nil || out.Failure.Reason != adapter.RateLimited {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestFramesOfServerSentEvents(t *testing.T) {
	for stream, want := range map[string][]adaptertest.Frame{
		"":                               nil,
		"data: a\n\n":                    {{Data: []byte("a")}},
		"\ufeffdata:a\r\n\r\ndata:b\r\r": {{Data: []byte("a")}, {Data: []byte("b")}},
		"event: x\ndata: a\ndata:  b\n\n: ping\n\ndata: c\n\n": {{"x", []byte("a\n b")}, {Data: []byte("c")}},
		"event: x\n\ndata: a": {{Data: []byte("a")}},
		"data\n\n":            {{Data: []byte{}}},
	} {
		if got, err := adaptertest.Frames("sse", strings.NewReader(stream)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v, want %+v", stream, got, err, want)
		}
	}
}

func TestFramesOfLines(t *testing.T) {
	want := []adaptertest.Frame{{Data: []byte(`{"a":1}`)}, {Data: []byte(`{}`)}}
	if got, err := adaptertest.Frames("ndjson", strings.NewReader("{\"a\":1}\r\n\n{}")); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// event writes an event of AWS's stream with text headers.
func event(headers [][2]string, payload string) []byte {
	var h []byte
	for _, header := range headers {
		h = append(append(h, byte(len(header[0]))), header[0]...)
		h = append(binary.BigEndian.AppendUint16(append(h, 7), uint16(len(header[1]))), header[1]...)
	}
	e := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	e = binary.BigEndian.AppendUint32(e, uint32(len(h)))
	e = binary.BigEndian.AppendUint32(e, crc32.ChecksumIEEE(e))
	e = append(append(e, h...), payload...)
	return binary.BigEndian.AppendUint32(e, crc32.ChecksumIEEE(e))
}

func TestFramesOfAnEventStream(t *testing.T) {
	body := append(event([][2]string{{":event-type", "delta"}, {":message-type", "event"}}, "{}"),
		event([][2]string{{":message-type", "exception"}, {":exception-type", "throttled"}}, "slow down")...)
	want := []adaptertest.Frame{{"delta", []byte("{}")}, {"exception/throttled", []byte("slow down")}}
	if got, err := adaptertest.Frames("eventstream", bytes.NewReader(body)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range body {
		wrong := bytes.Clone(body)
		wrong[n] ^= 1
		if _, err := adaptertest.Frames("eventstream", bytes.NewReader(wrong)); err == nil {
			t.Errorf("byte %d changed, and nothing was noticed", n)
		}
	}
	first := len(event([][2]string{{":event-type", "delta"}, {":message-type", "event"}}, "{}"))
	for n := range body {
		if _, err := adaptertest.Frames("eventstream", bytes.NewReader(body[:n])); (err == nil) != (n == 0 || n == first) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestExchangesAreLoaded(t *testing.T) {
	dir := t.TempDir()
	if _, err := adaptertest.Load(dir); err == nil {
		t.Error("a directory without exchanges was taken")
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "one.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"kind":"chat","request":null,"response":{"status":200,"headers":{"content-type":"audio/mpeg"},"body_base64":"AAE="},"note":"x"}`)
	all, err := adaptertest.Load(dir)
	if err != nil || len(all) != 1 || all[0].ID != "one" || all[0].Response.Header("Content-Type") != "audio/mpeg" || !bytes.Equal(all[0].Response.Bytes(), []byte{0, 1}) {
		t.Errorf("%+v, %v", all, err)
	}
	write(`{"kind":"chat"}`)
	if _, err := adaptertest.Load(dir); err == nil {
		t.Error("an exchange without a response was taken")
	}
}

func FuzzFrames(f *testing.F) {
	f.Add("sse", []byte(stream))
	f.Add("ndjson", []byte("{}\n{}"))
	f.Add("eventstream", event([][2]string{{":event-type", "x"}}, "{}"))
	f.Add("bytes", []byte("abc"))
	f.Fuzz(func(t *testing.T, framing string, body []byte) {
		frames, err := adaptertest.Frames(framing, bytes.NewReader(body))
		size := 0
		for _, frame := range frames {
			size += len(frame.Data)
		}
		if err == nil && size > len(body) {
			t.Errorf("%d bytes in frames of a body of %d", size, len(body))
		}
	})
}
