// Package gemini is the adapters "gemini" and "gemini-vertex": Google's Gemini models, at Google AI Studio and at Vertex AI. The
// documents are the same, the addresses and the credentials differ.
//
// # Settings
//
// All are optional unless said otherwise; a setting that is not listed is an error.
//
//	model              the model, where the request names none; with or without "models/"
//	models             list of models; the first is used where neither the request nor model names one
//	project            gemini-vertex only, required: the Google Cloud project
//	location           gemini-vertex only: such as "us-central1"; default "global". base_url must be the location's host
//	api_version        between base_url and the resource; default "v1beta", of gemini-vertex "v1"; "" where base_url ends in a
//	                   version already
//	thinking           how a model is told how much to think: "level" or "budget"; default "budget" for models named gemini-2...,
//	                   else "level". A budget for an effort is the one Google's own OpenAI endpoint takes: 1024 tokens for minimal and
//	                   low, 8192 for medium, 24576 for high
//	thoughts           whether thoughts are asked for where the request speaks of reasoning; default true
//	json_schema        whether schemas are sent as JSON Schema; default true. false: as the OpenAPI schema that models before
//	                   gemini-2 know, and keywords that it lacks are refused by name
//	embedding_method   gemini-vertex only: "predict", or "embedContent", which takes one text a call; default "embedContent" for models
//	                   named gemini-embedding-2..., else "predict"
//	tools              list of the provider's own tools, such as [{"googleSearch": {}}, {"codeExecution": {}}]
//	generation_config  object whose fields are added to generationConfig, such as {"mediaResolution": "MEDIA_RESOLUTION_LOW"}
//	extra_body         object whose fields are added to every request for a generation, such as {"safetySettings": [...]} or
//	                   {"cachedContent": "cachedContents/..."}; fields that this adapter writes itself are refused
//
// # What is understood
//
// Of intents chat, embedding, speech and image. Of chat everything but a request that tools are not called in parallel, names of
// speakers, names of files but at Vertex AI, and system messages after the first turn, which the API has no place for. Parts may hold any media, as data or
// by URL; those of a tool's result go into its functionResponse, beside it for models named gemini-1... and gemini-2.... A tool's
// result that is a JSON object is sent as it is, any other as {"output": text}.
//
// Gemini signs thoughts. The signature of a call is its ToolCall.signature, that of a text a thought without text; both must be handed
// back with the turn. Calls without an id get one, "gemini_" and the answer's id and the call's number; it is the same whenever the
// answer is read, and is not sent back.
//
// Of answers the first candidate. Code that the model ran and what came out are text, in fences; pictures and audio are parts of the
// message; metadata has grounding, citations, url_context, the server's own tool_calls, and tool_use_tokens, which Google counts beside
// the prompt. Output tokens are those of the candidate and of the thoughts. A prompt that Google blocked is an error with the reason
// content_filtered; an answer that it cut short has the finish reason content_filter.
//
// Streams end with a finish reason; one that ends without is an error, as is an error inside a 200.
//
// Google's service-account credentials are the host's business, as all credentials are.
package gemini

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Google AI Studio; its zero value is ready.
type Adapter struct{}

// Vertex speaks to Vertex AI; its zero value is ready.
type Vertex struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "gemini", Version: "1.0.0", Description: "Google Gemini at AI Studio: chat with tools and media, streams, embeddings, speech, images"}
}

// Info names the adapter.
func (Vertex) Info() adapter.Info {
	return adapter.Info{Name: "gemini-vertex", Version: "1.0.0", Description: "Google Gemini at Vertex AI: chat with tools and media, streams, embeddings, speech, images"}
}

// Step asks at the start, and puts the answer together.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	return step(state, ev, readStudio)
}

// Step asks at the start, and puts the answer together.
func (Vertex) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	return step(state, ev, readVertex)
}

// StepFrames takes pieces of a stream that came together.
func (Adapter) StepFrames(state []byte, frames []adapter.Frame) (adapter.Reply, error) {
	return take(state, frames)
}

// StepFrames takes pieces of a stream that came together.
func (Vertex) StepFrames(state []byte, frames []adapter.Frame) (adapter.Reply, error) {
	return take(state, frames)
}

func step(doc []byte, ev *adapter.Event, read func(*normal.Call) (*settings, error)) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		c, err := normal.Start(ev, "chat", "embedding", "speech", "image")
		if err != nil {
			return adapter.Reply{}, err
		}
		set, err := read(c)
		if err != nil {
			return adapter.Reply{}, err
		}
		return set.ask(c)
	}
	if ev.Kind == adapter.KindFrame {
		return take(doc, []adapter.Frame{{Name: ev.Name, Data: ev.Data}})
	}
	s, err := recall(doc)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	switch ev.Kind {
	case adapter.KindResponse:
		if ev.Status < 200 || ev.Status > 299 {
			return adapter.Reply{}, refusal(ev.Status, ev.Body)
		}
		if s.stream {
			return adapter.Reply{State: doc}, nil // the head
		}
		return s.whole(ev.Body)
	case adapter.KindEnd:
		return s.end()
	}
	return adapter.Reply{}, errors.New("an answer was expected, no timer")
}

