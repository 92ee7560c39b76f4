package adapter

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden/*.bin anew from *.json")

// golden is what testdata/golden/NAME.json says of NAME.bin. The host's tests read the same files, so neither side can
// drift from the other without a red test.
type golden struct {
	Note     string         `json:"note"`
	Call     *goldenCall    `json:"call,omitempty"`
	Reply    *goldenReply   `json:"reply,omitempty"`
	Describe []goldenInfo   `json:"describe,omitempty"`
	Extra    []goldenRecord `json:"extra,omitempty"`   // fields that follow at the end of the document
	Cut      int            `json:"cut,omitempty"`     // bytes taken off its end
	Refused  string         `json:"refused,omitempty"` // the reader's complaint
}

type goldenRecord struct {
	Tag   uint16 `json:"tag"`
	Value string `json:"value"`
}

// goldenInfo also has what this side says of all its adapters.
type goldenInfo struct {
	Info
	Frames bool
}

type goldenCall struct {
	Adapter string      `json:"adapter"`
	State   string      `json:"state"`
	Event   goldenEvent `json:"event"`
}

type goldenEvent struct {
	Kind     EventKind
	Intent   string
	Contract string
	Stream   bool
	Status   int
	Headers  []Header
	Body     string
	Name     string
	Data     string
	More     []struct{ Name, Data string }
}

type goldenReply struct {
	State   string
	Actions []struct {
		Kind      ActionKind
		Method    string
		URL       string
		Headers   []Header
		Body      string
		Framing   string
		DelayMS   uint32
		Data      string
		Code      string
		Message   string
		Status    int
		Retryable bool
	}
}

func (g goldenEvent) event() Event {
	ev := Event{Kind: g.Kind, Intent: data(g.Intent), Contract: data(g.Contract), Stream: g.Stream, Status: g.Status,
		Headers: g.Headers, Body: data(g.Body), Name: g.Name, Data: data(g.Data)}
	for _, f := range g.More {
		ev.more = append(ev.more, Frame{f.Name, data(f.Data)})
	}
	return ev
}

func (g goldenReply) reply() (r Reply) {
	r.State = data(g.State)
	for _, a := range g.Actions {
		r.Actions = append(r.Actions, Action{Kind: a.Kind, Method: a.Method, URL: a.URL, Headers: a.Headers, Body: data(a.Body),
			Framing: a.Framing, DelayMS: a.DelayMS, Data: data(a.Data), Code: a.Code, Message: a.Message, Status: a.Status, Retryable: a.Retryable})
	}
	return r
}

func data(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// bytes builds the document as the host (a call) or the guest (the others) writes it.
func (g golden) bytes() []byte {
	var e Encoder
	switch {
	case g.Call != nil:
		encodeCall(&e, call{g.Call.Adapter, data(g.Call.State), g.Call.Event.event()})
	case g.Reply != nil:
		encodeReply(&e, g.Reply.reply())
	default:
		infos := make([]Info, len(g.Describe))
		for i := range infos {
			infos[i] = g.Describe[i].Info
		}
		encodeInfos(&e, infos)
	}
	for _, r := range g.Extra {
		e.buf = binary.LittleEndian.AppendUint16(e.buf, r.Tag)
		e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(len(r.Value)))
		e.buf = append(e.buf, r.Value...)
	}
	return e.buf[:len(e.buf)-g.Cut]
}

// encodeCall is the host's half of the codec, for tests.
func encodeCall(e *Encoder, c call) {
	e.Text(1, c.adapter)
	e.Data(2, c.state)
	mark := e.Open(3)
	e.Number(1, uint32(c.event.Kind))
	e.Data(2, c.event.Intent)
	e.Data(3, c.event.Contract)
	e.Flag(4, c.event.Stream)
	e.Number(5, uint32(c.event.Status))
	for _, h := range c.event.Headers {
		mark := e.Open(6)
		e.Text(1, h.Name)
		e.Text(2, h.Value)
		e.Close(mark)
	}
	e.Data(7, c.event.Body)
	e.Text(8, c.event.Name)
	e.Data(9, c.event.Data)
	for _, f := range c.event.more {
		mark := e.Open(10 | Critical)
		e.Text(8, f.Name)
		e.Data(9, f.Data)
		e.Close(mark)
	}
	e.Close(mark)
}

func TestGoldenDocuments(t *testing.T) {
	files, _ := filepath.Glob("testdata/golden/*.json")
	if len(files) < 10 {
		t.Fatalf("%d golden documents", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&g); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		binFile := strings.TrimSuffix(file, ".json") + ".bin"
		if *update {
			if err := os.WriteFile(binFile, g.bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		bin, err := os.ReadFile(binFile)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { g.check(t, bin) })
	}
}

func (g golden) check(t *testing.T, bin []byte) {
	if want := g.bytes(); !bytes.Equal(bin, want) {
		t.Errorf("written as\n%x, want\n%x", want, bin)
	}
	if g.Call == nil {
		return // guests write the others, the host's tests read them
	}
	got, err := decodeCall(bin)
	if g.Refused != "" {
		if err == nil || !strings.Contains(err.Error(), g.Refused) {
			t.Errorf("refused with %v, want %q", err, g.Refused)
		}
		return
	}
	want := call{g.Call.Adapter, data(g.Call.State), g.Call.Event.event()}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
}

// FuzzStep hands foreign bytes to the guest's door: whatever comes, a reply goes out that its own reader takes, and a call
// that is understood survives being written again.
func FuzzStep(f *testing.F) {
	files, _ := filepath.Glob("testdata/golden/*.bin")
	for _, file := range files {
		seed, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var out Encoder
		step(&out, []Adapter{mirror{}}, doc)
		d := Decoder{Rest: out.Bytes()}
		for d.Next() {
			if d.Tag == 2 {
				for a := (Decoder{Rest: d.Value}); a.Next() || a.Err != nil; {
					if a.Err != nil {
						t.Fatal(a.Err)
					}
				}
			}
		}
		if d.Err != nil {
			t.Fatal(d.Err)
		}
		c, err := decodeCall(doc)
		if err != nil {
			return
		}
		var again Encoder
		encodeCall(&again, c)
		same, err := decodeCall(again.Bytes())
		// An absent value and an empty one mean the same, and are not told apart after writing.
		if err != nil || !bytes.Equal(same.state, c.state) || same.event.Kind != c.event.Kind || !bytes.Equal(same.event.Body, c.event.Body) ||
			!reflect.DeepEqual(same.event.Headers, c.event.Headers) || same.event.Status != c.event.Status {
			t.Fatalf("%+v became %+v, %v", c, same, err)
		}
	})
}

// mirror hands back what it got.
type mirror struct{}

func (mirror) Info() Info { return Info{Name: "mirror", Version: "1.0.0"} }

func (mirror) Step(state []byte, ev *Event) (Reply, error) {
	return Reply{State: state, Actions: []Action{
		{Kind: ActionHTTP, Method: "POST", URL: ev.Name, Headers: ev.Headers, Body: ev.Body, Status: ev.Status, Retryable: ev.Stream}}}, nil
}
