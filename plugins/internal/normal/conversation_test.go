package normal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(t *testing.T, intent string) *normal.Call {
	t.Helper()
	c, err := normal.Start(&adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(`{"base_url":"https://x"}`)}, "chat")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConversationsAreReadWhole(t *testing.T) {
	// As the host writes it: every field is there, said or not.
	c := begin(t, `{"unsupported":"","chat":{"messages":[
		{"role":"user","content":"see","parts":[{"media_type":"image/png","data":"aGk=","name":""},{"text":""},{"media_type":"","url":"https://x/a","name":"a"},{"url":"data:image/gif;base64,R0lG"}],"tool_calls":[],"thoughts":[],"tool_call_id":"","name":""},
		{"role":"assistant","content":"","thoughts":[{"text":"hm","signature":"s","redacted":""}],"tool_calls":[{"id":"1","name":"f","arguments":"","signature":"p"}]},
		{"role":"tool","content":"4","tool_call_id":"1"}],
		"tools":[{"name":"f","description":"","parameters":{"type":"object"}},{"name":"g","parameters":null}]}}`)
	m, err := c.Conversation()
	if err != nil {
		t.Fatal(err)
	}
	if p := m[0].Parts; len(p) != 4 || p[3].Media != "image/gif" || p[3].Data != "R0lG" || p[3].URL != "" || p[0].Data != "aGk=" || p[0].IsText || !p[1].IsText || p[2].URL != "https://x/a" || p[2].Name != "a" || p[2].At != "chat.messages[0].parts[2]" {
		t.Errorf("parts %+v", p)
	}
	if a := m[1]; a.Thoughts[0] != (normal.Thought{Text: "hm", Signature: "s"}) || string(a.Calls[0].Arguments) != "{}" || a.Calls[0].Signature != "p" {
		t.Errorf("assistant %+v", a)
	}
	if name := normal.NameOf(&m[2], m[:2]); name != "f" {
		t.Errorf("the tool is %q", name)
	}
	tools, err := c.Tools()
	if err != nil || len(tools) != 2 || string(tools[0].Parameters) != `{"type":"object"}` || tools[1].Parameters != nil {
		t.Errorf("tools %+v, %v", tools, err)
	}
}

func TestConversationsThatMakeNoSense(t *testing.T) {
	for name, row := range map[string]struct{ messages, code, says string }{
		"none":              {``, adapter.InvalidRequest, "chat.messages: there is none"},
		"role":              {`{"role":"robot"}`, adapter.InvalidRequest, "chat.messages[0].role: "},
		"user calls":        {`{"role":"user","tool_calls":[{"name":"f"}]}`, adapter.InvalidRequest, "chat.messages[0].tool_calls: "},
		"user thinks":       {`{"role":"user","thoughts":[{"text":"x"}]}`, adapter.InvalidRequest, "chat.messages[0].thoughts: "},
		"tool without call": {`{"role":"tool"}`, adapter.InvalidRequest, "chat.messages[0].tool_call_id: "},
		"user answers":      {`{"role":"user","tool_call_id":"1"}`, adapter.InvalidRequest, "chat.messages[0].tool_call_id: "},
		"arguments":         {`{"role":"assistant","tool_calls":[{"name":"f","arguments":"{"}]}`, adapter.InvalidRequest, "chat.messages[0].tool_calls[0].arguments: "},
		"empty part":        {`{"role":"user","parts":[{"media_type":"image/png"}]}`, adapter.InvalidRequest, "chat.messages[0].parts[0]: "},
		"later field":       {`{"role":"user","mood":"good"}`, adapter.TransformationFailed, "chat.messages[0].mood: "},
		"later part field":  {`{"role":"user","parts":[{"text":"x","detail":"high"}]}`, adapter.TransformationFailed, "chat.messages[0].parts[0].detail: "},
	} {
		_, err := begin(t, `{"chat":{"messages":[`+row.messages+`]}}`).Conversation()
		var f *adapter.Failure
		if !errors.As(err, &f) || f.Code != row.code || !strings.HasPrefix(f.Message, row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := begin(t, `{"unsupported":"warn","chat":{"messages":[{"role":"user","mood":"good"}],"tools":[{"name":"f","strict":true}]}}`)
	_, err := c.Conversation()
	_, err2 := c.Tools()
	if err != nil || err2 != nil || len(c.Warnings) != 2 || c.Warnings[0].Parameter != "chat.messages[0].mood" || c.Warnings[1].Parameter != "chat.tools[0].strict" {
		t.Errorf("warnings %+v, %v, %v", c.Warnings, err, err2)
	}
}

func TestMediaSurviveTheState(t *testing.T) {
	var a normal.Answer
	a.Say("see")
	a.Show(normal.Media{Type: "image/png", Data: "aGk="})
	if emits := a.Emits(); len(emits) != 1 || string(emits[0].Data) != `{"text":"see","data":{"parts":[{"media_type":"image/png","data":"aGk="}]}}` {
		t.Errorf("emits %+v", emits)
	}
	var e adapter.Encoder
	a.Encode(&e)
	b, err := normal.DecodeAnswer(e.Bytes())
	want := `{"chat":{"message":{"role":"assistant","content":"see","parts":[{"media_type":"image/png","data":"aGk="}]},"finish_reason":"stop"}}`
	if b.Finish = "stop"; err != nil || string(b.Chat()) != want {
		t.Errorf("%s, %v", b.Chat(), err)
	}
}