// take adds pieces of a stream to what has come, and hands on what is new.
func take(doc []byte, frames []adapter.Frame) (adapter.Reply, error) {
	s, err := recall(doc)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	for i := range frames {
		if err = s.frame(frames[i].Data); err != nil {
			break
		}
	}
	emits := s.answer.Emits()
	return adapter.Reply{State: s.bytes(), Actions: emits}, err
}

// settings are a contract's, read and checked.
type settings struct {
	vertex    bool
	root      string // what stands before "models/..."
	budget    string // setting thinking
	thoughts  bool
	openAPI   bool // not json_schema
	embedding string
	tools     json.Value
	config    json.Value
	extra     json.Value
}

func readStudio(c *normal.Call) (*settings, error) {
	s := &settings{}
	s.root = c.Base + version(c, "v1beta") + "/"
	return s, s.shared(c)
}

func readVertex(c *normal.Call) (*settings, error) {
	s := &settings{vertex: true}
	project, location := c.Settings.Text("project", ""), c.Settings.Text("location", "global")
	s.embedding = c.Settings.Text("embedding_method", "")
	s.root = c.Base + version(c, "v1") + "/projects/" + project + "/locations/" + location + "/publishers/google/"
	if err := s.shared(c); err != nil {
		return nil, err
	}
	switch {
	case !isSegment(project):
		return nil, normal.BadSetting("project", "must name a Google Cloud project")
	case !isSegment(location):
		return nil, normal.BadSetting("location", `must name a location, such as "us-central1" or "global"`)
	case s.embedding != "" && s.embedding != "predict" && s.embedding != "embedContent":
		return nil, normal.BadSetting("embedding_method", "is neither predict nor embedContent")
	}
	return s, nil
}

func (s *settings) shared(c *normal.Call) error {
	c.Settings.Text("model", "")
	c.Settings.List("models")
	s.budget = c.Settings.Text("thinking", "")
	s.thoughts = c.Settings.Flag("thoughts", true)
	s.openAPI = !c.Settings.Flag("json_schema", true)
	s.tools = c.Settings.List("tools")
	s.config = c.Settings.Object("generation_config")
	s.extra = c.Settings.Object("extra_body")
	if s.budget != "" && s.budget != "level" && s.budget != "budget" {
		return normal.BadSetting("thinking", "is neither level nor budget")
	}
	return c.Settings.Err()
}

// version is the piece of the URL that names the API's version, unless base_url ends in one.
func version(c *normal.Call, otherwise string) string {
	last := c.Base[strings.LastIndexByte(c.Base, '/')+1:]
	if len(last) > 1 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9' && !strings.Contains(last, ".") {
		otherwise = ""
	}
	v := strings.Trim(c.Settings.Text("api_version", otherwise), "/")
	if v != "" {
		v = "/" + v
	}
	return v
}

// resource returns a model's name with its collection, such as "models/gemini-2.5-flash".
func resource(c *normal.Call) (string, error) {
	model, err := c.Model()
	if err != nil {
		return "", err
	}
	collection, name, found := strings.Cut(model, "/")
	if !found {
		collection, name = "models", model
	}
	if collection != "models" && collection != "tunedModels" || !isSegment(name) {
		return "", adapter.Unsupported(c.Kind+".model", "the API has no models named "+model+"; a name is letters, digits, '.', '_', '-', after models/ or tunedModels/")
	}
	return collection + "/" + name, nil
}

// isSegment reports whether a name may stand in a URL's path as it is.
func isSegment(name string) bool {
	for i := range len(name) {
		switch b := name[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_', b == '@':
		case b == '.' && i > 0, b == ':' && i > 0: // a project may be in a domain, "example.com:project"
		default:
			return false
		}
	}
	return name != ""
}

// ask makes the call that the intent wants.
func (s *settings) ask(c *normal.Call) (adapter.Reply, error) {
	model, err := resource(c)
	if err != nil {
		return adapter.Reply{}, err
	}
	after := state{kind: c.Kind}
	var w json.Writer
	method := "generateContent"
	switch c.Kind {
	case "chat":
		after.stream = c.Stream
		err = s.chat(c, &w, model)
	case "embedding":
		method, after.inputs, err = s.embed(c, &w, model)
	case "speech":
		err = s.speech(c, &w)
	case "image":
		err = s.image(c, &w)
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	body := w.Bytes()
	if c.Kind != "embedding" {
		if body, err = normal.Extend(body, "extra_body", s.extra); err != nil {
			return adapter.Reply{}, err
		}
	}
	after.answer.Warnings = c.Warnings
	call := normal.Post(s.root+model+":"+method, body)
	if after.stream {
		call = normal.PostStream("sse", s.root+model+":streamGenerateContent?alt=sse", body)
	}
	return adapter.Reply{State: after.bytes(), Actions: []adapter.Action{call}}, nil
}

// refusal maps an answer that is no 2xx. What Google means often stands in the details alone.
func refusal(status int, body []byte) error {
	v, err := json.Parse(body)
	if err != nil {
		return normal.Classify(status, "", "")
	}
	said, code := normal.Complaint(v)
	if v.Kind() == json.Array {
		v = v.Pointer("/0")
	}
	for detail := range v.Get("error").Get("details").Items() {
		code += " " + detail.Get("reason").Text()
	}
	return normal.ModelMissing(normal.Classify(status, said, code))
}
