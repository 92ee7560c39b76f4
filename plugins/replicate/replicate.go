// Package replicate is the adapter "replicate": whatever model runs at Replicate, for chats, pictures and payloads.
//
// A prediction is created and then asked after until it succeeded, failed or was canceled. All there is to remember is the
// state, so an execution goes on after a restart of the host.
//
// # Settings
//
// A setting that is not listed is an error.
//
//	model, models  "owner/name" of an official model, "owner/name:version", or a version alone; required where requests name none
//	deployment     "owner/name" of a deployment, in place of a model
//	wait           seconds, 1 to 60, for which the provider may keep the first call open (Prefer: wait=N); default 0: it does not
//	fields         what the model's input calls the fields of an intent, where that is not as below, such as
//	               {"max_tokens": "max_new_tokens"}; "" says that it has no such input
//	input          fields that are added to the input, such as {"num_inference_steps": 30}
//	stream         true: a caller that wants pieces gets them from the prediction's own stream, whose host is another (see the
//	               template's allowed_hosts); default false: the answer is given whole
//	poll_first_ms, poll_most_ms, poll_limit_s   how patiently it is asked: 500, 5000, 600
//
// # Input
//
// A payload is the input, as it is. Of a chat come prompt, system_prompt, image and the sampling parameters under their names
// here, with stop as stop_sequences; of an image prompt, negative_prompt, seed, width and height, count as num_outputs and
// media_type as output_format. Models differ, and the provider may pass over an input that a model does not know: fields is
// there to say so. A model of this kind takes one prompt: a conversation of more turns is refused, unless fields has
// {"messages": "messages"}, for models that take them.
package replicate

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/plugins/internal/poll"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Replicate; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "replicate", Version: "1.0.0", Description: "Replicate: predictions of any model"}
}

// Step creates a prediction at the start, and then asks after it.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind != adapter.KindStart {
		return poll.Follow(state, ev, read, frame)
	}
	c, err := normal.Start(ev, "chat", "image", "payload")
	if err != nil {
		return adapter.Reply{}, err
	}
	s := settings{
		deployment: c.Settings.Text("deployment", ""), wait: c.Settings.Number("wait", 0), stream: c.Settings.Flag("stream", false),
	}
	in := input{c: c, names: c.Settings.Object("fields")}
	extra := c.Settings.Object("input")
	s.model, s.noModel = c.Model()
	if s.pace, err = poll.New(&c.Settings, poll.Pace{First: 500, Most: 5000, Limit: 600}); err != nil {
		return adapter.Reply{}, err
	}
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if s.wait < 0 || s.wait > 60 {
		return adapter.Reply{}, normal.BadSetting("wait", "must be 0 to 60")
	}
	if err := in.fill(); err != nil {
		return adapter.Reply{}, err
	}
	filled, err := normal.Extend(in.w.Bytes(), "input", extra)
	if err != nil {
		return adapter.Reply{}, err
	}
	return s.create(c, filled)
}

type settings struct {
	deployment, model string
	noModel           error // why there is no model
	wait              int64
	stream            bool
	pace              poll.Poll
}

// create asks for a prediction.
func (s *settings) create(c *normal.Call, input json.Value) (adapter.Reply, error) {
	path, version, err := s.target(c)
	if err != nil {
		return adapter.Reply{}, err
	}
	var w json.Writer
	w.Begin('{')
	if version != "" {
		w.Key("version")
		w.String(version)
	}
	w.Key("input")
	w.Raw(input)
	w.End('}')
	base := c.Base
	if !strings.HasSuffix(base, "/v1") {
		base += "/v1"
	}
	call := normal.Post(base+path, w.Bytes())
	work := poll.Work{Poll: s.pace, Kind: c.Kind, Answer: normal.Answer{Model: s.model, Warnings: c.Warnings}}
	if s.stream && c.Stream && c.Kind == "chat" {
		work.Kind = streamed
	} else if s.wait > 0 {
		call.Headers = append(call.Headers, adapter.Header{Name: "Prefer", Value: "wait=" + strconv.FormatInt(s.wait, 10)})
	}
	work.Poll.URL = base + "/predictions/" // the id is added when it is known
	return work.Begin(call)
}

// streamed is the kind of a chat that is to be followed by its stream.
const streamed = "streamed chat"

// target returns where a prediction is created, and the version that must be named there; empty: none.
func (s *settings) target(c *normal.Call) (path, version string, err error) {
	switch {
	case s.deployment != "":
		if path, err = owned("deployments", s.deployment); err != nil {
			err = normal.BadSetting("deployment", "must be owner/name")
		}
		return path, "", err
	case s.noModel != nil:
		return "", "", s.noModel
	case strings.Contains(s.model, "/") && !strings.Contains(s.model, ":"):
		if path, err = owned("models", s.model); err != nil {
			err = normal.Invalid(c.Kind+".model", strconv.Quote(s.model)+" is none of owner/name, owner/name:version, version")
		}
		return path, "", err
	}
	return "/predictions", s.model, nil
}

