package alephalpha

import (
	"strconv"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// request is a request under construction.
type request struct {
	call      *normal.Call
	w         json.Writer
	task      string     // the setting task_path
	extra     json.Value // the setting extra_body
	normalize bool
}

// forChat returns the contract that the adapter of chats is given.
func (r *request) forChat(model string) []byte {
	var w json.Writer
	w.Begin('{')
	w.Key("base_url")
	w.String(r.call.Base)
	w.Key("settings")
	w.Begin('{')
	w.Key("model")
	w.String(model)
	w.Key("path_prefix")
	w.String("") // base_url ends in the version
	if r.extra != nil {
		w.Key("extra_body")
		w.Raw(r.extra)
	}
	w.End('}')
	w.End('}')
	return w.Bytes()
}

// complete writes what /complete is asked.
func (r *request) complete(stream bool) error {
	r.w.Key("prompt")
	r.w.Begin('[')
	r.text(r.call.Body.Get("prompt"))
	r.w.End(']')
	if most := r.call.Body.Get("max_tokens"); most.Exists() {
		r.w.Key("maximum_tokens")
		r.w.Raw(most)
	}
	if stream {
		r.w.Key("stream")
		r.w.Bool(true)
	}
	return r.call.Takes("model", "prompt", "max_tokens")
}

// text writes an item of a prompt.
func (r *request) text(v json.Value) {
	r.w.Begin('{')
	r.w.Key("type")
	r.w.String("text")
	r.w.Key("data")
	r.w.Raw(v)
	r.w.End('}')
}

// embed writes what /batch_semantic_embed is asked, and returns the number of texts.
func (r *request) embed() (inputs uint32, err error) {
	const most = 100 // in one call
	r.w.Key("prompts")
	r.w.Begin('[')
	for text := range r.call.Body.Get("input").Items() {
		r.w.Begin('[')
		r.text(text)
		r.w.End(']')
		inputs++
	}
	r.w.End(']')
	switch {
	case inputs == 0:
		return 0, normal.Invalid("embedding.input", "there is no text")
	case inputs > most:
		return 0, adapter.Unsupported("embedding.input", "Aleph Alpha takes "+strconv.Itoa(most)+" texts at most, these are "+strconv.Itoa(int(inputs)))
	}
	r.w.Key("representation")
	switch purpose := r.call.Body.Get("purpose").Text(); purpose {
	case "query", "document":
		r.w.String(purpose)
	default:
		r.w.String("symmetric")
	}
	if wanted := r.call.Body.Get("dimensions"); wanted.Exists() {
		if n, ok := wanted.Int(); ok && n == 128 {
			r.w.Key("compress_to_size")
			r.w.Raw(wanted)
		} else if err := r.call.Cannot("embedding.dimensions", "Aleph Alpha's vectors have 128, or as many as the model has"); err != nil {
			return 0, err
		}
	}
	if r.normalize {
		r.w.Key("normalize")
		r.w.Bool(true)
	}
	return inputs, r.call.Takes("model", "input", "purpose", "dimensions")
}

// rerank writes what /rerank is asked, and returns the number of documents.
func (r *request) rerank() (inputs uint32, err error) {
	for _, name := range [...]string{"query", "documents", "top_n"} {
		if v := r.call.Body.Get(name); v.Exists() {
			r.w.Key(name)
			r.w.Raw(v)
		}
	}
	for range r.call.Body.Get("documents").Items() {
		inputs++
	}
	return inputs, r.call.Takes("model", "query", "documents", "top_n")
}

// payload writes a task as the request has it.
func (r *request) payload() error {
	if r.task == "" {
		return adapter.Unsupported("intent.payload", "adapter.settings names no task_path that it could be posted to")
	}
	if r.task[0] != '/' {
		return normal.BadSetting("task_path", `must begin with "/", such as "/translate"`)
	}
	for name, v := range r.call.Body.Fields() {
		r.w.Key(name)
		r.w.Raw(v)
	}
	return nil
}
