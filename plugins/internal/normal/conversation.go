package normal

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// A Message is one turn of a conversation; see caio.v1.ChatMessage.
type Message struct {
	At       string // its path in the intent, such as "chat.messages[2]"
	Role     string // "system", "user", "assistant", "tool"
	Text     string
	Parts    []Part
	Thoughts []Thought  // of an assistant only
	Calls    []ToolCall // of an assistant only; Arguments are valid JSON, "{}" where the model wrote none
	Answers  string     // of a tool only, never empty: the call it answers
	Name     string     // who speaks; empty: not stated
}

// A Part is a piece of a message. Exactly one of Text, URL and Data is what it holds; what came as a data: URL is Data.
type Part struct {
	At     string // its path in the intent
	Media  string // empty: not stated
	Name   string // of the file; empty: not stated
	IsText bool
	Text   string
	URL    string
	Data   string // base64
}

// A Tool is a function that a model may ask to be called.
type Tool struct {
	At                string // its path in the intent
	Name, Description string
	Parameters        json.Value // JSON Schema; nil: not stated
}

// Conversation reads the messages of a chat. What makes no sense whoever is asked, such as a user's tool calls, is refused;
// a field that is not known goes through Cannot.
func (c *Call) Conversation() ([]Message, error) {
	var messages []Message
	for v := range c.Body.Get("messages").Items() {
		m := Message{At: "chat.messages[" + strconv.Itoa(len(messages)) + "]"}
		if err := c.message(&m, v); err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	if len(messages) == 0 {
		return nil, Invalid("chat.messages", "there is none")
	}
	return messages, nil
}

func (c *Call) message(m *Message, v json.Value) error {
	for name, v := range v.Fields() {
		switch name {
		case "role":
			m.Role = v.Text()
		case "content":
			m.Text = v.Text()
		case "tool_call_id":
			m.Answers = v.Text()
		case "name":
			m.Name = v.Text()
		case "parts":
			parts, err := c.Parts(m.At+".parts", v)
			if err != nil {
				return err
			}
			m.Parts = parts
		case "thoughts":
			for t := range v.Items() {
				m.Thoughts = append(m.Thoughts, Thought{t.Get("text").Text(), t.Get("signature").Text(), t.Get("redacted").Text()})
			}
		case "tool_calls":
			for call := range v.Items() {
				arguments := call.Get("arguments").Text()
				if arguments == "" {
					arguments = "{}"
				}
				if _, err := json.Parse([]byte(arguments)); err != nil {
					return Invalid(m.At+".tool_calls["+strconv.Itoa(len(m.Calls))+"].arguments", err.Error())
				}
				m.Calls = append(m.Calls, ToolCall{
					Index: uint32(len(m.Calls)), ID: call.Get("id").Text(), Name: call.Get("name").Text(),
					Signature: call.Get("signature").Text(), Arguments: []byte(arguments),
				})
			}
		default:
			if v.Empty() {
				continue
			}
			if err := c.Cannot(m.At+"."+name, "this adapter knows no such field"); err != nil {
				return err
			}
		}
	}
	switch {
	case m.Role != "system" && m.Role != "user" && m.Role != "assistant" && m.Role != "tool":
		return Invalid(m.At+".role", strconv.Quote(m.Role)+" is none of system, user, assistant, tool")
	case len(m.Calls) > 0 && m.Role != "assistant":
		return Invalid(m.At+".tool_calls", "only an assistant calls tools")
	case len(m.Thoughts) > 0 && m.Role != "assistant":
		return Invalid(m.At+".thoughts", "only an assistant's thoughts are known")
	case m.Answers == "" && m.Role == "tool":
		return Invalid(m.At+".tool_call_id", "a tool's message must name the call it answers")
	case m.Answers != "" && m.Role != "tool":
		return Invalid(m.At+".tool_call_id", "only a tool's message answers a call")
	}
	return nil
}

// Parts reads a list of parts, whose path in the intent is at.
func (c *Call) Parts(at string, list json.Value) ([]Part, error) {
	var parts []Part
	for v := range list.Items() {
		p, err := c.part(at+"["+strconv.Itoa(len(parts))+"]", v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func (c *Call) part(at string, v json.Value) (Part, error) {
	p := Part{At: at}
	for name, v := range v.Fields() {
		switch name {
		case "media_type":
			p.Media = v.Text()
		case "name":
			p.Name = v.Text()
		case "url":
			p.URL = v.Text()
		case "data":
			p.Data = v.Text()
		case "text":
			if v.Exists() {
				p.IsText, p.Text = true, v.Text()
			}
		default:
			if v.Empty() {
				continue
			}
			if err := c.Cannot(at+"."+name, "this adapter knows no such field"); err != nil {
				return p, err
			}
		}
	}
	if rest, ok := strings.CutPrefix(p.URL, "data:"); ok {
		media, data, found := strings.Cut(rest, ";base64,")
		if !found {
			return p, Invalid(at+".url", "it is a data: URL without base64")
		}
		p.URL, p.Data = "", data
		if p.Media == "" {
			p.Media = media
		}
	}
	if p.URL != "" || p.Data != "" {
		p.IsText = false // a proto that is written out in full holds an empty text, too
	} else if !p.IsText {
		return p, Invalid(at, "it has neither url nor data nor text")
	}
	return p, nil
}

// Tools reads the tools of a chat.
func (c *Call) Tools() ([]Tool, error) {
	var tools []Tool
	for v := range c.Body.Get("tools").Items() {
		t := Tool{At: "chat.tools[" + strconv.Itoa(len(tools)) + "]"}
		for name, v := range v.Fields() {
			switch name {
			case "name":
				t.Name = v.Text()
			case "description":
				t.Description = v.Text()
			case "parameters":
				if v.Exists() {
					t.Parameters = v
				}
			default:
				if v.Empty() {
					continue
				}
				if err := c.Cannot(t.At+"."+name, "this adapter knows no such field"); err != nil {
					return nil, err
				}
			}
		}
		tools = append(tools, t)
	}
	return tools, nil
}

// NameOf returns the name of the tool that a message of role "tool" answers for: of the call with that id in the messages
// before, or with that name and no id, else the message's own. Empty: there is none.
func NameOf(m *Message, before []Message) string {
	for i := len(before) - 1; i >= 0; i-- {
		for _, call := range before[i].Calls {
			if call.ID == m.Answers || call.ID == "" && call.Name == m.Answers {
				return call.Name
			}
		}
	}
	return m.Name
}
