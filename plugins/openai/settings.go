package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// settings are a contract's, over what the dialect says.
type settings struct {
	prefix      string // between base_url and a path
	query       string // with its question mark
	deployment  string
	voice       string
	maxTokens   string // the field of chat.max_tokens
	schema      string
	thoughts    string
	summary     string
	responses   bool
	task        bool // an embedding is asked for as a task
	strict      bool
	askUsage    bool
	done        bool // a stream ends in [DONE]
	extra       json.Value
	modelInPath bool
}

func (d *Dialect) settings(c *normal.Call) (s settings, err error) {
	in := &c.Settings
	in.Text("model", "") // read by c.Model
	in.List("models")
	s.prefix = strings.Trim(in.Text("path_prefix", d.prefix(c.Base)), "/")
	if s.prefix != "" {
		s.prefix = "/" + s.prefix
	}
	s.maxTokens = in.Text("max_tokens_field", d.Fields["chat.max_tokens"])
	s.schema = in.Text("schema_field", d.Schema)
	s.thoughts = in.Text("thoughts_field", d.Thoughts)
	s.strict = in.Flag("strict_schema", d.SetStrict)
	s.askUsage = in.Flag("stream_usage", d.AskUsage)
	s.done = in.Flag("stream_done", d.Done)
	s.extra = in.Object("extra_body")
	if d.Speech != nil {
		s.voice = in.Text("voice", d.Speech.Default)
	}
	if d.APIVersion != "" {
		s.deployment = in.Text("deployment", "")
		if version := in.Text("api_version", d.APIVersion); version != "" {
			s.query = "?api-version=" + normal.Escape(version)
		}
	}
	if d.Paths.Responses != "" {
		s.summary = in.Text("reasoning_summary", "")
	}
	if err := s.readAPI(d, c); err != nil {
		return s, err
	}
	s.modelInPath = strings.Contains(s.prefix, "{model}")
	if err := in.Err(); err != nil {
		return s, err
	}
	if s.maxTokens == "" {
		return s, normal.BadSetting("max_tokens_field", "is empty")
	}
	return s, nil
}

// readAPI reads by which of its ways a provider is asked.
func (s *settings) readAPI(d *Dialect, c *normal.Call) error {
	if d.Paths.Responses == "" && d.Task == "" {
		return nil
	}
	switch api := c.Settings.Text("api", "chat"); {
	case api == "chat":
	case api == "responses" && d.Paths.Responses != "":
		if s.responses = c.Kind == "chat"; s.responses {
			s.prefix = strings.TrimSuffix(s.prefix, d.Deployment)
		}
	case api == "tasks" && d.Task != "":
		s.task = c.Kind == "embedding"
	default:
		return normal.BadSetting("api", strconv.Quote(api)+" is not known; there are "+d.apis())
	}
	return nil
}

func (d *Dialect) apis() string {
	apis := "chat"
	if d.Paths.Responses != "" {
		apis += ", responses"
	}
	if d.Task != "" {
		apis += ", tasks"
	}
	return apis
}

// prefix returns the dialect's, without what base already ends in: "/v1" after "https://host/v1" or "https://host/v1beta",
// "/openai" of "/openai/v1" after "https://host/openai".
func (d *Dialect) prefix(base string) string {
	if endsInVersion(base) {
		return ""
	}
	for end := len(d.Prefix); end > 0; end = strings.LastIndexByte(d.Prefix[:end], '/') {
		if strings.HasSuffix(base, d.Prefix[:end]) {
			return d.Prefix[end:]
		}
	}
	return d.Prefix
}

// endsInVersion reports whether a URL's path ends in a segment such as v1, v4 or v1beta.
func endsInVersion(base string) bool {
	_, rest, _ := strings.Cut(base, "://")
	slash := strings.LastIndexByte(rest, '/')
	if slash < 0 {
		return false
	}
	segment := rest[slash+1:]
	return len(segment) >= 2 && segment[0] == 'v' && segment[1] >= '0' && segment[1] <= '9'
}

// A request is a provider's request as it is written.
type request struct {
	*normal.Call
	d     *Dialect
	set   settings
	model string
	w     json.Writer
}

// begin opens the body with the model.
func (r *request) begin() error {
	model, err := r.Model()
	if err != nil {
		return err
	}
	r.model = model
	r.w.Begin('{')
	if !r.set.modelInPath {
		r.w.Key("model")
		r.w.String(model)
	}
	return nil
}

// url returns where a path lies.
func (r *request) url(path string) string {
	prefix := r.set.prefix
	if r.set.modelInPath {
		deployment := r.set.deployment
		if deployment == "" {
			deployment = r.model
		}
		prefix = strings.ReplaceAll(prefix, "{model}", normal.Escape(deployment))
	}
	return r.Base + prefix + path + r.set.query
}

// post ends the body, adds extra_body and asks for both to be posted; after is the state with which the answer is read.
func (r *request) post(path string, after state) (adapter.Reply, error) {
	r.w.End('}')
	body, err := normal.Extend(r.w.Bytes(), "extra_body", r.set.extra)
	if err != nil {
		return adapter.Reply{}, err
	}
	call := normal.Post(r.url(path), body)
	if after.stream {
		call = normal.PostStream("sse", r.url(path), body)
	}
	return r.send(call, after), nil
}

// send asks for the call.
func (r *request) send(call adapter.Action, after state) adapter.Reply {
	after.kind, after.Warnings = r.Kind, r.Warnings
	return adapter.Reply{State: after.bytes(), Actions: []adapter.Action{call}}
}

// raw writes members of an object as they stand.
func (r *request) raw(members string) {
	for name, v := range json.Value("{" + members + "}").Fields() {
		r.w.Key(name)
		r.w.Raw(v)
	}
}

// plain writes a parameter that is a field of the body of its own. One that says nothing is left out; at is its path in the intent.
func (r *request) plain(at string, v json.Value) error {
	field := r.d.Fields[at]
	if !said(at, v) || field == "" && penalty(at) && v.Empty() {
		return nil
	}
	if field == "" {
		return r.Cannot(at, "the API has no such parameter")
	}
	r.w.Key(field)
	r.w.Raw(v)
	return nil
}

// said reports whether a parameter says something: 0 and false do where they are not what is meant by saying nothing.
func said(at string, v json.Value) bool {
	switch at[strings.LastIndexByte(at, '.')+1:] {
	case "parallel_tool_calls":
		return v.Exists()
	}
	return v.Kind() == json.Number || !v.Empty()
}

// penalty tells the parameters whose 0 every provider honours.
func penalty(at string) bool { return strings.HasSuffix(at, "_penalty") }
