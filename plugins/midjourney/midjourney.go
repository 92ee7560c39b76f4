// Package midjourney is the adapter "midjourney": pictures by a proxy in front of Midjourney, which somebody runs for themselves.
//
// Midjourney has no official API. There is nothing to conform to, and none of this is warranted by Midjourney; whether a proxy
// may be used is between its operator and Midjourney. What is spoken here is the form that the proxies which are common
// share (of novicezk/midjourney-proxy and those that followed it): a task is submitted, and then asked after. It was written
// from the notes of that project, and nothing of it is recorded.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	submit_path  where tasks are submitted; default /mj/submit/imagine
//	task_path    where a task is asked after, with {id} in it; default /mj/task/{id}/fetch
//	model        Midjourney's version, such as "6.1"; it becomes --v of the prompt
//	suffix       what is put behind every prompt, such as "--stylize 50"
//	extra_body   fields that are added to what is submitted, such as {"botType": "MID_JOURNEY"}
//	poll_first_ms, poll_most_ms, poll_limit_s   how patiently it is asked: 2000, 10000, 900
//
// Midjourney takes its parameters in the prompt: a negative prompt becomes --no, a seed --seed, a quality --q. A size can only be
// said as a ratio, --ar, so one in pixels is refused or warned of. One picture comes, a grid of four.
package midjourney

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/plugins/internal/poll"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to a proxy in front of Midjourney; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "midjourney", Version: "1.0.0", Description: "Midjourney by a proxy of your own; it has no official API"}
}

// Step submits a task at the start, and then asks after it.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind != adapter.KindStart {
		return poll.Step(state, ev, read)
	}
	c, err := normal.Start(ev, "image")
	if err != nil {
		return adapter.Reply{}, err
	}
	submit, task := c.Settings.Text("submit_path", "/mj/submit/imagine"), c.Settings.Text("task_path", "/mj/task/{id}/fetch")
	suffix, extra, model := c.Settings.Text("suffix", ""), c.Settings.Object("extra_body"), c.ModelOr("")
	pace, err := poll.New(&c.Settings, poll.Pace{First: 2000, Most: 10_000, Limit: 900})
	if err != nil {
		return adapter.Reply{}, err
	}
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if !strings.Contains(task, "{id}") {
		return adapter.Reply{}, normal.BadSetting("task_path", "must hold {id}")
	}
	body, err := request(c, model, suffix)
	if err != nil {
		return adapter.Reply{}, err
	}
	if body, err = normal.Extend(body, "extra_body", extra); err != nil {
		return adapter.Reply{}, err
	}
	work := poll.Work{Poll: pace, Kind: c.Kind, Answer: normal.Answer{Model: model, Warnings: c.Warnings}}
	work.Poll.URL = c.Base + task
	return work.Begin(normal.Post(c.Base+submit, body))
}

// request writes what is submitted: the prompt with its parameters, and the pictures to begin with.
func request(c *normal.Call, model, suffix string) ([]byte, error) {
	if err := c.Takes("model", "prompt", "negative_prompt", "seed", "size", "count", "quality", "images"); err != nil {
		return nil, err
	}
	prompt := []string{c.Body.Get("prompt").Text()}
	var data []string
	i := 0
	for v := range c.Body.Get("images").Items() {
		at := "image.images[" + strconv.Itoa(i) + "]"
		switch url := v.Get("url").Text(); {
		case url != "":
			prompt = append([]string{url}, prompt...)
		case v.Get("data").Text() != "":
			data = append(data, "data:"+v.Get("media_type").Text()+";base64,"+v.Get("data").Text())
		default:
			return nil, normal.Invalid(at, "it has neither url nor data")
		}
		i++
	}
	parameter := func(name, value string) {
		if value != "" {
			prompt = append(prompt, "--"+name+" "+value)
		}
	}
	parameter("no", c.Body.Get("negative_prompt").Text())
	if size := c.Body.Get("size").Text(); size != "" {
		if err := c.Cannot("image.size", "Midjourney takes the ratio alone, as --ar"); err != nil {
			return nil, err
		}
		parameter("ar", ratio(size))
	}
	if n, ok := c.Body.Get("count").Int(); ok && n > 1 {
		if err := c.Cannot("image.count", "Midjourney makes one grid of four at a time"); err != nil {
			return nil, err
		}
	}
	if s, ok := c.Body.Get("seed").Int(); ok {
		if s >= 0 {
			parameter("seed", strconv.FormatInt(s, 10))
		} else if err := c.Cannot("image.seed", "Midjourney takes none below 0"); err != nil {
			return nil, err
		}
	}
	parameter("q", c.Body.Get("quality").Text())
	parameter("v", model)
	if suffix != "" {
		prompt = append(prompt, suffix)
	}
	var w json.Writer
	w.Begin('{')
	w.Key("prompt")
	w.String(strings.Join(prompt, " "))
	if len(data) > 0 {
		w.Key("base64Array")
		w.Begin('[')
		for _, d := range data {
			w.String(d)
		}
		w.End(']')
	}
	w.End('}')
	return w.Bytes(), nil
}

