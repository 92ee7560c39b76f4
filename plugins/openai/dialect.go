package openai

import "strings"

// A Dialect is how one provider speaks OpenAI's API: data that the one core goes by. What is empty the provider does not have.
type Dialect struct {
	Name        string // of the adapter
	Description string

	// Prefix stands between base_url and a path, such as "/v1"; {model} in it is the model, which is then left out of bodies.
	Prefix string
	// APIVersion is sent as the query api-version.
	APIVersion string
	Paths      Paths
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
	// Cost points to what an answer cost, in units of CostUnit US dollars.
	Cost     string
	CostUnit float64
	// Notes are the fields of an answer that go into the result's metadata.
	Notes []string
}

// Paths are where a provider does each kind of work.
type Paths struct{ Chat, Embedding string }

// writing is how a part that is neither text nor image is written.
type writing string

const (
	asObject writing = "object" // as OpenAI has it: {"input_audio": {"data", "format"}}, {"file": {"filename", "file_data"}}
	asString writing = "string" // {"input_audio": base64}, {"document_url": URL}
	asURL    writing = "url"    // {"file_url": {"url"}}
)

// kinds returns the kinds of work that the provider does.
func (p *Paths) kinds() (kinds []string) {
	for _, k := range [...]struct{ kind, path string }{{"chat", p.Chat}, {"embedding", p.Embedding}} {
		if k.path != "" {
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
