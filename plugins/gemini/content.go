package gemini

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// contents writes the conversation: the system's words, then the turns. The answers to calls of one turn go into one turn, as the
// API wants them.
func (s *settings) contents(c *normal.Call, w *json.Writer, model string) error {
	messages, err := c.Conversation()
	if err != nil {
		return err
	}
	if err := system(c, w, messages); err != nil {
		return err
	}
	beside := strings.HasPrefix(model, "models/gemini-2") || strings.HasPrefix(model, "models/gemini-1")
	w.Key("contents")
	w.Begin('[')
	open := false // a turn of tools
	for i := range messages {
		m := &messages[i]
		if m.Role == "system" {
			continue
		}
		if m.Name != "" && m.Role != "tool" {
			if err := c.Cannot(m.At+".name", "the API has no names of speakers"); err != nil {
				return err
			}
		}
		if open && m.Role != "tool" {
			endTurn(w)
		}
		if !open || m.Role != "tool" {
			beginTurn(w, m.Role)
		}
		if open = m.Role == "tool"; open {
			err = s.result(c, w, m, messages[:i], beside)
		} else if err = s.turn(c, w, m); err == nil {
			endTurn(w)
		}
		if err != nil {
			return err
		}
	}
	if open {
		endTurn(w)
	}
	w.End(']')
	return nil
}

func beginTurn(w *json.Writer, role string) {
	w.Begin('{')
	w.Key("role")
	if role == "assistant" {
		w.String("model")
	} else {
		w.String("user")
	}
	w.Key("parts")
	w.Begin('[')
}

func endTurn(w *json.Writer) {
	w.End(']')
	w.End('}')
}

// system writes what the system says. A later word of it is moved to the front where the request lets it.
func system(c *normal.Call, w *json.Writer, messages []normal.Message) error {
	said, turns := 0, 0
	for i := range messages {
		m := &messages[i]
		if m.Role != "system" {
			turns++
			continue
		}
		if turns > 0 {
			if err := c.Cannot(m.At, "the API has a place for the system's words only before the conversation; it is said there"); err != nil {
				return err
			}
		}
		if m.Name != "" {
			if err := c.Cannot(m.At+".name", "the API has no names of speakers"); err != nil {
				return err
			}
		}
		if said++; said == 1 {
			w.Key("systemInstruction")
			w.Begin('{')
			w.Key("parts")
			w.Begin('[')
		}
		if m.Text != "" || len(m.Parts) == 0 {
			textPart(w, m.Text, "")
		}
		for j := range m.Parts {
			if !m.Parts[j].IsText {
				if err := c.Cannot(m.Parts[j].At, "the API takes only text from the system"); err != nil {
					return err
				}
				continue
			}
			textPart(w, m.Parts[j].Text, "")
		}
	}
	if said > 0 {
		w.End(']')
		w.End('}')
	}
	if turns == 0 {
		return normal.Invalid("chat.messages", "nobody but the system speaks")
	}
	return nil
}

// turn writes the parts of what a user or the model said.
func (s *settings) turn(c *normal.Call, w *json.Writer, m *normal.Message) error {
	signatures, err := thoughts(c, w, m)
	if err != nil {
		return err
	}
	if m.Text != "" || len(signatures) > 0 || len(m.Parts)+len(m.Calls)+len(m.Thoughts) == 0 {
		signature := ""
		if len(signatures) > 0 {
			signature, signatures = signatures[0], signatures[1:]
		}
		textPart(w, m.Text, signature)
	}
	for _, signature := range signatures {
		textPart(w, "", signature)
	}
	for i := range m.Parts {
		if err := s.part(c, w, &m.Parts[i]); err != nil {
			return err
		}
	}
	for i := range m.Calls {
		call := &m.Calls[i]
		if json.Value(call.Arguments).Kind() != json.Object {
			return normal.Invalid(m.At+".tool_calls["+strconv.Itoa(i)+"].arguments", "they are no JSON object")
		}
		w.Begin('{')
		w.Key("functionCall")
		w.Begin('{')
		identify(w, call.ID)
		w.Key("name")
		w.String(call.Name)
		w.Key("args")
		w.Raw(call.Arguments)
		w.End('}')
		sign(w, call.Signature)
		w.End('}')
	}
	return nil
}

