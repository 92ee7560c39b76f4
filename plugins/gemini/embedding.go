package gemini

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// embed writes a request for vectors, and returns the method and the number of texts.
func (s *settings) embed(c *normal.Call, w *json.Writer, model string) (method string, inputs uint32, err error) {
	var texts []json.Value
	var dimensions json.Value
	task := ""
	for name, v := range c.Body.Fields() {
		switch name {
		case "model":
		case "input":
			for text := range v.Items() {
				texts = append(texts, text)
			}
		case "dimensions":
			if v.Exists() {
				dimensions = v
			}
		case "purpose":
			task = taskType(v.Text())
		default:
			if v.Empty() {
				continue
			}
			if err := c.Cannot("embedding."+name, "the API has no such parameter"); err != nil {
				return "", 0, err
			}
		}
	}
	if len(texts) == 0 {
		return "", 0, normal.Invalid("embedding.input", "there is no text")
	}
	method = s.embedding
	if method == "" && strings.HasPrefix(model, "models/gemini-embedding-2") {
		method = "embedContent"
	}
	w.Begin('{')
	switch {
	case !s.vertex:
		method = "batchEmbedContents"
		w.Key("requests")
		w.Begin('[')
		for _, text := range texts {
			w.Begin('{')
			w.Key("model")
			w.String(model)
			embedOne(w, text, task, dimensions)
			w.End('}')
		}
		w.End(']')
	case method == "embedContent":
		if len(texts) > 1 {
			return "", 0, adapter.Unsupported("embedding.input", "the API embeds one text a call with this model, not "+strconv.Itoa(len(texts)))
		}
		embedOne(w, texts[0], task, dimensions)
	default:
		method = "predict"
		predict(w, texts, task, dimensions)
	}
	w.End('}')
	return method, uint32(len(texts)), nil
}

func taskType(purpose string) string {
	switch purpose {
	case "query":
		return "RETRIEVAL_QUERY"
	case "document":
		return "RETRIEVAL_DOCUMENT"
	case "similarity":
		return "SEMANTIC_SIMILARITY"
	}
	return strings.ToUpper(purpose)
}

func embedOne(w *json.Writer, text json.Value, task string, dimensions json.Value) {
	w.Key("content")
	w.Begin('{')
	w.Key("parts")
	w.Begin('[')
	textPart(w, text.Text(), "")
	w.End(']')
	w.End('}')
	if task != "" {
		w.Key("taskType")
		w.String(task)
	}
	if dimensions != nil {
		w.Key("outputDimensionality")
		w.Raw(dimensions)
	}
}

func predict(w *json.Writer, texts []json.Value, task string, dimensions json.Value) {
	w.Key("instances")
	w.Begin('[')
	for _, text := range texts {
		w.Begin('{')
		w.Key("content")
		w.Raw(text)
		if task != "" {
			w.Key("task_type")
			w.String(task)
		}
		w.End('}')
	}
	w.End(']')
	if dimensions != nil {
		w.Key("parameters")
		w.Begin('{')
		w.Key("outputDimensionality")
		w.Raw(dimensions)
		w.End('}')
	}
}

// vectors reads an answer in any of the three forms, which follow the order of the texts.
func (s *state) vectors(body json.Value) (adapter.Reply, error) {
	a := &s.answer
	var list []json.Value
	add := func(v json.Value) error {
		vector, err := normal.Floats(v.Get("values"))
		list = append(list, vector)
		return err
	}
	for v := range body.Get("embeddings").Items() {
		if err := add(v); err != nil {
			return adapter.Reply{}, err
		}
	}
	if v := body.Get("embedding"); v.Exists() {
		if err := add(v); err != nil {
			return adapter.Reply{}, err
		}
	}
	for v := range body.Get("predictions").Items() {
		v = v.Get("embeddings")
		if err := add(v); err != nil {
			return adapter.Reply{}, err
		}
		if n, ok := v.Get("statistics").Get("token_count").Int(); ok {
			a.Usage.Known = true
			a.Usage.In += n
		}
	}
	if len(list) != int(s.inputs) {
		return adapter.Reply{}, normal.Nonsense("has " + strconv.Itoa(len(list)) + " vectors for " + strconv.Itoa(int(s.inputs)) + " texts")
	}
	s.count(body.Get("usageMetadata"))
	return adapter.Do(adapter.Done(a.Vectors(list))), nil
}