// ratio returns WIDTHxHEIGHT in its lowest terms, WIDTH:HEIGHT; empty if it is none.
func ratio(size string) string {
	width, height, _ := strings.Cut(size, "x")
	x, err := strconv.Atoi(width)
	y, err2 := strconv.Atoi(height)
	if err != nil || err2 != nil || x < 1 || y < 1 {
		return ""
	}
	a, b := x, y
	for b != 0 {
		a, b = b, a%b
	}
	return strconv.Itoa(x/a) + ":" + strconv.Itoa(y/a)
}

// read reads the answer to what was submitted, and then the task.
func read(w *poll.Work, v json.Value) ([]byte, error) {
	if !w.Created {
		return nil, submitted(w, v)
	}
	switch status := v.Get("status").Text(); status {
	case "SUCCESS":
		url := v.Get("imageUrl").Text()
		if url == "" {
			return nil, normal.Nonsense("is a task that succeeded without picture")
		}
		revised := v.Get("properties").Get("finalPrompt").Text()
		return w.Answer.Pictures([]normal.Picture{{URL: url, Revised: revised}}), nil
	case "FAILURE", "CANCEL":
		said := v.Get("failReason").Text()
		f := &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the task came to nothing: " + normal.Clip(said), Retryable: true}
		if lower := strings.ToLower(said); strings.Contains(lower, "banned prompt") || strings.Contains(lower, "moderat") {
			f.Reason, f.Retryable = adapter.ContentFiltered, false
		}
		return nil, f
	case "NOT_START", "SUBMITTED", "IN_PROGRESS", "MODAL", "":
		return nil, nil
	default:
		return nil, normal.Nonsense("is no task: its status is " + strconv.Quote(normal.Clip(status)))
	}
}

// submitted reads the proxies' codes: 1 submitted, 21 was there already, 22 waits in a queue, 23 the queue is full, 24 a word
// of the prompt is banned; any other is an error that describes itself.
func submitted(w *poll.Work, v json.Value) error {
	said := normal.Clip(v.Get("description").Text())
	code, ok := v.Get("code").Int()
	switch {
	case ok && (code == 1 || code == 21 || code == 22):
		id := v.Get("result").Text()
		if id == "" {
			return normal.Nonsense("names no task")
		}
		w.Answer.ID = id
		w.Poll.URL = strings.ReplaceAll(w.Poll.URL, "{id}", normal.Escape(id))
		return nil
	case ok && code == 23:
		return &adapter.Failure{Code: adapter.Overloaded, Reason: adapter.Overload, Message: "the proxy's queue is full", Retryable: true}
	case ok && code == 24:
		message := "the proxy refuses a word of the prompt"
		if word := v.Get("properties").Get("bannedWord").Text(); word != "" {
			message += ": " + normal.Clip(word)
		}
		return &adapter.Failure{Code: adapter.ExecutionFailed, Reason: adapter.ContentFiltered, Message: message}
	case ok:
		return &adapter.Failure{Code: adapter.ExecutionFailed, Retryable: true, Message: "the proxy answered with code " + strconv.FormatInt(code, 10) + ": " + said}
	}
	return normal.Nonsense("has no code, which a proxy's has")
}
