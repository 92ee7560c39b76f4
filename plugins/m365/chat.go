package m365

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// chat begins a conversation, and keeps what is to be said in it.
func (set *settings) chat(c *normal.Call, s *state) (adapter.Action, error) {
	if err := c.Takes("messages"); err != nil {
		return adapter.Action{}, err
	}
	messages, err := c.Conversation()
	if err != nil {
		return adapter.Action{}, err
	}
	last := &messages[len(messages)-1]
	if last.Role != "user" {
		return adapter.Action{}, normal.Invalid(last.At, "the last message must be a user's")
	}
	var files, context []string
	for i := range messages {
		said, err := text(c, &messages[i], &files)
		if err != nil {
			return adapter.Action{}, err
		}
		switch {
		case i == len(messages)-1:
			s.message = set.message(said, context, files)
		case messages[i].Role == "system":
			context = append(context, said)
		default:
			context = append(context, messages[i].Role+": "+said)
		}
	}
	s.at = c.Base + "/beta/copilot/conversations"
	return normal.Post(s.at, []byte("{}")), nil
}

// text returns what a message says, and adds the files that it names.
func text(c *normal.Call, m *normal.Message, files *[]string) (string, error) {
	all := []string{m.Text}
	for _, p := range m.Parts {
		switch {
		case p.IsText:
			all = append(all, p.Text)
		case p.URL != "":
			*files = append(*files, p.URL)
		default:
			if err := c.Cannot(p.At+".data", "Copilot takes files by their URL in SharePoint or OneDrive"); err != nil {
				return "", err
			}
		}
	}
	if m.Role == "tool" || len(m.Calls) > 0 {
		if err := c.Cannot(m.At, "Copilot has no tools of the caller's"); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(strings.Join(all, "\n")), nil
}

func (set *settings) message(said string, context, files []string) []byte {
	var w json.Writer
	object := func(name, key, value string) {
		w.Key(name)
		w.Begin('{')
		w.Key(key)
		w.String(value)
		w.End('}')
	}
	list := func(name, key string, values []string) {
		if len(values) == 0 {
			return
		}
		w.Key(name)
		w.Begin('[')
		for _, v := range values {
			w.Begin('{')
			w.Key(key)
			w.String(v)
			w.End('}')
		}
		w.End(']')
	}
	w.Begin('{')
	object("message", "text", said)
	list("additionalContext", "text", context)
	object("locationHint", "timeZone", set.timeZone)
	if len(files) > 0 || !set.web {
		w.Key("contextualResources")
		w.Begin('{')
		list("files", "uri", files)
		if !set.web {
			w.Key("webContext")
			w.Begin('{')
			w.Key("isWebEnabled")
			w.Bool(false)
			w.End('}')
		}
		w.End('}')
	}
	w.End('}')
	return w.Bytes()
}

// conversation says what is to be said in a conversation that was begun, and then reads it.
func (s *state) conversation(body json.Value) (adapter.Reply, error) {
	if s.at != "" {
		s.answer.ID = body.Get("id").Text()
		if s.answer.ID == "" {
			return adapter.Reply{}, normal.Nonsense("names no conversation")
		}
		call := normal.Post(s.at+"/"+normal.Escape(s.answer.ID)+"/chat", s.message)
		next := state{kind: s.kind, answer: s.answer}
		return adapter.Reply{State: next.bytes(), Actions: []adapter.Action{call}}, nil
	}
	// The first message repeats the question, the last is the answer.
	var last json.Value
	count := 0
	for m := range body.Get("messages").Items() {
		last, count = m, count+1
	}
	if s.answer.Finish = "stop"; body.Get("state").Text() == "disengagedForRai" {
		s.answer.Finish = "content_filter"
	} else if count < 2 || last.Get("text").Text() == "" {
		return adapter.Reply{}, normal.Nonsense("has no answer of Copilot")
	}
	if count > 1 {
		s.answer.Text = []byte(last.Get("text").Text())
	}
	if sources := last.Get("attributions"); !sources.Empty() {
		s.answer.Note("attributions", sources)
	}
	return s.answer.Done()
}
