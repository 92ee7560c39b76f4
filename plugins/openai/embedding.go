package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// embedding asks for vectors. There is nothing to stream: a caller that wants deltas gets the result alone.
func (r *request) embedding() (adapter.Reply, error) {
	if r.set.task {
		return r.featureExtraction()
	}
	if err := r.begin(); err != nil {
		return adapter.Reply{}, err
	}
	var after state
	for name, v := range r.Body.Fields() {
		switch name {
		case "model":
		case "input":
			for range v.Items() {
				after.inputs++
			}
			r.w.Key("input")
			r.w.Raw(v)
		default:
			if err := r.plain("embedding."+name, v); err != nil {
				return adapter.Reply{}, err
			}
		}
	}
	if after.inputs == 0 {
		return adapter.Reply{}, normal.Invalid("embedding.input", "there is no text")
	}
	return r.post(r.d.Paths.Embedding, after)
}

// featureExtraction asks for vectors as Hugging Face's tasks have it: the model stands in the path.
func (r *request) featureExtraction() (adapter.Reply, error) {
	model, err := r.Model()
	if err != nil {
		return adapter.Reply{}, err
	}
	var after state
	for range r.Body.Get("input").Items() {
		after.inputs++
	}
	if after.inputs == 0 {
		return adapter.Reply{}, normal.Invalid("embedding.input", "there is no text")
	}
	if err := r.Takes("model", "input"); err != nil {
		return adapter.Reply{}, err
	}
	r.w.Begin('{')
	r.w.Key("inputs")
	r.w.Raw(r.Body.Get("input"))
	r.set.prefix = ""
	return r.post(strings.Replace(r.d.Task, "{model}", model, 1), after)
}

// vectors reads an answer with one vector for each text. The order is that of the index, which need not be that of the list.
func (s *state) vectors(d *Dialect, body json.Value) (adapter.Reply, error) {
	list := make([]json.Value, s.inputs)
	n := uint32(0)
	items := body.Get("data")
	if body.Kind() == json.Array { // of a task
		if items = body; body.Pointer("/0").Kind() == json.Number {
			items = json.Value("[" + string(body) + "]") // of one text alone
		}
	}
	for item := range items.Items() {
		at := int64(n)
		if index, ok := item.Get("index").Int(); ok {
			at = index
		}
		if at < 0 || at >= int64(s.inputs) || list[at] != nil {
			return adapter.Reply{}, normal.Nonsense("has a vector for a text that was not sent, or two for one")
		}
		values := item.Get("embedding")
		if item.Kind() == json.Array {
			values = item
		}
		vector, err := vector(d, values)
		if err != nil {
			return adapter.Reply{}, err
		}
		list[at] = vector
		n++
	}
	if n != s.inputs {
		return adapter.Reply{}, normal.Nonsense("has " + strconv.Itoa(int(n)) + " vectors for " + strconv.Itoa(int(s.inputs)) + " texts")
	}
	return adapter.Do(adapter.Done(s.Vectors(list))), nil
}

// vector reads one: numbers, float32 in base64, or what the dialect has in base64 instead.
func vector(d *Dialect, v json.Value) (json.Value, error) {
	if !d.Bytes || v.Kind() != json.String {
		return normal.Floats(v)
	}
	raw, ok := normal.Bytes(v)
	if !ok {
		return nil, normal.Nonsense("has a vector that is no base64")
	}
	var w json.Writer
	w.Begin('[')
	for _, b := range raw {
		w.Int(int64(int8(b)))
	}
	w.End(']')
	return w.Bytes(), nil
}
