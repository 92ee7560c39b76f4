package gemini

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// madeID is how ids of calls begin that were made here.
const madeID = "gemini_"

// state is what must be known when the next event comes: what was asked for, and what a stream has brought so far.
type state struct {
	kind   string
	stream bool
	inputs uint32 // embedding: texts that were sent
	begun  bool   // a candidate was seen
	answer normal.Answer
}

func (s *state) bytes() []byte {
	var e adapter.Encoder
	e.Text(1, s.kind)
	e.Flag(2, s.stream)
	e.Number(3, s.inputs)
	e.Flag(4, s.begun)
	mark := e.Open(5)
	s.answer.Encode(&e)
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
			s.inputs = d.Number()
		case 4:
			s.begun = d.Flag()
		case 5:
			s.answer, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	return s, d.Err
}

// whole reads an answer that came at once.
func (s *state) whole(doc []byte) (adapter.Reply, error) {
	body, err := json.Parse(doc)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	if body.Get("error").Exists() || body.Pointer("/0/error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(body)
	}
	if s.kind == "embedding" {
		return s.vectors(body)
	}
	if err := s.take(body); err != nil {
		return adapter.Reply{}, err
	}
	if !s.begun {
		return adapter.Reply{}, normal.Nonsense("has no candidates")
	}
	switch s.kind {
	case "speech":
		return s.audio()
	case "image":
		return s.pictures()
	}
	return s.done()
}

// frame reads one piece of a stream, which is an answer of its own.
func (s *state) frame(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 { // a sign of life
		return nil
	}
	body, err := json.Parse(data)
	if err != nil {
		return normal.Nonsense("has a frame that is " + err.Error())
	}
	if body.Get("error").Exists() || body.Pointer("/0/error").Exists() {
		return normal.ErrorInside(body)
	}
	return s.take(body)
}

// end judges whether a stream that is over was whole.
func (s *state) end() (adapter.Reply, error) {
	if s.answer.Finish == "" {
		return adapter.Reply{}, normal.BrokeOff("it gave no finishReason")
	}
	return s.done()
}

func (s *state) done() (adapter.Reply, error) {
	if s.answer.Finish == "stop" && len(s.answer.Calls) > 0 {
		s.answer.Finish = "tool_calls" // Gemini calls that STOP, too
	}
	if !s.stream {
		return adapter.Do(adapter.Done(s.answer.Chat())), nil
	}
	return s.answer.Done()
}

// take adds an answer, or a piece of one.
func (s *state) take(body json.Value) error {
	a := &s.answer
	if model := body.Get("modelVersion").Text(); model != "" {
		a.Model = model
	}
	if id := body.Get("responseId").Text(); id != "" {
		a.ID = id
	}
	s.count(body.Get("usageMetadata"))
	candidate := body.Pointer("/candidates/0")
	if reason := body.Get("promptFeedback").Get("blockReason"); reason.Exists() && !s.begun && !candidate.Exists() {
		said := "the provider's content filter refused the prompt: " + reason.Text()
		if message := body.Get("promptFeedback").Get("blockReasonMessage").Text(); message != "" {
			said += ": " + normal.Clip(message)
		}
		return &adapter.Failure{Code: adapter.ExecutionFailed, Reason: adapter.ContentFiltered, Message: said}
	}
	if candidate.Kind() != json.Object {
		return nil
	}
	if index, ok := candidate.Get("index").Int(); ok && index != 0 {
		return nil // one was asked for
	}
	s.begun = true
	for part := range candidate.Get("content").Get("parts").Items() {
		s.part(part)
	}
	for _, name := range [...][2]string{{"groundingMetadata", "grounding"}, {"citationMetadata", "citations"}, {"urlContextMetadata", "url_context"}} {
		if v := candidate.Get(name[0]); v.Exists() {
			a.Note(name[1], v)
		}
	}
	if finish, word := finishReason(candidate.Get("finishReason")); finish != "" {
		a.Finish = finish
		if message := candidate.Get("finishMessage"); message.Exists() && word != "STOP" {
			a.Note("finish_message", message)
		}
	}
	return nil
}

