// Package palm is the adapter "palm": Google's PaLM API (v1beta2 of generativelanguage.googleapis.com), as its published protos
// describe it. Google shut the service down in 2024. Nothing here can be checked against it any more; the adapter is for whoever
// keeps such an interface alive, such as a proxy in front of other models.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model        the model, where the request names none; with or without "models/"
//	models       list of models; the first is used where neither the request nor model names one
//	method       how chats are asked: "message" (generateMessage), or "text" (generateText), which takes one message of a user; default
//	             "text" for models named text-..., else "message"
//	api_version  between base_url and the resource; default "v1beta2"
//	extra_body   object whose fields are added to every chat, such as {"safetySettings": [...]}; fields that this adapter writes itself
//	             are refused
//
// # What is understood
//
// Of chats texts, what the system says before them, temperature 0..1, top_p and top_k; of generateText also max_tokens and stop. Of
// embeddings one text. There are no tools, no media, no streams, no usage, and no word for why an answer ended: its finish reason is
// "stop". An answer that was filtered away is an error with the reason content_filtered.
package palm

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks PaLM's API; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "palm", Version: "1.0.0", Description: "Google PaLM, which was shut down in 2024: chat, completion, embeddings"}
}

// Step asks at the start, and reads the answer. The state is the answer's warnings alone: its own form tells what it answers.
func (Adapter) Step(doc []byte, ev *adapter.Event) (adapter.Reply, error) {
	switch ev.Kind {
	case adapter.KindStart:
		return start(ev)
	case adapter.KindResponse:
		a, err := normal.DecodeAnswer(doc)
		if err != nil {
			return adapter.Reply{}, errors.New("state: " + err.Error())
		}
		return finish(&a, ev)
	}
	return adapter.Reply{}, errors.New("an answer was expected, not frames or timers")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "chat", "embedding")
	if err != nil {
		return adapter.Reply{}, err
	}
	c.Settings.Text("model", "")
	c.Settings.List("models")
	method, version, extra := c.Settings.Text("method", ""), c.Settings.Text("api_version", "v1beta2"), c.Settings.Object("extra_body")
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if method != "" && method != "message" && method != "text" {
		return adapter.Reply{}, normal.BadSetting("method", "is neither message nor text")
	}
	model, err := c.Model()
	if err != nil {
		return adapter.Reply{}, err
	}
	model = strings.TrimPrefix(model, "models/")
	if method == "" && strings.HasPrefix(model, "text-") {
		method = "text"
	}
	var w json.Writer
	w.Begin('{')
	name := "embedText"
	switch {
	case c.Kind == "embedding":
		err = embed(c, &w)
	case method == "text":
		name, err = "generateText", chat(c, &w, true)
	default:
		name, err = "generateMessage", chat(c, &w, false)
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	w.End('}')
	body := w.Bytes()
	if c.Kind == "chat" {
		if body, err = normal.Extend(body, "extra_body", extra); err != nil {
			return adapter.Reply{}, err
		}
	}
	var e adapter.Encoder
	(&normal.Answer{Warnings: c.Warnings}).Encode(&e)
	url := strings.TrimSuffix(c.Base, "/"+version) + "/" + version + "/models/" + normal.Escape(model) + ":" + name
	return adapter.Reply{State: e.Bytes(), Actions: []adapter.Action{normal.Post(url, body)}}, nil
}

func chat(c *normal.Call, w *json.Writer, text bool) error {
	messages, err := c.Conversation()
	if err != nil {
		return err
	}
	w.Key("prompt")
	w.Begin('{')
	if text {
		err = prompt(c, w, messages)
	} else {
		err = turns(c, w, messages)
	}
	if err != nil {
		return err
	}
	w.End('}')
	for name, v := range c.Body.Fields() {
		if err := parameter(c, w, name, v, text); err != nil {
			return err
		}
	}
	return nil
}

func parameter(c *normal.Call, w *json.Writer, name string, v json.Value, text bool) error {
	to, why := "", "the API has no such parameter"
	switch name {
	case "model", "messages":
		return nil
	case "temperature":
		if to = name; v.Exists() {
			if f, _ := v.Float(); f > 1 {
				to, why = "", "it is "+string(v)+", the API takes 0 to 1"
			}
		}
	case "top_p":
		to = "topP"
	case "top_k":
		to = "topK"
	case "max_tokens":
		if to = "maxOutputTokens"; !text {
			to, why = "", "generateMessage has no such parameter, generateText has"
		}
	case "stop":
		if to = "stopSequences"; !text {
			to, why = "", "generateMessage has no such parameter, generateText has"
		}
	case "parallel_tool_calls": // there are no tools to be called
		return nil
	}
	switch {
	case !v.Exists() || v.Empty() && (to == "" || name == "stop"):
		return nil
	case to == "":
		return c.Cannot("chat."+name, why)
	}
	w.Key(to)
	w.Raw(v)
	return nil
}

