package openai

import "strings"

// A Dialect is how one provider speaks OpenAI's API: data that the one core goes by. What is empty the provider does not have.
type Dialect struct {
	Name        string // of the adapter
	Description string

	// Prefix stands between base_url and a path, such as "/v1"; {model} in it is the model, which is then left out of bodies.
	Prefix string
	// Deployment is the end of Prefix that /responses goes without.
	Deployment string
	// APIVersion is sent as the query api-version.
	APIVersion string
	Paths      Paths
	// nil: the provider does no such work.
	Speech        *Speech
	Transcription *Transcription
	Image         *Image
	// Fields are the parameters that the provider takes, by their path in the intent, such as "chat.seed", and the names under
	// which it takes them.
	Fields map[string]string

	// Efforts are the words of chat.reasoning.effort that it takes, and what then stands in the request.
	Efforts map[string]string
	// Schema is the field of response_format that holds the schema: "json_schema", or "value" (TGI).
	Schema string
	// Strict is whether a schema has a field strict, SetStrict whether that is true where settings say nothing.
	Strict, SetStrict bool
	// JSONObject is whether response_format may be {"type": "json_object"}; otherwise that is asked for by a schema.
	JSONObject bool
	// Tool is how tool_choice names a tool; NAME in it is the name, in quotes.
	Tool string
	// BareCalls is whether the calls of an assistant have no type, CountedCalls whether each has its place as index.
	BareCalls, CountedCalls bool
	// SplitCalls is whether a message holds either text or calls, so that both are two messages.
	SplitCalls bool
	// WholeTools is whether each tool must have a description and parameters, WholeMessages whether each message must have a
	// content, TextOnly whether only a user's may be a list of parts.
	WholeTools, WholeMessages, TextOnly bool
	// Audio and PDF are how parts of WAV or MP3 audio, and of PDF files, are written.
	Audio, PDF writing
	// Thoughts is the field of an assistant's message in which its thoughts are handed back; "content" where they are parts of
	// it.
	Thoughts string

	// SayStream is whether stream must be said even where it is false, AskUsage whether usage at a stream's end must be asked
	// for, Done whether a stream ends in "data: [DONE]".
	SayStream, AskUsage, Done bool
	// PromptList is whether the prompt of code is a list.
	PromptList bool
	// Task is where, behind base_url, vectors are made by a task instead, of {"inputs": texts}.
	Task string
	// Bytes is whether a vector in base64 is of int8, not float32.
	Bytes bool
	// Cost points to what an answer cost, in units of CostUnit US dollars.
	Cost     string
	CostUnit float64
	// Notes are the fields of an answer that go into the result's metadata.
	Notes []string
}

// Paths are where a provider does the kinds of work of which no more has to be said.
type Paths struct{ Chat, Responses, Embedding, Code, Rerank, Search string }

// Speech is how a provider speaks.
type Speech struct {
	Path                string
	Text, Voice, Format string            // the fields for them; a Format "a.b" is the field b of an object a
	Formats             map[string]string // what the provider calls a media type
	Default             string            // the voice, where neither request nor settings name one and the provider has none
	Modelless           bool              // there is no model to be named
	Always              string            // members of every request
	Audio               string            // points to the audio in a JSON answer, in base64; empty: the answer is the audio
}

// Transcription is how a provider writes down what is said: a form.
type Transcription struct {
	Path string
	URL  string // the field for audio that lies elsewhere
	// What else stands in the form: where words, speakers, neither of them are asked for. nil for Words and Speakers: they cannot
	// be.
	Words, Speakers, Neither []field
}

// Image is how a provider draws.
type Image struct {
	Path, Edit string // Edit where pictures are given
	// Size is the field for the size; Sides are those for width and height, Ratio the one for the ratio of both, where that is all
	// the provider takes.
	Size, Ratio string
	Sides       [2]string
	// Given is how a picture to begin with is written; URL in it is where it lies, in quotes. First is the field for the only one
	// there may be, where it is not a list.
	Given, First string
	Formats      map[string]string // what the provider calls a media type, in output_format
}

// writing is how a part that is neither text nor image is written.
type writing string

const (
	asObject writing = "object" // as OpenAI has it: {"input_audio": {"data", "format"}}, {"file": {"filename", "file_data"}}
	asString writing = "string" // {"input_audio": base64}, {"document_url": URL}
	asURL    writing = "url"    // {"file_url": {"url"}}
)

// kinds returns the kinds of work that the provider does.
func (d *Dialect) kinds() (kinds []string) {
	for _, k := range [...]struct {
		kind string
		does bool
	}{
		{"chat", d.Paths.Chat != ""}, {"embedding", d.Paths.Embedding != ""}, {"code", d.Paths.Code != ""},
		{"rerank", d.Paths.Rerank != ""}, {"search", d.Paths.Search != ""},
		{"speech", d.Speech != nil}, {"transcription", d.Transcription != nil}, {"image", d.Image != nil},
	} {
		if k.does {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}

// fields reads what a provider takes: paths such as "chat.seed", with "=name" where it has another name for it.
func fields(paths ...string) map[string]string {
	m := map[string]string{}
	for _, path := range paths {
		path, name, renamed := strings.Cut(path, "=")
		if !renamed {
			name = path[strings.LastIndexByte(path, '.')+1:]
		}
		m[path] = name
	}
	return m
}

// efforts are words that the provider takes as they are, in that field.
func efforts(field string, words ...string) map[string]string {
	m := map[string]string{}
	for _, word := range words {
		m[word] = `"` + field + `":"` + word + `"`
	}
	return m
}