// part adds a part of the candidate.
func (s *state) part(part json.Value) {
	a := &s.answer
	signature := part.Get("thoughtSignature").Text()
	thought := part.Get("thought").True()
	call, media, text := part.Get("functionCall"), part.Get("inlineData"), part.Get("text")
	code, output := part.Get("executableCode"), part.Get("codeExecutionResult")
	switch {
	case call.Exists():
		s.call(call, signature)
		return
	case part.Get("toolCall").Exists():
		s.served(part.Get("toolCall"))
		return // its signature would be of use only with all the server's parts, which have no place here
	case part.Get("toolResponse").Exists():
		return
	case media.Exists():
		if !thought { // sketches of a model that thinks in pictures are not the answer
			data := strings.NewReplacer("-", "+", "_", "/").Replace(media.Get("data").Text()) // both alphabets come
			a.Show(normal.Media{Type: media.Get("mimeType").Text(), Data: data})
		}
	case code.Exists():
		a.Say("\n```" + strings.ToLower(code.Get("language").Text()) + "\n" + strings.TrimSuffix(code.Get("code").Text(), "\n") + "\n```\n")
	case output.Exists():
		a.Say("\n```\n" + strings.TrimSuffix(output.Get("output").Text(), "\n") + "\n```\n")
	case thought:
		a.Think(text.Text())
		a.Sign(signature)
		return
	default:
		a.Say(text.Text())
	}
	if signature != "" { // of the text: a thought of its own, so that it is handed back with the text
		a.Thoughts = append(a.Thoughts, normal.Thought{Signature: signature})
	}
}

// call adds a call. Each comes whole.
func (s *state) call(call json.Value, signature string) {
	n := len(s.answer.Calls)
	id := call.Get("id").Text()
	if id == "" {
		id = madeID + s.answer.ID + "_" + strconv.Itoa(n)
	}
	arguments := call.Get("args")
	if !arguments.Exists() {
		arguments = json.Value("{}")
	}
	s.answer.Call(normal.ToolCall{Index: uint32(n), ID: id, Name: call.Get("name").Text(), Signature: signature, Arguments: arguments})
}

// served notes a call of a tool of the server's.
func (s *state) served(call json.Value) {
	var w json.Writer
	w.Begin('[')
	for _, f := range s.answer.Metadata {
		if f.Name == "tool_calls" {
			for before := range f.Value.Items() {
				w.Raw(before)
			}
		}
	}
	w.Raw(call)
	w.End(']')
	s.answer.Note("tool_calls", w.Bytes())
}

// count reads usage; the last of a stream counts.
func (s *state) count(v json.Value) {
	in, okIn := normal.Count(v.Get("promptTokenCount"))
	written, okOut := normal.Count(v.Get("candidatesTokenCount"), v.Get("responseTokenCount"))
	thought, okThought := normal.Count(v.Get("thoughtsTokenCount"))
	if !okIn && !okOut && !okThought {
		return
	}
	cached, _ := normal.Count(v.Get("cachedContentTokenCount"))
	s.answer.Usage = normal.Usage{Known: true, In: in, Out: written + thought, Cached: cached, Reasoning: thought}
	if tools := v.Get("toolUsePromptTokenCount"); tools.Exists() {
		s.answer.Note("tool_use_tokens", tools)
	}
}

// finishReason returns a finish reason in the normal form, and Google's word. Clients that ask so get the words' numbers.
func finishReason(v json.Value) (finish, word string) {
	word = v.Text()
	if n, ok := v.Int(); ok {
		words := [...]string{"", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL"}
		if word = strconv.FormatInt(n, 10); n >= 0 && n < int64(len(words)) {
			word = words[n]
		}
	}
	switch word {
	case "FINISH_REASON_UNSPECIFIED":
		return "", word
	case "STOP":
		return "stop", word
	case "MAX_TOKENS":
		return "length", word
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return "content_filter", word
	}
	return word, word
}
