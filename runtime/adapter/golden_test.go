package adapter

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const goldenDir = "../../sdk/adapter/testdata/golden"

// golden is the readable half of a golden document; the SDK's tests hold the same files from the guest's side.
type golden struct {
	Call *struct {
		Adapter, State string
		Event          struct {
			Kind             EventKind
			Intent, Contract string
			Stream           bool
			Status           int
			Headers          []Header
			Body, Name, Data string
			More             []struct{ Name, Data string }
		}
	}
	Reply *struct {
		State   string
		Actions []struct {
			Kind                ActionKind
			Method, URL         string
			Headers             []Header
			Body, Framing       string
			DelayMS             uint32
			Data, Code, Message string
			Status              int
			Retryable           bool
		}
	}
	Describe []Info
	Extra    []json.RawMessage
	Cut      int
	Refused  string
}

func (g *golden) event() Event {
	ev := g.Call.Event
	out := Event{Kind: ev.Kind, Intent: octets(ev.Intent), Contract: octets(ev.Contract), Stream: ev.Stream, Status: ev.Status,
		Headers: ev.Headers, Body: octets(ev.Body), Name: ev.Name, Data: octets(ev.Data)}
	for _, f := range ev.More {
		out.More = append(out.More, Frame{f.Name, octets(f.Data)})
	}
	return out
}

func (g *golden) reply() Reply {
	r := Reply{State: octets(g.Reply.State)}
	for _, a := range g.Reply.Actions {
		r.Actions = append(r.Actions, Action{Kind: a.Kind, Method: a.Method, URL: a.URL, Headers: a.Headers, Body: octets(a.Body),
			Framing: a.Framing, DelayMS: a.DelayMS, Data: octets(a.Data), Code: a.Code, Message: a.Message, Status: a.Status, Retryable: a.Retryable})
	}
	return r
}

func octets(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func TestGoldenDocuments(t *testing.T) {
	files, _ := filepath.Glob(goldenDir + "/*.json")
	if len(files) < 10 {
		t.Fatalf("%d golden documents in %s", len(files), goldenDir)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			bin, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".bin")
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(text, &g); err != nil {
				t.Fatal(err)
			}
			g.check(t, bin)
		})
	}
}

func (g *golden) check(t *testing.T, bin []byte) {
	switch {
	case g.Call != nil && g.Extra == nil && g.Cut == 0: // this side writes calls
		ev := g.event()
		if got := appendCall(nil, g.Call.Adapter, octets(g.Call.State), &ev); !bytes.Equal(got, bin) {
			t.Errorf("wrote\n%x, want\n%x", got, bin)
		}
	case g.Reply != nil: // and reads replies
		got, err := decodeReply(bin)
		if err == nil {
			err = checkReply(&got, &Event{Kind: KindFrame})
		}
		if g.Refused != "" {
			if err == nil || !strings.Contains(err.Error(), g.Refused) {
				t.Errorf("refused with %v, want %q", err, g.Refused)
			}
			return
		}
		if want := g.reply(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, %v; want %+v", got, err, want)
		}
	case g.Describe != nil:
		if got, err := decodeInfos(bin); err != nil || !reflect.DeepEqual(got, g.Describe) {
			t.Errorf("read %+v, %v", got, err)
		}
	}
}

// FuzzReply reads what a hostile guest may have written: it never panics, and what passes keeps to the rules.
func FuzzReply(f *testing.F) {
	files, _ := filepath.Glob(goldenDir + "/*.bin")
	for _, file := range files {
		seed, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if infos, err := decodeInfos(doc); err == nil {
			for _, info := range infos {
				if !validName(info.Name) {
					t.Fatalf("name %q", info.Name)
				}
			}
		}
		r, err := decodeReply(doc)
		if err != nil || checkReply(&r, &Event{Kind: KindFrame}) != nil {
			return
		}
		for i, a := range r.Actions {
			if a.Kind < ActionHTTP || a.Kind > ActionFail || a.Kind != ActionEmit && i != len(r.Actions)-1 || len(a.Message) > maxMessage+3 || a.Status > 999 {
				t.Fatalf("action %d of %+v", i, r)
			}
		}
	})
}

// FuzzCall holds sizeCall equal to appendCall: the document is written into exactly that much of the guest's memory.
func FuzzCall(f *testing.F) {
	f.Add("a", []byte("s"), uint8(1), []byte("{}"), []byte("{}"), true, 200, "name", "value", []byte("body"))
	f.Add("", []byte(nil), uint8(0), []byte(nil), []byte(nil), false, 0, "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, adapter string, state []byte, kind uint8, intent, contract []byte, stream bool, status int, name, value string, body []byte) {
		ev := Event{Kind: EventKind(kind), Intent: intent, Contract: contract, Stream: stream, Status: status,
			Headers: []Header{{name, value}, {value, name}}, Body: body, Name: name, Data: state}
		if got, want := len(appendCall(nil, adapter, state, &ev)), sizeCall(adapter, state, &ev); got != want {
			t.Fatalf("%d bytes, sizeCall says %d", got, want)
		}
	})
}