// owned returns the path of predictions of what is called "owner/name".
func owned(kind, name string) (string, error) {
	owner, rest, ok := strings.Cut(name, "/")
	if !ok || owner == "" || rest == "" || strings.Contains(rest, "/") {
		return "", normal.Invalid(kind, name)
	}
	return "/" + kind + "/" + normal.Escape(owner) + "/" + normal.Escape(rest) + "/predictions", nil
}

// read reads a prediction.
func read(w *poll.Work, p json.Value) ([]byte, error) {
	id := p.Get("id").Text()
	if !w.Created {
		switch at := p.Get("urls").Get("get").Text(); {
		case at != "":
			w.Poll.URL = at
		case id == "":
			return nil, normal.Nonsense("is no prediction: it has no id")
		default:
			w.Poll.URL += normal.Escape(id)
		}
		w.Answer.ID = id
		if w.Kind == streamed {
			w.Stream = p.Get("urls").Get("stream").Text() // not all models have one
		}
	}
	if model := p.Get("model").Text(); model != "" {
		w.Answer.Model = model
	}
	switch status := p.Get("status").Text(); status {
	case "starting", "processing", "queued":
		return nil, nil
	case "succeeded", "successful":
		return result(w, p)
	case "failed", "canceled", "aborted":
		return nil, failure(status, p.Get("error"))
	default:
		return nil, normal.Nonsense("is no prediction: its status is " + strconv.Quote(normal.Clip(status)))
	}
}

// frame takes a piece of the text. What came of the prediction is asked for when the stream is over.
func frame(w *poll.Work, ev *adapter.Event) error {
	switch ev.Name {
	case "output":
		w.Answer.Say(string(ev.Data))
	case "error":
		v, err := json.Parse(ev.Data)
		if err != nil {
			return failure("failed", nil)
		}
		return normal.ErrorInside(v)
	}
	return nil // logs, done
}

// failure maps a prediction that came to nothing. What a model raises is the model's own text.
func failure(status string, said json.Value) error {
	text := said.Text()
	if lower := strings.ToLower(text); strings.Contains(lower, "nsfw") || strings.Contains(lower, "flagged as sensitive") {
		return &adapter.Failure{Code: adapter.ExecutionFailed, Reason: adapter.ContentFiltered,
			Message: "the model's content filter refused: " + normal.Clip(text)}
	}
	f := normal.Classify(0, text, "").(*adapter.Failure)
	if f.Message == "" || f.Reason == "" {
		f.Message = "the prediction " + status
		if text != "" {
			f.Message += ": " + normal.Clip(text)
		}
	}
	return f
}

func result(w *poll.Work, p json.Value) ([]byte, error) {
	output := p.Get("output")
	if !output.Exists() {
		return nil, normal.Nonsense("is a prediction that succeeded without output")
	}
	a := &w.Answer
	metrics := p.Get("metrics")
	in, hasIn := normal.Count(metrics.Get("input_token_count"), metrics.Get("token_input_count"))
	out, hasOut := normal.Count(metrics.Get("output_token_count"), metrics.Get("token_output_count"))
	pictures, hasPictures := metrics.Get("image_count").Int()
	if hasIn || hasOut || hasPictures {
		a.Usage = normal.Usage{Known: true, In: in, Out: out, Units: pictures}
	}
	if s := metrics.Get("predict_time"); s.Kind() == json.Number {
		a.Note("predict_time_s", s)
	}
	switch w.Kind {
	case "chat", streamed:
		text, ok := joined(output)
		if !ok {
			return nil, normal.Nonsense("has an output that is no text")
		}
		a.Text, a.Finish = []byte(text), "stop"
		return a.Chat(), nil
	case "image":
		return images(a, output)
	}
	return a.Output(output), nil
}

// joined puts the pieces of a text together, which models give one by one.
func joined(v json.Value) (string, bool) {
	if v.Kind() == json.String {
		return v.Text(), true
	}
	var text strings.Builder
	for piece := range v.Items() {
		if piece.Kind() != json.String {
			return "", false
		}
		text.WriteString(piece.Text())
	}
	return text.String(), v.Kind() == json.Array
}

func images(a *normal.Answer, output json.Value) ([]byte, error) {
	list := []json.Value{output}
	if output.Kind() == json.Array {
		list = nil
		for v := range output.Items() {
			list = append(list, v)
		}
	}
	var pictures []normal.Picture
	for _, v := range list {
		url := v.Text()
		if url == "" {
			url = v.Get("url").Text()
		}
		if url == "" {
			return nil, normal.Nonsense("has an output that is no picture")
		}
		pictures = append(pictures, picture(url))
	}
	if len(pictures) == 0 {
		return nil, normal.Nonsense("has no picture")
	}
	return a.Pictures(pictures), nil
}

// picture reads a URL, or a data URL with the picture itself.
func picture(url string) normal.Picture {
	if rest, ok := strings.CutPrefix(url, "data:"); ok {
		if media, data, ok := strings.Cut(rest, ";base64,"); ok {
			return normal.Picture{MediaType: media, Data: data}
		}
	}
	media := ""
	for _, m := range [...]string{"png", "webp", "jpeg", "gif"} {
		if strings.HasSuffix(url, "."+m) {
			media = "image/" + m
		}
	}
	if strings.HasSuffix(url, ".jpg") {
		media = "image/jpeg"
	}
	return normal.Picture{MediaType: media, URL: url}
}