// thoughts writes what the model thought, and returns the signatures that belong to its text.
func thoughts(c *normal.Call, w *json.Writer, m *normal.Message) (signatures []string, err error) {
	for i, t := range m.Thoughts {
		switch {
		case t.Redacted != "":
			if err := c.Cannot(m.At+".thoughts["+strconv.Itoa(i)+"].redacted", "the API hides no thoughts this way"); err != nil {
				return nil, err
			}
		case t.Text != "":
			w.Begin('{')
			w.Key("text")
			w.String(t.Text)
			w.Key("thought")
			w.Bool(true)
			sign(w, t.Signature)
			w.End('}')
		case t.Signature != "":
			signatures = append(signatures, t.Signature)
		}
	}
	return signatures, nil
}

// result writes a tool's answer. beside tells that its media stand beside it, because the model knows none in it.
func (s *settings) result(c *normal.Call, w *json.Writer, m *normal.Message, before []normal.Message, beside bool) error {
	name := normal.NameOf(m, before)
	if name == "" {
		return normal.Invalid(m.At+".tool_call_id", "no call before has this id, and the message names no tool")
	}
	text, media := m.Text, []*normal.Part{}
	for i := range m.Parts {
		if p := &m.Parts[i]; p.IsText {
			text += p.Text
		} else {
			media = append(media, p)
		}
	}
	w.Begin('{')
	w.Key("functionResponse")
	w.Begin('{')
	if m.Answers != name { // a call without an id is answered by its name
		identify(w, m.Answers)
	}
	w.Key("name")
	w.String(name)
	w.Key("response")
	if v, err := json.Parse([]byte(text)); err == nil && v.Kind() == json.Object {
		w.Raw(v)
	} else {
		w.Begin('{')
		w.Key("output")
		w.String(text)
		w.End('}')
	}
	if len(media) > 0 && !beside {
		w.Key("parts")
		w.Begin('[')
		for _, p := range media {
			if p.URL != "" && !s.vertex {
				if err := c.Cannot(p.At+".url", "the API takes media of a tool's result only as data"); err != nil {
					return err
				}
				continue
			}
			if err := s.part(c, w, p); err != nil {
				return err
			}
		}
		w.End(']')
	}
	w.End('}')
	w.End('}')
	if beside {
		for _, p := range media {
			if err := s.part(c, w, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// part writes a piece of a message.
func (s *settings) part(c *normal.Call, w *json.Writer, p *normal.Part) error {
	if p.Name != "" && (!s.vertex || p.IsText) {
		if err := c.Cannot(p.At+".name", "the API has no names of files"); err != nil {
			return err
		}
	}
	if p.IsText {
		textPart(w, p.Text, "")
		return nil
	}
	if p.Media == "" && (p.Data != "" || s.vertex) {
		return normal.Invalid(p.At+".media_type", "the API must be told what the data are")
	}
	kind, field, value := "inlineData", "data", p.Data
	if p.URL != "" {
		kind, field, value = "fileData", "fileUri", p.URL
	}
	w.Begin('{')
	w.Key(kind)
	w.Begin('{')
	if p.Media != "" {
		w.Key("mimeType")
		w.String(p.Media)
	}
	w.Key(field)
	w.String(value)
	if p.Name != "" && s.vertex {
		w.Key("displayName")
		w.String(p.Name)
	}
	w.End('}')
	w.End('}')
	return nil
}

func textPart(w *json.Writer, text, signature string) {
	w.Begin('{')
	w.Key("text")
	w.String(text)
	sign(w, signature)
	w.End('}')
}

func sign(w *json.Writer, signature string) {
	if signature != "" {
		w.Key("thoughtSignature")
		w.String(signature)
	}
}

// identify writes a call's id, unless it is one that was made here and that the API never heard of.
func identify(w *json.Writer, id string) {
	if id != "" && !strings.HasPrefix(id, madeID) {
		w.Key("id")
		w.String(id)
	}
}