// turns writes a conversation: what the system says is its context, users are author "0", the model is author "1".
func turns(c *normal.Call, w *json.Writer, messages []normal.Message) error {
	context := ""
	for i := range messages {
		if m := &messages[i]; m.Role == "system" {
			said, err := textOf(c, m)
			if err != nil {
				return err
			}
			if i > 0 && messages[i-1].Role != "system" {
				if err := c.Cannot(m.At, "the API has a place for the system's words only before the conversation; it is said there"); err != nil {
					return err
				}
			}
			if context != "" {
				context += "\n"
			}
			context += said
		}
	}
	if context != "" {
		w.Key("context")
		w.String(context)
	}
	w.Key("messages")
	w.Begin('[')
	for i := range messages {
		m := &messages[i]
		if m.Role == "system" {
			continue
		}
		said, err := textOf(c, m)
		if err != nil {
			return err
		}
		author := "0"
		if m.Role == "assistant" {
			author = "1"
		}
		w.Begin('{')
		w.Key("author")
		w.String(author)
		w.Key("content")
		w.String(said)
		w.End('}')
	}
	w.End(']')
	return nil
}

// prompt writes the one text that generateText takes.
func prompt(c *normal.Call, w *json.Writer, messages []normal.Message) error {
	if len(messages) > 1 || messages[0].Role != "user" {
		return adapter.Unsupported("chat.messages", "generateText takes one message, of a user")
	}
	said, err := textOf(c, &messages[0])
	w.Key("text")
	w.String(said)
	return err
}

// textOf returns what a turn says; what else it may hold the API does not know.
func textOf(c *normal.Call, m *normal.Message) (string, error) {
	if m.Role == "tool" || len(m.Calls) > 0 {
		return "", adapter.Unsupported(m.At, "the API has no tools")
	}
	text := m.Text
	for i := range m.Parts {
		if !m.Parts[i].IsText {
			if err := c.Cannot(m.Parts[i].At, "the API takes only text"); err != nil {
				return "", err
			}
		}
		text += m.Parts[i].Text
	}
	if len(m.Thoughts) > 0 {
		if err := c.Cannot(m.At+".thoughts", "the API has no place for thoughts"); err != nil {
			return "", err
		}
	}
	if m.Name != "" {
		return text, c.Cannot(m.At+".name", "the API has no names of speakers")
	}
	return text, nil
}

func embed(c *normal.Call, w *json.Writer) error {
	for name, v := range c.Body.Fields() {
		switch name {
		case "model":
		case "input":
			if v.Pointer("/1").Exists() {
				return adapter.Unsupported("embedding.input", "the API embeds one text a call")
			}
			w.Key("text")
			w.Raw(v.Pointer("/0"))
		default:
			if v.Empty() {
				continue
			}
			if err := c.Cannot("embedding."+name, "the API has no such parameter"); err != nil {
				return err
			}
		}
	}
	if !c.Body.Get("input").Pointer("/0").Exists() {
		return normal.Invalid("embedding.input", "there is no text")
	}
	return nil
}

func finish(a *normal.Answer, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, normal.ModelMissing(normal.Refusal(ev.Status, ev.Body))
	}
	body, err := json.Parse(ev.Body)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	if body.Get("error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(body)
	}
	if v := body.Get("embedding"); v.Exists() {
		vector, err := normal.Floats(v.Get("value"))
		if err != nil {
			return adapter.Reply{}, err
		}
		return adapter.Do(adapter.Done(a.Vectors([]json.Value{vector}))), nil
	}
	candidate := body.Pointer("/candidates/0")
	if candidate.Kind() != json.Object {
		if filter := body.Pointer("/filters/0"); filter.Exists() {
			said := "the provider's content filter refused: " + string(filter.Get("reason")) + " " + normal.Clip(filter.Get("message").Text())
			return adapter.Reply{}, &adapter.Failure{Code: adapter.ExecutionFailed, Reason: adapter.ContentFiltered, Message: said}
		}
		return adapter.Reply{}, normal.Nonsense("has no candidates")
	}
	text := candidate.Get("output") // of generateText
	if !text.Exists() {
		text = candidate.Get("content")
	}
	a.Say(text.Text())
	a.Finish = "stop"
	if v := candidate.Get("citationMetadata"); v.Exists() {
		a.Note("citations", v)
	}
	return adapter.Do(adapter.Done(a.Chat())), nil
}
